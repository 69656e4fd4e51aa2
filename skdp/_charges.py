"""What a ledger is charged for a release in chunks: each step once for the table, in the name of the run."""

from typing import Any

from skdp._passage import NOISE
from skdp.ledger import set_ledger
from skdp.pipeline import Pipeline


def charge_by_run(pipeline: Pipeline, ledger: Any, run: str) -> None:
    """Have the steps that learn at a price charge a ledger, if there is one, in the name of the run."""
    for name, step in pipeline.steps if ledger is not None else ():
        if _learns_at_a_price(step):
            step.set_params(ledger=_RunLedger(ledger, run, name))


def charge_once(pipeline: Pipeline, ledger: Any, rows: int, run: str) -> None:
    """Charge the noise of a whole table, before any is drawn, and what was learned, if another ledger paid for it.

    Each record is in one chunk, so its loss is that of one release, however many chunks there are (parallel
    composition: McSherry, *Privacy integrated queries*, SIGMOD 2009). What stands in the ledger for this run is not
    charged again: who goes on with a run draws noise only for what it did not commit, and learns nothing again.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its steps with noise have no ledger of their own.
    ledger : PrivacyLedger or None
        What to charge.
    rows : int
        Of the table.
    run : str
        The name of the run, which stands in the ledger.
    """
    if ledger is None:
        return
    charged = _charged(ledger)
    for name, step in pipeline.steps:
        purpose = _purpose(step, run, name)
        owed = isinstance(step, NOISE) or _learns_at_a_price(step) and step.privacy_guarantee_.epsilon > 0
        if owed and purpose not in charged:
            ledger.charge(step.privacy_guarantee_, estimator=type(step).__name__, rows=rows, purpose=purpose)


def charge_at_once(pipeline: Pipeline, ledger: Any, run: str, learned: int) -> None:
    """Have steps charge a ledger, if there is one, for a table that is released at once after all.

    Of these steps the first have learned in chunks, and were charged: whoever fits them no more charges nothing for
    them but noise. The step behind them may have been charged before it found that it cannot learn in chunks. Where
    that was without limit, it is not charged again.

    Parameters
    ----------
    pipeline : Pipeline
        Its steps get the ledger.
    ledger : PrivacyLedger or None
        What to charge.
    run : str
        The name of the run, which stands in the ledger.
    learned : int
        How many of the first steps have learned.
    """
    if ledger is None:
        return
    set_ledger(pipeline, ledger)
    name, step = pipeline.steps[learned]
    if _learns_at_a_price(step) and step.epsilon is None and _purpose(step, run, name) in _charged(ledger):
        step.set_params(ledger=None)


class _RunLedger:
    """A ledger in which what is charged for a step bears the name of the run."""

    def __init__(self, ledger: Any, run: str, name: str):
        self.ledger, self.run, self.name = ledger, run, name

    def charge(self, guarantee: Any, *, estimator: str, rows: int, purpose: str) -> None:
        self.ledger.charge(guarantee, estimator=estimator, rows=rows, purpose=f"{purpose} {self.run}, {self.name}")


def _learns_at_a_price(step: Any) -> bool:
    return hasattr(step, "partial_fit") and "ledger" in step.get_params(deep=False)


def _charged(ledger: Any) -> set[str]:
    return set(ledger.entries()["purpose"])


def _purpose(step: Any, run: str, name: str) -> str:
    return f"{'release' if isinstance(step, NOISE) else 'fit'} {run}, {name}"
