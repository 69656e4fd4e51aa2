"""What a table tells about people before anything is masked, as text; no cell of it is shown."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from skdp import _frames, _levels
from skdp._checks import check_columns
from skdp.metrics import (
    SCENARIOS,
    attacker_risks,
    equivalence_classes,
    l_diversity,
    scenario_risks,
    t_closeness,
    uniqueness,
)

IDENTIFIER_WORDS = frozenset(
    "id uuid guid ssn nin nif dni nie curp rfc passport pasaporte passeport reisepass iban account konto cuenta compte "
    "name names surname firstname lastname fullname forename nombre nombres apellido apellidos nom prenom vorname "
    "nachname familienname nome cognome sobrenome user username login customer patient kunde cliente email mail correo "
    "courriel phone telephone telefono telefone telefon tel mobile cell handy fax address street direccion calle "
    "domicilio adresse rue strasse indirizzo endereco url ip plate kennzeichen licence license".split()
)
QUASI_IDENTIFIER_WORDS = frozenset(
    "age edad alter eta idade sex sexo sexe geschlecht sesso gender genero genre zip zipcode postcode postal plz cp "
    "region state province provincia bundesland county city ciudad ville stadt citta cidade town gemeinde municipality "
    "country pais pays land nationality nacionalidad nationalite ethnicity ethnic race religion language idioma "
    "occupation ocupacion profession profesion beruf job trabajo education educacion bildung degree birth born dob "
    "nacimiento naissance geburt geburtsdatum nascita birthday birthdate birthplace marital married civil estado "
    "familienstand household hogar haushalt".split()
)
MIXED = "decimals as text"
SAMPLE = 10_000  # rows that are enough to see what text is
NUMBERING = frozenset("number no nr num numero nummer code key".split())
NEARLY_UNIQUE = 0.95  # distinct values among those that are there
FEW = 20  # distinct values that identify nobody, whatever the column's name; cells of which being unique says nothing
MOST_SUGGESTED = 6  # quasi-identifiers taken where none are given
MOST_KNOWN = 3  # columns at once, of at most
MOST_CHOICES = 12  # quasi-identifiers
IDENTIFIERS = "likely identifiers"
BY_NAME = "likely quasi-identifiers, by name"
BY_VALUES = "likely quasi-identifiers, by their values"
AMOUNTS = "exact amounts that single records out"
_MARKS = {
    IDENTIFIERS: "identifier?",
    BY_NAME: "quasi-identifier?",
    BY_VALUES: "quasi-identifier?",
    AMOUNTS: "exact amount",
}


class Column(NamedTuple):
    """What is told of a column.

    Attributes
    ----------
    name, kind : str
        Its name, and what it holds.
    distinct, missing : int
        Different values, missing ones left out; missing cells.
    alone : float
        The share of the rows, from 0 to 1, whose value no other row has.
    known : int
        Cells that are not missing.
    """

    name: str
    kind: str
    distinct: int
    missing: int
    alone: float
    known: int

    @property
    def uniqueness(self) -> float:
        """Distinct values among those that are there, from 0 to 1."""
        return self.distinct / max(self.known, 1)

    @property
    def is_nearly_unique(self) -> bool:
        """Whether nearly all values differ, of enough of them to mean something."""
        return self.known >= FEW and self.uniqueness >= NEARLY_UNIQUE


def inspection(table: Any, known: Sequence[str] | None = None, sensitive: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of an inspection.

    Parameters
    ----------
    table : dataframe of shape (n_rows, n_columns)
        The table; at least one row.
    known : sequence of str, default=None
        The quasi-identifiers; by default those that are suggested.
    sensitive : sequence of str, default=()
        The columns that nobody should learn.

    Raises
    ------
    ValueError
        If the table has no rows, or a column is not there or both known and sensitive.
    """
    frame = _frames.read(table)
    if not len(frame):
        raise ValueError("The table has no rows; there is nothing to inspect.")
    for name, columns in (("quasi-identifiers", known or ()), ("sensitive", sensitive)):
        check_columns("skdp inspect", name, columns, frame.columns)
    both = [column for column in known or () if column in sensitive]
    if both:
        raise ValueError(f"The column {both[0]!r} cannot be both a quasi-identifier and sensitive.")
    columns = [described(frame, name) for name in frame.columns]
    suggested = suggestions(columns)
    yield f"{_counted(len(frame), 'record')}, {_counted(len(columns), 'column')}"
    yield ""
    yield from _overview(columns, suggested, known, sensitive)
    yield ""
    for title, names in suggested.items():
        yield f"{title}: {', '.join(names) if names else 'none'}"
    chosen = list(known) if known else _taken(suggested, sensitive)
    if not chosen:
        yield ""
        yield "No quasi-identifiers are given or suggest themselves; name them with --quasi-identifiers."
        return
    yield ""
    origin = "given" if known else "suggested, none were given"
    yield f"If others know {', '.join(chosen)} ({origin}):"
    yield from (f"  {line}" for line in _figures(table, chosen, sensitive))


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def suggestions(columns: Sequence[Column]) -> dict[str, list[str]]:
    """Return the columns that look as if they told who somebody is, or help to find out."""
    named = [column.name for column in columns if is_identifier(column)]
    measures = [
        column.name
        for column in columns
        if column.name not in named and column.kind in ("decimal", MIXED) and column.is_nearly_unique
    ]
    quasi = [
        column.name
        for column in columns
        if column.name not in named and (column.distinct > 1 or column.known == 1) and may_be_known(column.name)
    ]
    middling = [
        column.name
        for column in columns
        if column.name not in named + quasi and column.kind in ("text", "category", "date") and _is_middling(column)
    ]
    return {IDENTIFIERS: named, BY_NAME: quasi, BY_VALUES: middling, AMOUNTS: measures}


def is_identifier(column: Column) -> bool:
    """Whether a column looks like a direct identifier: nearly unique, or of a telling name and many values."""
    if column.distinct <= min(FEW, column.known / 2):
        return False
    if column.kind in ("text", "integer", "category") and column.is_nearly_unique:
        return True
    words = [word for word in _spelled_words(column.name) if word not in NUMBERING]
    return column.kind not in ("decimal", MIXED) and bool(words) and words[-1] in IDENTIFIER_WORDS


def _is_middling(column: Column) -> bool:
    return 2 < column.distinct and (column.kind == "date" or column.uniqueness <= 0.5)


def _spelled_words(name: str) -> list[str]:
    """Return the words of a column's name, small and without accents.

    Examples
    --------
    >>> _spelled_words("CustomerID"), _spelled_words("código_postal")
    (['customer', 'id'], ['codigo', 'postal'])
    """
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return re.findall(r"[^\W\d_]+", apart.casefold())


def may_be_known(name: str) -> bool:
    """Whether a column's name says that others may know what it holds of a person.

    Examples
    --------
    >>> may_be_known("HouseholdIncome"), may_be_known("CreditDebt")
    (True, False)
    """
    return not QUASI_IDENTIFIER_WORDS.isdisjoint(_spelled_words(name))


def described(frame: Any, name: str) -> Column:
    """Return what is told of one column."""
    codes, size = _levels.factorise(frame, [name])
    absent = _frames.missing(frame, name)
    counts = np.bincount(codes, minlength=size)
    missing = int(absent.sum())
    kind = "nothing" if missing == len(frame) else _kind(frame, name)
    alone = int((counts == 1).sum()) - (missing == 1)
    return Column(str(name), kind, size - bool(missing), missing, alone / len(frame), len(frame) - missing)


def _kind(frame: Any, name: str) -> str:
    kind = _frames.kind(frame, name)
    if kind == "number":
        return "integer" if frame.schema[name].is_integer() else "decimal"
    if kind == "text":
        texts = _frames.texts(frame.head(SAMPLE), name).drop_null()
        decimals = pc.sum(pc.match_substring_regex(texts, r"^-?\d+[.,]\d+$")).as_py() or 0
        return MIXED if decimals > len(texts) / 2 else kind
    return kind


def _overview(columns, suggested, known, sensitive) -> Iterator[str]:
    """Yield a table of the columns."""
    marks = {name: _MARKS[title] for title, names in suggested.items() for name in names}
    marks |= dict.fromkeys(known or (), "quasi-identifier") | dict.fromkeys(sensitive, "sensitive")
    head = ("column", "holds", "distinct", "missing", "alone", "")
    rows = [
        (one.name, one.kind, f"{one.distinct:,}", f"{one.missing:,}", _percent(one.alone), marks.get(one.name, ""))
        for one in columns
    ]
    widths = [max(map(len, cells)) for cells in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:5], widths[2:5], strict=True)]
        yield "  ".join([*left, *right, row[5]]).rstrip()


def _taken(suggested, sensitive) -> list[str]:
    """Return the quasi-identifiers to take where none are given."""
    names = suggested[BY_NAME] or suggested[BY_VALUES]
    return [name for name in names if name not in sensitive][:MOST_SUGGESTED]


def _figures(table: Any, known: list[str], sensitive: Sequence[str]) -> Iterator[str]:
    sizes = equivalence_classes(table, known).sizes
    risks = attacker_risks(table, known)
    yield f"equivalence classes: {len(sizes):,}; k = {sizes.min():,}; median size {np.median(sizes):,.0f}"
    yield f"records alone: {risks.sample_uniques:,} ({_percent(risks.sample_uniques / len(table))})"
    yield f"records in classes of fewer than 5: {_percent(float(sizes[sizes < 5].sum() / sizes.sum()))}"
    prosecutor = risks.prosecutor
    highest, mean = f"{prosecutor.highest:.3g}", f"{prosecutor.mean:.3g}"
    yield f"risk from one who knows that a person is in the table: highest {highest}, mean {mean}"
    yield f"share of records that one who matches all of them gets right: {_percent(risks.marketer)}"
    for name, risk in scenario_risks(prosecutor.mean).items():
        yield f"mean risk by {name}, made with a probability of {SCENARIOS[name]:.3g}: {risk:.3g}"
    for column in sensitive:
        yield f"{column}: l = {l_diversity(table, known, column)}, t = {t_closeness(table, known, column):.3g}"
    yield from _by_number_known(table, known)


def _by_number_known(table: Any, known: list[str]) -> Iterator[str]:
    if len(known) > MOST_CHOICES:
        yield f"records alone by how many columns are known: not told for more than {MOST_CHOICES}"
        return
    shares = uniqueness(table, known, max_known=MOST_KNOWN)
    for number, (mean, highest) in enumerate(zip(shares.mean, shares.highest, strict=True), 1):
        what = "one of them is known" if number == 1 else f"{number} of them are known"
        yield f"records alone if {what}: {_percent(mean)} on average, {_percent(highest)} at most"


def _percent(share: float) -> str:
    """Return a share in percent; neither 0 nor 100 unless it is that."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")
