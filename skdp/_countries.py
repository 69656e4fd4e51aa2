"""From the name or code of a country to a Faker locale, by way of CLDR's names (Babel); no hand-made table."""

import unicodedata
from collections.abc import Collection, Iterator
from functools import cache


def country_locale(country: str | None, available: Collection[str]) -> str | None:
    """Return the locale among `available` that is spoken in `country`, or None where there is none.

    Parameters
    ----------
    country : str or None
        A name in English ("RUSSIA", "Korea, South") or in another of CLDR's larger languages ("México"), an ISO 3166
        code of two or three letters, or a locale of `available` itself.
    available : collection of str
        Locales such as ``"es_MX"``.

    Returns
    -------
    locale : str or None
        Where a country has several, the locale of the first of its official languages.

    Examples
    --------
    >>> country_locale("RUSSIA", ["en_US", "ru_RU"]), country_locale("Korea, South", ["ko_KR"])
    ('ru_RU', 'ko_KR')
    >>> country_locale("CHE", ["fr_CH", "de_CH", "it_CH"])
    'de_CH'
    """
    if country is None or country in available:
        return country
    territory = _territory(country)
    spoken = sorted(locale for locale in available if territory and locale.endswith("_" + territory))
    if not spoken:
        return None
    from babel.languages import get_official_languages

    official = [language.split("_")[0] for language in get_official_languages(territory, de_facto=True)]
    ranks = {language: rank for rank, language in reversed(list(enumerate(official)))}
    return min(spoken, key=lambda locale: ranks.get(locale.split("_")[0], len(ranks)))


def _territory(country: str) -> str | None:
    """Return the two-letter code of a country."""
    from babel import Locale
    from babel.core import get_global

    code = country.strip().upper()
    if code in Locale("en").territories and len(code) == 2:
        return code
    if len(code) in (2, 3) and code in get_global("territory_aliases"):
        return get_global("territory_aliases")[code][0]
    for language in ("en", None):
        names = _names(language)
        for spelling in _spellings(country):
            if spelling in names:
                return names[spelling]
    return None


def _spellings(country: str) -> Iterator[str]:
    """Yield a name, and where it is inverted ("Korea, South") the straight form, then its head alone."""
    yield _folded(country)
    yield _folded(country).removeprefix("the ")
    head, comma, tail = country.partition(",")
    if comma:
        yield _folded(f"{tail} {head}")
        yield _folded(head)


@cache
def _names(language: str | None) -> dict[str, str]:
    """Return folded country names and their codes in `language`, or in all of the world's larger languages."""
    from babel import Locale

    languages = [language] if language else "ar de es fr hi it ja ko nl pl pt ru tr uk zh".split()
    names: dict[str, str] = {}
    for one in languages:
        for code, name in Locale(one).territories.items():
            if len(code) == 2 and code.isalpha():
                head, bracket, alias = name.partition("(")
                for spelling in (name, head, alias.rstrip(")")) if bracket else (name,):
                    names.setdefault(_folded(spelling), code)
    return names


def _folded(name: str) -> str:
    """Return a name without case, accents, punctuation and doubled blanks."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("&", " and "))
    kept = "".join(c if c.isalnum() else " " * (c.isspace() or c == "-") for c in plain if not unicodedata.combining(c))
    return " ".join(kept.split())
