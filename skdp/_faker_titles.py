r"""Person titles, read from Faker's own locales, and a column of names without them.

Faker's person providers list what may stand before and behind a name (``prefixes_male``, ``suffixes``, …) and, in
their formats, where it stands. Both are read, once and only when a name is to be cleaned, from
``faker.providers.person.*`` alone (0.06 s; all of Faker takes several times as long).

A title is a whole word. Three kinds need more care:

* *Ambiguous* ones are also somebody's name in one of Faker's lists (`Don`, `Bishop`, `Prince`, `Anh`, `MA`). They go
  only where two words remain: ``Don Juan Pérez`` becomes ``Juan Pérez``, ``Don Smith`` stays.
* *Initials* (`R.`, `S.E.`, `V`) look like an abbreviated name. They go only where two words remain that are none.
* *Glued* ones are written without a blank (Thai in front, Hindi behind). They go unless the word is a known name.
"""

import pkgutil
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import pyarrow as pa
import pyarrow.compute as pc

from skdp._arrays import rewritten

# Common forms that Faker's lists lack, next to relatives that they have
_UNLISTED_FRONT = (
    "Mtra.", "Profa.", "Profra.", "Profr.", "Dott.ssa", "Prof.ssa", "Dr. h.c.", "Dr. h. c.", "Dr. med.",
    "Dr. rer. nat.", "Dr. phil.", "Dr. jur.", "Dr. iur.", "Dr.-Ing.", "Arq.", "Sir", "Capt.", "Col.", "Lt.", "Sgt.",
)  # fmt: skip
_UNLISTED_BEHIND = ("Esq.",)
_UNLISTED_NAMES = frozenset({"am", "ba", "di", "ma"})  # Jack Ma is no Master of Arts

_TITLE_LIST = re.compile(r"(?:academic_)?(prefix|suffix)es(?:_female|_male|_nonbinary|_neutral)?")
_NAME_LIST = re.compile(r"(?:first|last)_names?(?:_\w+)?")
_ESCAPES = {ord(sign): "\\" + sign for sign in ".()/-+*?"}
_BLANK = r"[\s\p{Z}]"  # \s alone is ASCII in RE2: no-break blanks are \p{Z}


def strip_titles(names: pa.Array) -> pa.Array:
    """Return names without the titles in front and behind; a name that is nothing but titles stays as it is.

    Parameters
    ----------
    names : pyarrow.Array of large_string of shape (n_rows,)
        Names as written; missing values stay missing, a name without a title stays as it is to the last blank.

    Returns
    -------
    names : pyarrow.Array of large_string of shape (n_rows,)
        Names without titles.

    Examples
    --------
    >>> names = ["Dr. Ana Ruiz", "Prof. Dr. Dr. h.c. Müller", "Smith, PhD", "Ingrid Drake", "Dr."]
    >>> strip_titles(pa.array(names, pa.large_string())).to_pylist()
    ['Ana Ruiz', 'Müller', 'Smith', 'Ingrid Drake', 'Dr.']
    """
    if not len(names):
        return names
    patterns = title_patterns()
    titled = pc.fill_null(pc.match_substring_regex(names, patterns.any_title), False)
    if not pc.any(titled).as_py():
        return names
    given = names.filter(titled)
    spaced = pc.utf8_trim_whitespace(pc.replace_substring_regex(given, rf"{_BLANK}+", " "))
    # titles that stand apart first: a shorter glued one may be the beginning of a longer one
    cleaned = _strip_apart(spaced, patterns)
    left = pc.equal(cleaned, spaced)
    if left.true_count:
        glued = _strip_apart(_strip_glued(spaced.filter(left), patterns), patterns)
        cleaned = pc.replace_with_mask(cleaned, left, glued)
    unchanged = pc.or_(pc.equal(cleaned, spaced), pc.match_substring_regex(cleaned, patterns.only_title))
    return pc.replace_with_mask(names, titled, pc.if_else(unchanged, given, cleaned))


def _strip_apart(names: pa.Array, patterns: "_Patterns") -> pa.Array:
    for pattern, replacement, only in patterns.rewrites:
        names = rewritten(names, pattern, replacement, only=only)
    return names


def _strip_glued(names: pa.Array, patterns: "_Patterns") -> pa.Array:
    for pattern, other_words, known in patterns.glued:
        if not pc.any(pc.match_substring_regex(names, pattern)).as_py():
            continue
        word = pc.replace_substring_regex(names, other_words, "")
        stripped = pc.replace_substring_regex(names, pattern, r"\1")
        names = pc.if_else(pc.is_in(word, value_set=known), names, stripped)
    return names


@dataclass(frozen=True)
class Titles:
    """The titles that Faker lists, and which of their spellings are names too.

    Parameters
    ----------
    front, behind : frozenset of str
        Titles that stand apart from the name, in the spellings that are recognised.
    glued_front, glued_behind : frozenset of str
        Titles that are written into the name without a blank.
    ambiguous : frozenset of str
        Spellings that are also a name, or begin (in front) or end (behind) one.
    names : frozenset of str
        Names that begin or end like a glued title.
    """

    front: frozenset[str]
    behind: frozenset[str]
    glued_front: frozenset[str]
    glued_behind: frozenset[str]
    ambiguous: frozenset[str]
    names: frozenset[str]


@cache
def read_titles() -> Titles:
    """Return the titles of all of Faker's locales."""
    listed: dict[str, set[str]] = {"prefix": set(_UNLISTED_FRONT), "suffix": set(_UNLISTED_BEHIND)}
    glued: dict[str, set[str]] = {"prefix": set(), "suffix": set()}
    providers = _providers()
    for provider in providers:
        for place, found, joined in _titles_of(provider):
            (glued if joined else listed)[place].update(found)
    front, behind = (frozenset(_spellings(listed[place])) for place in ("prefix", "suffix"))
    names, first_words, last_words = _names_of(providers)
    apart = {place: tuple(glued[place]) for place in glued}
    return Titles(
        front=front,
        behind=behind,
        glued_front=frozenset(glued["prefix"]),
        glued_behind=frozenset(glued["suffix"]),
        ambiguous=frozenset(
            {title for title in front | glued["prefix"] if title.rstrip(".").casefold() in first_words}
            | {title for title in behind if title.rstrip(".").casefold() in last_words and not _is_initials(title)}
        ),
        names=frozenset(name for name in names if name.startswith(apart["prefix"]) or name.endswith(apart["suffix"])),
    )


def _providers() -> list[type]:
    package = import_module("faker.providers.person")
    locales = [found.name for found in pkgutil.iter_modules(package.__path__)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Faker warns of locales that have been renamed
        modules = [import_module(f"{package.__name__}.{locale}") for locale in locales]
    return [package.Provider, *(module.Provider for module in modules)]


def _lists(provider: type, wanted: re.Pattern) -> Iterator[tuple[str, list[str]]]:
    """Yield the provider's lists of text (tuples, or mappings of text to weight) whose name is `wanted`."""
    for name in dir(provider):
        values = getattr(provider, name) if wanted.fullmatch(name) else None
        if isinstance(values, Iterable) and not isinstance(values, str):
            yield name, [text for value in values for text in ((value,) if isinstance(value, str) else value)]


def _titles_of(provider: type) -> Iterator[tuple[str, list[str], bool]]:
    """Yield place, titles, and whether they are glued to the name; particles (de, du, Le) are no titles.

    Particles are listed as prefixes too, but the provider's formats put them inside the name, never in front.
    """
    formats = [text for _, texts in _lists(provider, re.compile(r"formats\w*")) for text in texts]
    for name, titles in _lists(provider, _TITLE_LIST):
        place = _TITLE_LIST.fullmatch(name).group(1)
        at_end = re.compile(r"\{\{prefix\w*\}\}(.?)" if place == "prefix" else r".*(.)\{\{suffix\w*\}\}$")
        found = [match.group(1) for text in formats if (match := at_end.match(text))]
        if found or not any(f"{{{{{place}" in text for text in formats):
            yield place, titles, "{" in found or "}" in found


def _names_of(providers: list[type]) -> tuple[set[str], set[str], set[str]]:
    """Return all first and last names of the providers, case folded, their first words and their last words."""
    lists = {id(names): names for provider in providers for names in _own_lists(provider)}
    names = {name.casefold() for names in lists.values() for name in names}
    words = [name.split() for name in names if " " in name]
    known = names | _UNLISTED_NAMES
    return names, known | {first for first, *_ in words}, known | {last for *_, last in words}


def _own_lists(provider: type) -> Iterator[list[str]]:
    """Yield the lists of names that a provider does not merely inherit."""
    own = {name for name in vars(provider) if "suffix" not in name}
    yield from (names for name, names in _lists(provider, _NAME_LIST) if name in own)


def _spellings(titles: Iterable[str]) -> Iterator[str]:
    """Yield titles as they are met: in capitals, in small letters, without dots."""
    for title in titles:
        cases = {title}
        if not title.isupper():  # an acronym (DI, MA) in small letters would be a particle or a name
            cases |= {title.upper(), title.lower(), title[:1].upper() + title[1:]}
        yield from cases
        if not _is_initials(title):
            yield from (spelling for case in cases for spelling in (case.rstrip("."), case.replace(".", "")))


def _is_initials(title: str) -> bool:
    return all(len(part) < 2 for part in re.split(r"[.\s]+", title))


@dataclass(frozen=True)
class _Patterns:
    """Regular expressions (RE2) for whole columns; all but `any_title` expect single blanks."""

    any_title: str
    only_title: str
    rewrites: tuple[tuple[str, str, str | None], ...]  # pattern, replacement, and a quick test for what it needs
    glued: tuple[tuple[str, str, pa.Array], ...]


@cache
def title_patterns() -> _Patterns:
    """Return the patterns of all titles; reading them takes 0.2 s, once in a process."""
    titles = read_titles()
    known = pa.array(titles.names, pa.large_string())
    glued_front, glued_behind = _either(titles.glued_front), _either(titles.glued_behind)
    any_front = _either({title.rstrip(".") for title in titles.front})
    any_behind = _either(titles.behind | titles.glued_behind | _dotted_acronyms(titles.behind))
    return _Patterns(
        any_title=(
            rf"^{_BLANK}*(?:[^,]+,{_BLANK}*)?(?:{any_front})(?:\.|{_BLANK})|[,\s\p{{Z}}]\(?(?:{any_behind})\.?\)?{_BLANK}*$"
            rf"|^(?:{glued_front})|(?:{glued_behind})$"
        ),
        only_title=rf"^(?:{_either((titles.front | titles.behind) - titles.ambiguous)})\.?$",
        rewrites=(*_front_rewrites(titles), *_behind_rewrites(titles)),
        glued=(
            (rf"^(?:{glued_front})(\p{{Lo}})", " .*", known),
            # after a virama (U+094D) the sign is half of a conjunct, as in Banerjee
            (rf"([^\x{{94D}} ])(?:{glued_behind})$", ".* ", known),
        ),
    )


def _front_rewrites(titles: Titles) -> tuple[tuple[str, str, str | None], ...]:
    every = titles.front | titles.glued_front
    unsure = {title for title in every if title in titles.ambiguous or _is_initials(title)}
    unsure -= titles.glued_front - titles.ambiguous  # Thai abbreviations are single letters with dots too
    sure = every - unsure
    title = rf"(?:{_either(sure, dotted=' ', plain='[.]? ')})"
    doubtful = rf"(?:{_either(unsure)})\.? "
    run = rf"(?:{_either(sure, dotted=' ?', plain='[.]? ')}|{doubtful})*"
    return (
        (rf"^{run}{title}", "", None),
        (
            rf"^{run}(?:{_either(one for one in sure if one[-1] == '.')})([\p{{Lu}}\p{{Lo}}].*)$",
            r"\1",
            r"\.[\p{Lu}\p{Lo}]",
        ),  # Dr.Smith
        (rf"^([^,]+,) ?{title}+(.+)$", r"\1 \2", ","),  # Smith, Mr. John
        (rf"^(?:{doubtful})+([^ \p{{Ll}}][^ .,][^ ]* .+)$", r"\1", None),  # not before a particle: Bibi van Waas
    )


def _behind_rewrites(titles: Titles) -> tuple[tuple[str, str, str | None], ...]:
    every = titles.behind | titles.glued_behind
    acronyms = _dotted_acronyms(every)
    initials = {title for title in every if _is_initials(title)} - acronyms
    unsure = every & titles.ambiguous | acronyms
    sure = _either(every - unsure - initials)
    apart = "(?: ?, ?| )"
    others = rf"(?:{apart}(?:{_either(every | acronyms)})\.?)*"
    return (
        (rf"{others}{apart}(?:(?:{sure})\.?|\((?:{sure})\.?\)){others}$", "", None),
        (rf"^(.*[^ ,]) ?, ?(?:{_either(unsure)})\.?$", r"\1", None),
        (rf"^([^ ]+ (?:.*[^ ,])) (?:{_either(unsure)})\.?$", r"\1", None),
        (rf"^([^ ,]+ (?:[^,]* )?[^ ,]*[^ ,.]{{2}}){apart}(?:{_either(initials)})$", r"\1", None),
    )


def _dotted_acronyms(titles: Iterable[str]) -> set[str]:
    """Return M.D. for MD, but no dotted numerals."""
    acronyms = (title for title in titles if title.isascii() and title.isalpha() and title.isupper())
    return {".".join(title) + "." for title in acronyms if len(title) in (2, 3) and not set(title) <= set("IVX")}


def _either(titles: Iterable[str], dotted: str = "", plain: str = "") -> str:
    """Return an alternation, the longest first (RE2 takes the first that fits), each with what follows it."""
    ordered = sorted(titles, key=lambda title: (-len(title), title))
    return "|".join(_escaped(title) + (dotted if title[-1] == "." else plain) for title in ordered) or r"[^\s\S]"


@cache
def _escaped(title: str) -> str:
    escaped = title.translate(_ESCAPES)
    return escaped if _is_initials(title) else re.sub(r"(\\\.) ?(?=\w)", r"\1 ?", escaped)  # Ph.D. and Ph. D.
