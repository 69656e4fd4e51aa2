"""Direct identifiers out of a table: person titles, genders guessed from first names, addresses split into parts."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _arrays, _frames
from skdp._addresses import PARTS, UNDELIVERABLE, is_undeliverable, split_addresses
from skdp._checks import check_columns, invalid
from skdp._faker_titles import strip_titles, title_patterns
from skdp.base import PrivacyTransformer, RowDropperMixin

_MALE = frozenset(
    "m h male man boy masc masculine hombre varón varon masculino homme masculin mann männlich uomo maschio homem "
    "мужской муж".split()
)
_FEMALE = frozenset(
    "f w female woman girl fem feminine mujer femenino femenina femme féminin feminin frau weiblich donna femmina "
    "mulher feminino женский жен".split()
)
_UNSTATED = frozenset({"", "-", "?", "u", "n/a", "na", "none", "unknown", "unspecified", "desconocido"})


class PIICleaner(RowDropperMixin, PrivacyTransformer):
    r"""Clean columns of personal data: names without titles, a gender, addresses in parts, no identifiers.

    Parameters
    ----------
    names : str or list of str, default=None
        Columns of person names. Titles in front and behind go (Dr., Sra., Dipl.-Ing., PhD, Jr. and all that Faker's
        locales list); names that merely contain such letters stay. A title that is also a name (`Don`, `Prince`)
        goes only where two words remain, and a name that is nothing but a title stays as it is.
    gender_from : str, default=None
        Column of person names whose first word (the word behind the comma in ``Last, First``) tells the gender, once
        titles are gone. The column itself is cleaned only if `names` lists it.
    gender : str or None, default="gender"
        Column of the gender. Where the table has it, as text, its values are normalised (`M`, `f`, `Male`, `mujer`, …
        become `male` and `female`; a value of another meaning stays as it is, and is never replaced by a guess). With
        `gender_from` its gaps are filled by guesses; it is appended where the table has no such column. None leaves
        the table's own column alone.
    unknown_gender : str, default=None
        Stands where the gender is neither stated nor to be guessed; None makes it missing.
    addresses : str or list of str, default=None
        Columns of addresses, on one line or several. Each is replaced, in its place, by ``<column>_address`` (the
        street), ``_city``, ``_state_province`` and ``_zip`` (text, leading zeros kept). An address that cannot be
        split keeps its text in ``_address`` and misses the rest.
    drop : {"po_box", "military"}, collection of them, or None, default=("po_box", "military")
        Kinds of addresses whose rows go: post-office boxes, and military addresses (APO, FPO, DPO).
    identifiers : str or list of str, default=None
        Columns of direct identifiers to leave out.
    drop_at : {"fit", "always"}, default="fit"
        Whether rows go only when a table is released (`fit_transform`, `fit_resample`), or in `transform` too.
    action : {"drop", "mask"}, default="drop"
        What happens to a row that `drop` finds: the row goes, or its address becomes missing.

    Attributes
    ----------
    names_, addresses_, identifiers_ : list of str
        The columns that the parameters name.
    gender_ : str or None
        The column of the gender, if one is written.
    m_is_female_ : bool
        Whether `M` stands for *mujer*: the gender column held `H` but no `F` at `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns seen by `fit`, if `X` has any.
    n_features_in_ : int
        Number of columns seen by `fit`.

    See Also
    --------
    skdp.OutlierDropper : Leaves out rows with outlying numbers, by the same rule about rows.

    Notes
    -----
    A guessed gender is a statistic of first names, not a fact about a person. Names and addresses that are cleaned
    are still personal data: list them in `identifiers`, or replace them, before a table is shared.

    References
    ----------
    J. Michael, "40000 Namen, Anredebestimmung anhand des Vornamens", c't 17/2007 (the data of gender-guesser).

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp import PIICleaner
    >>> customers = pd.DataFrame({
    ...     "name": ["Dra. Ana Ruiz", "John Smith, PhD", "Mr. Tom Lee"],
    ...     "home": ["Av. Sur 5 Int. 2\nCancún, Q. ROO 07500", "1 Oak St, Ames, ia 50010", "PO Box 7\nAmes, IA 50010"],
    ...     "phone": ["555-0100", "555-0101", "555-0102"],
    ... })
    >>> cleaner = PIICleaner(names="name", gender_from="name", addresses="home", identifiers="phone")
    >>> cleaner.fit_transform(customers).T
                                        0           1
    name                         Ana Ruiz  John Smith
    home_address         Av. Sur 5 Int. 2    1 Oak St
    home_city                      Cancún        Ames
    home_state_province            Q. ROO          IA
    home_zip                        07500       50010
    gender                         female        male
    """

    def __init__(
        self,
        *,
        names=None,
        gender_from=None,
        gender="gender",
        unknown_gender=None,
        addresses=None,
        drop=("po_box", "military"),
        identifiers=None,
        drop_at="fit",
        action="drop",
    ):
        self.names = names
        self.gender_from = gender_from
        self.gender = gender
        self.unknown_gender = unknown_gender
        self.addresses = addresses
        self.drop = drop
        self.identifiers = identifiers
        self.drop_at = drop_at
        self.action = action

    def _fit(self, frame):
        self._check_rows()
        self._check_drop()
        self._check_gender(frame)
        for name in ("names", "addresses", "identifiers"):
            columns = getattr(self, name)
            columns = [] if columns is None else check_columns(self, name, columns, frame.columns)
            setattr(self, f"{name}_", columns)
        self.gender_ = self._written_gender(frame)
        self._check_roles(frame)
        self._check_clashes(frame.columns)
        letters = _letters(frame, self.gender_) if self.gender_ in frame.columns else set()
        self.m_is_female_ = "h" in letters and "f" not in letters
        self._load_lists()

    def _load_lists(self):
        """Read titles and first names, once in a process, so that `transform` is quick from its first row."""
        if self.names_ or self.gender_from is not None:
            title_patterns()
        if self.gender_from is not None:
            _detector()

    def _check_drop(self):
        kinds = [self.drop] if isinstance(self.drop, str) else self.drop
        if kinds is not None and not (
            isinstance(kinds, Iterable) and all(kind in tuple(UNDELIVERABLE) for kind in kinds)
        ):
            raise invalid(self, "drop", self.drop, "None, 'po_box', 'military' or a collection of them")

    def _check_gender(self, frame):
        if self.gender_from is not None:
            if not isinstance(self.gender_from, str):
                raise invalid(self, "gender_from", self.gender_from, "a column name or None")
            check_columns(self, "gender_from", self.gender_from, frame.columns)
        if not isinstance(self.gender, str) and (self.gender is not None or self.gender_from is not None):
            raise invalid(self, "gender", self.gender, "a column name, or None where 'gender_from' is None too")
        if self.unknown_gender is not None and not isinstance(self.unknown_gender, str):
            raise invalid(self, "unknown_gender", self.unknown_gender, "a str or None")

    def _written_gender(self, frame):
        if self.gender_from is not None:
            return self.gender
        present = self.gender in frame.columns and self.gender not in self.identifiers_
        return self.gender if present and _frames.kind(frame, self.gender) in ("text", "category") else None

    def _check_roles(self, frame):
        """Raise where a column has two roles that exclude each other, or holds no text."""
        gender = [self.gender_] if self.gender_from is not None else []
        for name, mine, others in (
            ("identifiers", self.identifiers_, self.addresses_ + gender),
            ("names", self.names_, self.addresses_ + gender),
            ("gender", gender, [*self.addresses_, self.gender_from]),
        ):
            doubled = [column for column in mine if column in others]
            if doubled:
                requirement = f"apart from the columns of the other parameters ({doubled[0]!r} is not)"
                raise invalid(self, name, getattr(self, name), requirement)
        for column in dict.fromkeys([*self.names_, *self.addresses_, self.gender_from, *gender]):
            if column in frame.columns:
                _check_text(frame, column)

    def _check_clashes(self, columns):
        doubled = [column for column, times in Counter(self._columns_out(columns)).items() if times > 1]
        if doubled:
            raise ValueError(
                f"PIICleaner would write a column {doubled[0]!r}, which the table already has; rename that column, or "
                "name it in 'identifiers' to leave it out."
            )

    def _flagged(self, frame):
        if not self.drop:
            return {}
        return {column: is_undeliverable(_frames.texts(frame, column), self.drop) for column in self.addresses_}

    def _transform(self, frame):
        columns = {column: _names_without_titles(frame, column) for column in self.names_}
        written = {column: _in_kind(values) for column, values in columns.items()}
        if self.gender_ is not None:
            written[self.gender_] = self._genders(frame, columns)
        for column in self.addresses_:
            parts = split_addresses(_frames.texts(frame, column))
            written |= {f"{column}_{part}": parts[part] for part in PARTS}
        order = self._columns_out(frame.columns)
        if not written and order == list(frame.columns):
            return frame
        return _frames.assign(frame, {name: written[name] for name in order if name in written}, order=order)

    def _genders(self, frame, cleaned):
        genders = [pa.scalar(self.unknown_gender, pa.large_string())]
        if self.gender_from is not None:
            names = cleaned.get(self.gender_from)
            names = _names_without_titles(frame, self.gender_from) if names is None else names
            genders.insert(0, _by_distinct(_first_names(names), _guessed_gender))
        if self.gender_ in frame.columns:
            stated = _frames.texts(frame, self.gender_)
            genders.insert(0, _by_distinct(stated, lambda text: _normalised_gender(text, self.m_is_female_)))
        return pc.coalesce(*genders) if len(genders) > 1 else genders[0]

    def _columns_out(self, columns):
        out = []
        for column in columns:
            if column in self.addresses_:
                out += [f"{column}_{part}" for part in PARTS]
            elif column not in self.identifiers_:
                out.append(column)
        return out + [self.gender_] * (self.gender_ is not None and self.gender_ not in columns)


def _check_text(frame: Any, column: str) -> None:
    kind = _frames.kind(frame, column)
    if kind in ("number", "boolean", "date") and not _frames.missing(frame, column).all():
        raise ValueError(f"Column {column!r} holds {kind} values where text is needed; name another column.")


def _letters(frame: Any, column: str) -> set[str]:
    return {str(text).strip().rstrip(".").casefold() for text in pc.unique(_frames.texts(frame, column)).to_pylist()}


def _names_without_titles(frame: Any, column: str) -> pa.Array:
    """Return the names of a column without titles; of a categorical one, each category is cleaned once."""
    names = _frames.texts(frame, column)
    if _frames.kind(frame, column) != "category":
        return strip_titles(names)
    encoded = names.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, strip_titles(encoded.dictionary))


def _in_kind(names: pa.Array) -> Any:
    """Return categories for a dictionary: two that became alike are one."""
    if not pa.types.is_dictionary(names.type):
        return names
    merged = names.dictionary.dictionary_encode()
    indices = merged.indices.take(names.indices)
    codes = pc.fill_null(indices, -1).to_numpy(zero_copy_only=False)
    return _arrays.Categories(codes.astype(np.int32), tuple(merged.dictionary.to_pylist()), ordered=False)


def _first_names(names: pa.Array) -> pa.Array:
    """Return the first word of each name; of ``Last, First``, the first behind the comma."""
    if pa.types.is_dictionary(names.type):
        return pa.DictionaryArray.from_arrays(names.indices, _first_names(names.dictionary))
    with_comma = pc.fill_null(pc.match_substring(names, ","), False)
    given = pc.replace_substring_regex(names.filter(with_comma), r"^[^,]*,", "")
    trimmed = pc.utf8_trim_whitespace(pc.replace_with_mask(names, with_comma, given))
    return pc.utf8_trim(pc.list_element(pc.utf8_split_whitespace(trimmed, max_splits=1), 0), ".,")


def _by_distinct(texts: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """Return `function` of each text, called once for each distinct one."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    results = [None if text is None else function(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(results, pa.large_string()).take(encoded.indices)


def _normalised_gender(text: str, m_is_female: bool) -> str | None:
    word = text.strip().rstrip(".").casefold()
    if word in _UNSTATED:
        return None
    if word in _FEMALE or (m_is_female and word == "m"):
        return "female"
    return "male" if word in _MALE else text


def _guessed_gender(first_name: str) -> str | None:
    guess = _detector().get_gender(first_name).removeprefix("mostly_")
    return guess if guess in ("male", "female") else None


@cache
def _detector() -> Any:
    """Return a detector of all its 45,000 names; reading them takes 0.05 s that most users need not spend."""
    from gender_guesser.detector import Detector

    class PlainlyRead(Detector):
        """Reads its file by `open`: `codecs.open` takes twice as long and is deprecated from Python 3.14."""

        def _parse(self, filename):
            self.names = {}
            with open(filename, encoding="utf-8") as file:
                for line in file:
                    self._eat_name_line(line.strip())

    return PlainlyRead(case_sensitive=False)
