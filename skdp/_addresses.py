r"""The grammar of US and Mexican addresses, for whole columns: their parts, and those no courier delivers to.

Every form is a regular expression (RE2) run by Arrow on the whole column: first as a mere test, which is cheap, then,
on the rows that pass, to take the parts. The form that Faker writes needs no backtracking; the others are slower.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skdp._arrays import rewritten

PARTS = ("address", "city", "state_province", "zip")

_US_STATES = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
    "OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI FM MH PW AA AE AP"
).split()
_MEXICAN_STATES = [
    *"AGS AGU BC BCN BCS CAMP CAM COAH COA COL CHIS CHP CHIH CHH DF CDMX CMX DGO DUR GTO GUA GRO HGO HID JAL".split(),
    *"MEX EDOMEX MICH MIC MOR NAY NL NLE OAX PUE QRO QUE QROO ROO SLP SIN SON TAB TAMPS TAM TLAX TLA VER YUC".split(),
    *("ZAC", "Q. ROO", "Q.ROO", "Q ROO", "Q.R.", "N.L.", "N. L.", "S.L.P.", "S. L. P.", "B.C.", "B. C.", "B.C.S."),
    *("B. C. S.", "D.F.", "D. F.", "EDO. MEX", "EDO. DE MEX"),
]
_MEXICAN_NAMES = (
    "Aguascalientes|Baja California(?: Sur)?|Campeche|Chiapas|Chihuahua|Ciudad de M[eé]xico|Coahuila(?: de Zaragoza)?|"
    "Colima|Distrito Federal|Durango|Guanajuato|Guerrero|Hidalgo|Jalisco|(?:Estado de |Edo\\. de )?M[eé]xico|"
    "Michoac[aá]n(?: de Ocampo)?|Morelos|Nayarit|Nuevo Le[oó]n|Oaxaca|Puebla|Quer[eé]taro|Quintana Roo|"
    "San Luis Potos[ií]|Sinaloa|Sonora|Tabasco|Tamaulipas|Tlaxcala|Veracruz(?: de Ignacio de la Llave)?|Yucat[aá]n|"
    "Zacatecas"
)
_US_NAMES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|District of Columbia|Florida|Georgia|"
    "Guam|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|"
    "Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|"
    "North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Puerto Rico|Rhode Island|South Carolina|"
    "South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming"
)
_CODES = tuple(_US_STATES + _MEXICAN_STATES)


def _either(words: Any) -> str:
    return "|".join(word.replace(".", r"\.") for word in sorted(words, key=len, reverse=True))


_ZIP = r"(?P<zip>\d{5}(?:-\d{4})?)"
_STREET = r"(?P<address>.*[^ ,\n])[ ,]*[,\n][ ,]*"
_CITY = r"(?P<city>[^,\n\d]*[^,\n\d ])"
_POSTCODE_WORD = r"(?:[Cc]\.? ?[Pp]\.? ?)?"
_COUNTRY = (
    r"(?:U\.? ?S\.? ?A?\.?|United States(?: of America)?|(?i:M[eé]xico)|MX|E\.?E\.? ?U\.?U\.?(?: ?A\.?)?"
    r"|Estados Unidos(?: Mexicanos| de Am[eé]rica)?)"
)
# What Faker writes: street, line end, city, state, zip. Each sign decides by itself and there are four groups, so that
# RE2 takes its fast road ("one-pass"): hence ROO together with the blank before the zip
_TWO_LINES = (
    r"^(?P<address>[^\s,][^\r\n]*)\n(?P<city>[^\s,\d][^,\n\d]*), (?P<state_province>[^\s,\d]+ (?:ROO )?)"
    r"(?P<zip>\d{5}(?:-\d{4})?)$"
)
_OTHER_FORMS = (
    # the state is a known code, in any case behind a comma, in capitals behind a blank
    rf"(?s)^{_STREET}{_CITY}(?: ?, ?(?P<state_province>(?i:{_either(_CODES)})\.?)"
    rf"|[ \n](?P<state_capitals>{_either(_CODES)})\.?) ?,?[ \n]?{_POSTCODE_WORD}{_ZIP}$",
    # the state is spelled out, or a country stands before the zip; C.P. is no state
    rf"(?s)^{_STREET}{_CITY} ?, ?"
    rf"(?P<state_province>(?i:{_MEXICAN_NAMES}|{_US_NAMES}|{_either(_CODES)}|[ABD-Z]\. ?[A-Z]|C\. ?[A-OQ-Z])\.?)"
    rf"(?:[ ,\n]+{_COUNTRY})?[ ,\n]*{_POSTCODE_WORD}{_ZIP}$",
    # Mexican: the zip stands before the city
    rf"(?s)^{_STREET}{_POSTCODE_WORD}{_ZIP} ?,? {_CITY} ?[,\n] ?"
    rf"(?P<state_province>(?i:{_either(_MEXICAN_STATES)}|{_MEXICAN_NAMES})\.?)(?:[,\n] ?{_COUNTRY})?$",
)
_COUNTRY_BEHIND_ZIP = rf"(\d{{5}}(?:-\d{{4}})?)[ ,\n]+{_COUNTRY}$"

# A word begins behind, and ends before, anything that is neither a letter nor a digit
_START, _END = r"(?:^|[^\p{L}\p{N}])", r"(?:[^\p{L}]|$)"
_BLANK, _APART, _GAP = r"[\s\p{Z}]", r"[\s\p{Z},]+", r"[\s\p{Z}.,#°º-]*"
UNDELIVERABLE = {
    "po_box": (
        rf"(?i:{_START}(?:P{_GAP}[O0]{_GAP}Box|P\.?O\.?B\.?{_BLANK}*(?:#{_BLANK}*)?\d|Post(?:al)?{_BLANK}+Office"
        rf"{_BLANK}+Box|Apartado{_BLANK}+(?:Postal|de{_BLANK}+Correos)|Apdo(?:\.|{_BLANK}+(?:Postal|\d)))"
        rf"{_END}|(?:^|[,\n]){_BLANK}*Apartado{_BLANK}+\d)"
    ),
    "military": (
        rf"(?i:{_START}[AFD]\.?P\.?O\.?{_APART}A\.?[AEP]\.?{_END}"
        rf"|{_APART}A[AEP]{_APART}\d{{5}}(?:-\d{{4}})?(?:{_APART}(?:USA?|U\.S\.(?:A\.)?|United States.*))?{_BLANK}*$"
        rf"|{_START}(?:PSC|Unit|CMR){_GAP}\d+{_GAP}Box{_GAP}\d)"
        rf"|{_START}[AFD]\.?P\.?O\.?{_APART}\d{{5}}"  # no state: a town called Apo is not written in capitals
    ),
}
# What any of these holds, and few other addresses: a test that is quick because it is short
_SUSPICIOUS = r"(?i:box|apdo|apartado|p\.?o\.?b|[afd]\.?p\.?o|[\s\p{Z},]a[aep][\s\p{Z},])"


def is_undeliverable(addresses: Any, kinds: Any = ("po_box", "military")) -> np.ndarray:
    r"""Return which addresses are a post-office box or a military address.

    Parameters
    ----------
    addresses : pyarrow.Array, pyarrow.ChunkedArray or series of str of shape (n_rows,)
        Addresses, on one line or on several; a missing one is not flagged.
    kinds : {"po_box", "military"} or collection of them, default=("po_box", "military")
        What is looked for: post-office boxes (P.O. Box, Apartado Postal, Apdo. Postal), military addresses (APO, FPO,
        DPO; PSC, Unit or CMR with a Box; the states AA, AE and AP before a zip).

    Returns
    -------
    flags : ndarray of bool of shape (n_rows,)
        True for an undeliverable address.

    Examples
    --------
    >>> import pyarrow as pa
    >>> is_undeliverable(pa.array(["P.O. Box 12, Ames, IA 50010", "12 Boxwood Rd", "PSC 3, Box 4\nAPO AP 96201"]))
    array([ True, False,  True])
    """
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    values = _text_array(addresses)
    if not kinds or not len(values):
        return np.zeros(len(values), dtype=bool)
    if pa.types.is_dictionary(values.type):
        flags = is_undeliverable(values.dictionary, kinds)
        return pc.fill_null(pa.array(flags).take(values.indices), False).to_numpy(zero_copy_only=False)
    flags = pc.fill_null(pc.match_substring_regex(values, _SUSPICIOUS), False).to_numpy(zero_copy_only=False)
    suspects = values.take(pa.array(np.flatnonzero(flags)))
    found = pc.match_substring_regex(suspects, "|".join(UNDELIVERABLE[kind] for kind in kinds))
    flags = np.array(flags)
    flags[flags] = found.to_numpy(zero_copy_only=False)
    return flags


def _text_array(values: Any) -> pa.Array:
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        values = values.to_arrow() if hasattr(values, "to_arrow") else pa.array(values, from_pandas=True)
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return values.cast(pa.large_string()) if pa.types.is_null(values.type) else values


def split_addresses(addresses: pa.Array) -> dict[str, pa.Array]:
    r"""Return the parts of each address: street, city, state or province, zip.

    Parameters
    ----------
    addresses : pyarrow.Array of large_string of shape (n_rows,)
        Addresses, on one line or on several.

    Returns
    -------
    parts : dict of str to pyarrow.Array of large_string of shape (n_rows,)
        ``address``, ``city``, ``state_province`` (a code in capitals) and ``zip`` (digits, leading zeros kept). An
        address that fits no form keeps its whole text in ``address`` and misses the rest. A country is left out.

    Examples
    --------
    >>> address = "Corredor Díaz 38 Edif. 04 , Depto. 1\nSan Juana, Q. ROO 01146"
    >>> parts = split_addresses(pa.array([address], pa.large_string()))
    >>> [parts[part][0].as_py() for part in PARTS]
    ['Corredor Díaz 38 Edif. 04 , Depto. 1', 'San Juana', 'Q. ROO', '01146']
    """
    absent = pa.nulls(len(addresses), pa.large_string())
    parts = dict.fromkeys(PARTS, absent) | {"address": addresses}
    parts, waiting = _fill_parts(parts, addresses, pc.is_valid(addresses), _TWO_LINES)
    if not pc.any(waiting).as_py():
        return parts
    texts = pc.replace_with_mask(absent, waiting, _tidied(addresses.filter(waiting)))
    for form in _OTHER_FORMS:
        parts, waiting = _fill_parts(parts, texts, waiting, form)
    return parts


def _fill_parts(parts: dict, texts: pa.Array, waiting: pa.Array, form: str) -> tuple[dict, pa.Array]:
    """Return the parts with those of the addresses that fit the form, and which addresses still wait for one."""
    fits = pc.and_(waiting, pc.fill_null(pc.match_substring_regex(texts, form), False))
    if not pc.any(fits).as_py():
        return parts, waiting
    found = _parts_of(texts.filter(fits), form)
    return {part: pc.replace_with_mask(parts[part], fits, found[part]) for part in PARTS}, pc.and_not(waiting, fits)


def _tidied(addresses: pa.Array) -> pa.Array:
    """Return addresses with single blanks, plain line ends and no country behind the zip."""
    texts = rewritten(addresses, r"[\t\r\f\v\p{Z}]*\r?\n[\s\p{Z}]*", "\n", only=r"[\t\r]|[\p{Z}\n]\n|\n\p{Z}")
    texts = rewritten(texts, r"[\t\r\f\v\p{Z}]+", " ", only=r"[\t\r\f\v\x{80}-\x{10FFFF}]|\p{Z}\p{Z}")
    return rewritten(pc.utf8_trim(texts, " ,\n"), _COUNTRY_BEHIND_ZIP, r"\1")


def _parts_of(texts: pa.Array, form: str) -> dict[str, pa.Array]:
    found = pc.extract_regex(texts, form)
    parts = {field.name: pc.struct_field(found, field.name) for field in found.type}
    if "state_capitals" in parts:
        state = parts["state_province"]
        parts["state_province"] = pc.if_else(pc.equal(state, ""), parts["state_capitals"], state)
    states = parts["state_province"].dictionary_encode()
    trimmed = {part: pc.utf8_trim(parts[part], " ,") for part in ("address", "city")} | {"zip": parts["zip"]}
    return trimmed | {"state_province": _state_codes(states.dictionary).take(states.indices)}


def _state_codes(states: pa.Array) -> pa.Array:
    """Return known codes in capitals and without needless dots, other states as they are."""
    states = pc.utf8_trim(states, " ,")
    code = pc.utf8_upper(states)
    bare = pc.replace_substring(code, ".", "")
    known = pa.array(_CODES, pa.large_string())
    return pc.if_else(pc.is_in(code, known), code, pc.if_else(pc.is_in(bare, known), bare, states))
