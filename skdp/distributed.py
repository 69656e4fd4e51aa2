"""The same steps over the partitions of a Dask DataFrame: on one machine, or on a cluster of them.

What a step has to learn is learned partition by partition and merged in a tree; what it does to rows is done where the
rows are. Only counts and what steps have learned come to the client, never a row.
"""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skdp import metrics
from skdp._checks import ParameterError, check_columns, check_integer, invalid
from skdp._chunkwise import has_bounds, learns_nothing
from skdp._dask_tables import Learning, Steps, Table, computed, delayed, in_a_tree, outline_of, shared, table_of
from skdp._partitions import (
    PartitionError,
    Place,
    Shape,
    charge,
    count_classes,
    is_charged,
    merge_classes,
    steps_of,
)
from skdp._passage import is_seeded
from skdp._streaming import CHUNK_ROWS
from skdp.metrics import ClassCounts
from skdp.metrics._counts import known_columns, sensitive_columns
from skdp.noise import LaplaceNoise
from skdp.recipes import load
from skdp.recipes import recipe as ready_made
from skdp.synthesis import BLOCK_ROWS, FakerSynthesizer

__all__ = ["ClassCounts", "PartitionError", "class_counts", "fit", "k_anonymity", "l_diversity", "release",
           "synthesize", "transform"]  # fmt: skip


def synthesize(request, *, recipe="travel", npartitions=None, seed=None):
    """Return fictitious records as a Dask DataFrame, whose partitions are made when and where they are asked for.

    Parameters
    ----------
    request : dataframe of shape (n_rows, n_columns)
        What to make; in memory, as for `skdp.recipes.travel`.
    recipe : str, Path or callable, default="travel"
        The name of a ready-made recipe, the path of a file ending in ``.toml``, or a function that takes
        ``random_state`` and returns a pipeline. The first step must be a `FakerSynthesizer`.
    npartitions : int, default=None
        How many partitions there are; by default one for each 262,144 records. Records are made in blocks of 65,536:
        up to as many partitions as there are blocks none is made twice. Beyond that, partitions share blocks, and each
        makes those that it is cut from whole.
    seed : int, default=None
        Makes the same table again, whatever the number of partitions and of workers. By default one is drawn, which
        keeps the table the same however often it is computed.

    Returns
    -------
    people : dask.dataframe.DataFrame
        The records, in the order of the request. With a seed, and a recipe that gives it to all steps that draw, the
        same as those of ``recipe(random_state=seed).fit_transform(request)`` in memory.

    Raises
    ------
    ParameterError
        If a parameter is none of the above.
    ValueError
        If the recipe has columns of unique values, which depend on all records before, or a step behind the
        synthesizer that cannot learn from partitions; see `fit`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.distributed import synthesize
    >>> request = pd.DataFrame({"Country": ["MEXICO", "CHINA"], "Year": [2020, 2018], "Records": [2, 1]})
    >>> people = synthesize(request, npartitions=2, seed=1)
    >>> people.npartitions
    2
    >>> people["place_of_birth"].compute(scheduler="synchronous").tolist()
    ['MEXICO', 'MEXICO', 'CHINA']
    """
    if seed is not None:
        check_integer("synthesize", "seed", seed, low=0)
    if npartitions is not None:
        check_integer("synthesize", "npartitions", npartitions, low=1)
    pipeline = _pipeline(recipe, seed)
    synthesizer = pipeline[0].set_params(random_state=secrets.randbits(128) if seed is None else int(seed))
    plan = synthesizer.fit(request).plan(request)
    if plan.in_order:
        raise ValueError(
            "The recipe has columns of unique values, which depend on all records before theirs, so that partitions "
            "cannot be made apart. Make the table with skdp synthesize, or leave out 'unique'."
        )
    edges = _edges(plan.total, npartitions)
    sample = _sample(synthesizer, request)
    made, planned = delayed(_made), shared((synthesizer, request, sample.iloc[:0]))
    parts = [made(planned, start, stop) for start, stop in zip(edges, edges[1:], strict=False)]
    shapes = [Shape(int(rows), sample.iloc[:0]) for rows in np.diff(edges)]
    table = Table(parts, shapes, sample, synthesizer.schema_)
    return _released(pipeline[1:], table) if len(pipeline) > 1 else table.frame(sample.iloc[:0])


def fit(estimator, ddf):
    """Fit a step or a pipeline to a Dask DataFrame.

    Steps with `partial_fit` and `merge` see each partition by itself; what they learn is merged in a tree. Steps that
    learn nothing from the values (`IntervalBinner`, noise with public bounds) are fitted to one partition.

    Parameters
    ----------
    estimator : estimator
        A step, or a Pipeline of steps.
    ddf : dask.dataframe.DataFrame
        The table. It is computed once, and once more for each step that learns (twice for a `KAnonymizer`):
        ``ddf.persist()`` it first where the cluster's memory holds it.

    Returns
    -------
    estimator : estimator
        The same, fitted; what it learned is in this process.

    Raises
    ------
    ValueError
        If a step learns from the whole table and cannot merge what it learns from parts, or holds other steps that are
        not in a Pipeline.
    ParameterError
        If a step names a column that the table does not have.
    PartitionError
        If a partition cannot be worked on: with its number, the step, and no cell of the data.
    BudgetExceededError
        If a step's ledger has a cap that would be passed.

    Notes
    -----
    As in memory, noise that steps behind learn from is drawn, and charged by the client: once, before any of it is.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> from skdp import IntervalBinner
    >>> from skdp.distributed import fit, transform
    >>> ages = dd.from_pandas(pd.DataFrame({"Age": [24, 35, 71]}), npartitions=2)
    >>> binner = fit(IntervalBinner({"Age": [30, 60]}), ages)
    >>> transform(binner, ages).compute(scheduler="synchronous")["Age"].tolist()
    ['30 and Under', '30 - 60', '60 and Over']
    """
    _check_table("fit", ddf)
    Learning(steps_of(estimator), table_of(ddf)).fit(last_draws=False)
    return estimator


def transform(estimator, ddf):
    """Return a Dask DataFrame with a fitted step or pipeline done to it; every row is kept.

    Parameters
    ----------
    estimator : estimator
        A step, or a Pipeline of steps, fitted here or in memory.
    ddf : dask.dataframe.DataFrame
        The table, with the columns seen by `fit`.

    Returns
    -------
    transformed : dask.dataframe.DataFrame
        The transformed table, computed when it is asked for. However often it is computed it is the same, noise
        included: see `release`.

    Raises
    ------
    ValueError
        If the estimator holds steps that draw and are not in a Pipeline, or noise without bounds.
    BudgetExceededError
        If a step's ledger has a cap that would be passed. The client charges when this is called, for all rows.
    PartitionError
        When it is computed, if a partition cannot be worked on.
    """
    _check_table("transform", ddf)
    steps = steps_of(estimator)
    _check_serves_partitions(steps)
    charged = [step for _, step in steps if is_charged(step)]
    if charged or any(is_seeded(step) for _, step in steps):
        table = table_of(ddf)
    else:
        table = Table(ddf.to_delayed(), [Shape(0, ddf._meta)] * ddf.npartitions)
    serving = Steps(steps, table, drops=False)
    empty = outline_of(serving.chain(len(steps)), table)  # whatever is wrong shows before anything is charged
    for step in charged:
        charge(step, sum(table.rows), "transform")
    for position in range(len(steps)):
        serving.find_rows(position)
    last = serving.chain(len(steps))
    last = replace(last, gone=serving.gone(last))
    empty = replace(last, steps=()).run(empty, Place(0, 0))
    return serving.table.frame(empty, replace(last, dtypes_out=empty.dtypes.to_dict()))


def release(pipeline, ddf):
    """Fit a step or a pipeline, and return the table as it may be released: rows at fault gone, noise drawn.

    Parameters
    ----------
    pipeline : estimator
        A step, or a Pipeline of steps, with what `fit` asks of them. It is fitted in place.
    ddf : dask.dataframe.DataFrame
        The table. It must compute to the same rows whenever it is asked for; where it does not (it is sampled, or read
        from a database without an order), write it to Parquet first.

    Returns
    -------
    released : dask.dataframe.DataFrame
        The table, computed when it is asked for. Write it (``released.to_parquet(folder)``); it holds the key of its
        noise and the way to the raw table, so do not pickle it for others.

    Raises
    ------
    ValueError, ParameterError
        As by `fit`.
    PartitionError
        As by `fit`, and when the table is computed.
    BudgetExceededError
        If a step's ledger has a cap that would be passed.

    Notes
    -----
    *Randomness.* Without a seed, the client draws 256 bits from the operating system for each release. The noise of a
    step in a partition is the AES-256 keystream of a key made from these bits, the step, the partition and the values
    to be noised (HMAC-SHA-256). So no two partitions, steps, columns or releases share noise. A partition that is
    computed twice (its worker was killed; the table was asked for again) gets the very noise it had: whoever sees both
    sees one release. And if the partition held other values the second time, its noise is fresh, so that differences
    tell nothing of the values. This holds against whoever has not the client's bits, which the scheduler and the
    workers get: they hold the raw table, too.

    *Charges.* The client charges each step that adds noise once for the table, before any of its noise is drawn: a
    record is in one partition, so that its loss is that of one release however many there are (parallel composition:
    McSherry, *Privacy integrated queries*, SIGMOD 2009). Workers never charge. A worker that dies loses no charge and
    causes none, since what is drawn anew is the same. The ledger's file needs to be on the client's machine alone.

    *Categories.* Those that only dropped rows had are named by no partition. To find them, a table with categories is
    computed twice more where a step drops rows, when this is called.

    *Seeds.* With an integer `random_state`, what a step draws for a row depends on it, on the column, and on the row's
    position in the table that the step is handed, without the rows that others dropped. So the same table comes out
    whatever the partitions: that of ``fit_transform`` in memory. To find these positions, a table is computed once more
    for each seeded step behind one that drops rows. A seeded `FakerSynthesizer` draws 65,536 rows together; where
    partitions do not end with these, rows are moved between neighbours, and partitions come out with others. There is
    no privacy with a seed, as in memory.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> from skdp import LaplaceNoise
    >>> from skdp.distributed import release
    >>> ages = dd.from_pandas(pd.DataFrame({"Age": [24, 35, 71]}), npartitions=2)
    >>> released = release(LaplaceNoise(bounds={"Age": (0, 120)}), ages)
    >>> first, again = (released.compute(scheduler="synchronous") for _ in range(2))
    >>> bool((first["Age"] == again["Age"]).all())
    True
    """
    _check_table("release", ddf)
    return _released(pipeline, table_of(ddf))


def class_counts(ddf, columns=None):
    """Return the equivalence classes of a Dask DataFrame: what the records of each share, and how many these are.

    `skdp.metrics` takes them in place of the table, so that the measures of classes (`t_closeness`, `attacker_risks`,
    …) are those of the whole table.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame
        The table. It is computed once.
    columns : str or list of str, default=None
        The columns that tell classes apart: the quasi-identifiers and, for measures that need them, the sensitive ones.
        All by default. A missing value is a value of its own.

    Returns
    -------
    counts : ClassCounts
        ``classes``, a pandas frame of shape (n_classes, n_columns), and ``sizes``, an ndarray of int64 of shape
        (n_classes,). All classes come to the client, whose memory must hold them.

    Raises
    ------
    ParameterError
        If a column is not in the table.
    PartitionError
        If a partition cannot be computed.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> from skdp.distributed import class_counts
    >>> from skdp.metrics import attacker_risks, t_closeness
    >>> table = pd.DataFrame({"Age": [31, 31, 40, None], "Debt": [1, 2, 3, 3]})
    >>> counts = class_counts(dd.from_pandas(table, npartitions=2))
    >>> counts
    <ClassCounts: 4 classes of 4 records>
    >>> t_closeness(counts, "Age", "Debt"), t_closeness(table, "Age", "Debt")
    (0.375, 0.375)
    >>> attacker_risks(counts, "Age").sample_uniques
    2
    """
    _check_table("class_counts", ddf)
    columns = list(ddf.columns) if columns is None else check_columns("class_counts", "columns", columns, ddf.columns)
    count = delayed(count_classes)
    parts = ddf.to_delayed()
    [counts] = computed([in_a_tree([count(part, columns) for part in parts], merge_classes)], parts)
    return counts


def k_anonymity(ddf, quasi_identifiers=None):
    """Return k of a Dask DataFrame: the rows in its smallest equivalence class.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame
        The table; at least one row.
    quasi_identifiers : str or list of str, default=None
        The columns an attacker may know. All by default.

    Returns
    -------
    k : int
        From 1 (someone stands alone) to n_rows, as by `skdp.metrics.k_anonymity`.

    See Also
    --------
    class_counts : What all other measures of classes are computed from.
    """
    known = known_columns(ddf, "k_anonymity", quasi_identifiers)
    return metrics.k_anonymity(class_counts(ddf, known))


def l_diversity(ddf, quasi_identifiers, sensitive):
    """Return the distinct l of a Dask DataFrame: the sensitive values in its least diverse equivalence class.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame
        The table; at least one row.
    quasi_identifiers : str, list of str or None
        The columns an attacker may know. None: all that are not sensitive.
    sensitive : str or list of str
        The column, or columns, that an attacker wants to learn.

    Returns
    -------
    l : int
        Of at least 1, as by `skdp.metrics.l_diversity`.

    See Also
    --------
    class_counts : What all other measures of classes are computed from.
    """
    wanted = sensitive_columns(ddf, "l_diversity", sensitive)
    known = known_columns(ddf, "l_diversity", quasi_identifiers, wanted)
    return metrics.l_diversity(class_counts(ddf, [*known, *wanted]), known, wanted)


def _check_table(function: str, table: Any) -> None:
    # The message holds what kind the table is, never the table: its repr shows cells.
    if not hasattr(table, "to_delayed") or not hasattr(table, "columns"):
        got = f"{type(table).__module__.partition('.')[0]} {type(table).__name__}"
        raise ParameterError(
            f"The 'ddf' parameter of {function} must be a Dask DataFrame. Got a {got} instead; "
            "dask.dataframe.from_pandas makes one of a pandas DataFrame."
        )


def _check_serves_partitions(steps: list) -> None:
    for name, step in steps:
        if isinstance(step, LaplaceNoise) and not has_bounds(step):
            raise ValueError(
                f"Step {name!r} (LaplaceNoise) has columns without 'bounds': what its noise hides depends on the range "
                "of the whole table, which partitions do not know. Give bounds."
            )
        if isinstance(step, FakerSynthesizer) and is_seeded(step) and not learns_nothing(step, set(), pd.DataFrame()):
            raise ValueError(
                f"Step {name!r} (FakerSynthesizer) has a seed, and a 'count' or unique columns: what it makes depends "
                "on all rows before, which partitions do not know. Use skdp.distributed.synthesize."
            )


def _released(pipeline: Any, table: Table) -> Any:
    learning = Learning(steps_of(pipeline), table)
    learning.fit(last_draws=True)
    return learning.released()


def _pipeline(recipe: Any, seed: int | None) -> Pipeline:
    """Return the pipeline of a recipe, which begins with a synthesizer."""
    if callable(recipe):
        pipeline = recipe(random_state=seed)
    elif isinstance(recipe, str | Path):
        pipeline = load(recipe, seed) if str(recipe).lower().endswith(".toml") else ready_made(recipe)(seed)
    else:
        raise invalid("synthesize", "recipe", recipe, "a name, a file ending in .toml, or a function")
    if not isinstance(pipeline, Pipeline):
        pipeline = Pipeline([("synthesize", pipeline)])
    if not isinstance(pipeline[0], FakerSynthesizer) or pipeline[0].count is None:
        raise ValueError(
            "The recipe must begin with a FakerSynthesizer that has a 'count', to make records; to mask a table, use "
            "skdp.distributed.release."
        )
    return pipeline


def _edges(total: int, npartitions: int | None) -> list[int]:
    """Return where partitions begin and end: between blocks, as long as there are enough of these."""
    npartitions = npartitions or max(-(-total // CHUNK_ROWS), 1)
    n_blocks = max(-(-total // BLOCK_ROWS), 1)
    if npartitions <= n_blocks:
        return np.minimum(np.arange(npartitions + 1) * n_blocks // npartitions * BLOCK_ROWS, total).tolist()
    return (np.arange(npartitions + 1) * total // npartitions).tolist()


def _sample(synthesizer: FakerSynthesizer, request: Any) -> pd.DataFrame:
    """Return a few records, to see what columns hold; they are of no table."""
    few = request.head(1).assign(**{synthesizer.count: 20})
    return synthesizer.plan(few if len(few) else request).rows(0, 20 * len(few))


def _made(planned: tuple, start: int, stop: int) -> pd.DataFrame:
    """Return the records from `start` to `stop`, numbered as those of the whole table."""
    synthesizer, request, empty = planned
    if start == stop:
        return empty
    return synthesizer.plan(request).rows(start, stop).set_axis(pd.RangeIndex(start, stop))
