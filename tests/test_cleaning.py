"""PIICleaner: titles, genders, addresses, identifiers, and the rule about rows."""

import pickle
import pkgutil
import subprocess
import sys
import warnings

import faker
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from faker.providers import person
from gender_guesser.detector import Detector
from pandas.testing import assert_frame_equal
from sklearn.base import clone

from skdp._addresses import PARTS, split_addresses
from skdp._faker_titles import read_titles, strip_titles
from skdp.cleaning import PIICleaner, is_undeliverable

LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
LOCALES = [found.name for found in pkgutil.iter_modules(person.__path__) if found.name != "fr_QC"]  # now fr_CA


@pytest.fixture(params=LIBRARIES)
def frame(request):
    return LIBRARIES[request.param]


def text(values):
    return pa.array(values, pa.large_string())


def column(table, name):
    """A column as a list, missing values as None."""
    return [None if value is None or value != value else value for value in table[name].to_list()]


def stripped(name):
    return strip_titles(text([name]))[0].as_py()


def parts(address):
    return tuple(values[0].as_py() for values in split_addresses(text([address])).values())


# Titles


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((f"{title} Ana Ruiz", "Ana Ruiz") for title in (
            "Dr.", "Dra.", "Ing.", "Lic.", "Mtro.", "Mtra.", "Sr.", "Sra.", "Srta.", "Sr(a).", "Dr(a).", "Mr.", "Mrs.",
            "Ms.", "Miss", "Mx.", "Prof.", "Dipl.-Ing.", "Dipl.-Ing. (FH)", "Frau", "Sig.ra", "Dott.ssa", "Mr", "Dra",
            "DR.", "dr.", "sra", "Prof. Dr.", "Prof. Dr. Dr. h.c.", "Prof.Dr.", "Dr. med. univ.", "Univ.Prof.",
        )),
        *((f"Ana Ruiz{title}", "Ana Ruiz") for title in (
            " PhD", " Ph.D.", " Ph. D.", ", PhD", " MD", ", M.D.", " Jr.", " Jr", ", Jr.", " Sr.", " II", " III", " V",
            " B.Sc.", " MBA.", ", MD, PhD", " Jr., MD", " (PhD)", ", Esq.", " CSc.", ", S.Kom",
        )),
        ("Smith III", "Smith"),
        ("Smith, PhD", "Smith"),
        ("Dr.Smith", "Smith"),
        ("Mr Smith", "Smith"),
        ("Dr. Ana Ruiz, PhD", "Ana Ruiz"),
        ("Braund, Mr. Owen Harris", "Braund, Owen Harris"),
        ("  Dr.\u00a0 Ana\u00a0Ruiz ", "Ana Ruiz"),
        ("г-н Иванов Иван", "Иванов Иван"),
        ("นายสมชาย ใจดี", "สมชาย ใจดี"),
        ("น.ส. สมหญิง ใจดี", "สมหญิง ใจดี"),
        ("राम शर्माजी", "राम शर्मा"),
    ],
)  # fmt: skip
def test_titles_in_front_and_behind_go(name, expected):
    assert stripped(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "Drake Bell", "Missy Elliott", "Ingrid Dreher", "Luigi Profumo", "Licinia Mistry", "Srinivas Rao", "Md. Rahman",
        "MD Rahman", "Maria Phd-Lopez", "Jack Ma", "JACK MA", "de la Cruz Ana", "Le Roy", "di Stefano Alfredo",
        "Ivanov I.I.", "Ivanov M.D.", "H. G. Wells", "R. Kelly", "John V", "Smith, V", "李小龙", "김철수",
        "Владимир Путин", "José Ñandú", "Zoë  O'Drury", "राम बनर्जी", "राम मुखर्जी", "राम काजी", "Smith, John", "", "  ",
    ],
)  # fmt: skip
def test_names_that_merely_contain_such_letters_stay(name):
    assert stripped(name) == name


@pytest.mark.parametrize(
    "name", ["Don Smith", "Prince Rogers", "Lady Gaga", "Bishop Briggs", "Bibi van Waas", "Anh Nguyễn"]
)
def test_a_title_that_is_also_a_name_stays_before_a_single_surname(name):
    assert stripped(name) == name


def test_a_title_that_is_also_a_name_goes_before_two_words():
    assert [stripped(name) for name in ("Don Juan Pérez", "Dr. Don Smith")] == ["Juan Pérez", "Don Smith"]


@pytest.mark.parametrize("name", ["Dr.", "Dr", "Sr(a).", "PhD", "Dr. Prof.", "Mr. PhD", "Miss "])
def test_a_name_that_is_only_titles_stays(name):
    assert stripped(name) == name


def test_missing_names_stay_missing():
    assert strip_titles(text([None, "Dr. Ana", None])).to_pylist() == [None, "Ana", None]
    assert strip_titles(text([])).to_pylist() == []


@pytest.fixture(scope="module")
def people():
    """For each locale of Faker: its provider's titles, 250 pairs of first and last name, 250 names."""

    def drawn(locale):
        generator = faker.Faker(locale, providers=["faker.providers.person"])  # all of them take 40 ms a locale
        generator.seed_instance(20)
        pairs = [f"{generator.first_name()} {generator.last_name()}" for _ in range(250)]
        return pairs, [generator.name() for _ in range(250)]

    return {locale: drawn(locale) for locale in LOCALES}


def test_names_of_every_locale_of_faker_without_titles_stay(people):
    # a last name such as Koch II (de_DE) holds a title itself
    numeral = (" II", " III", " Jr.")
    changed = {}
    for locale, (pairs, _) in people.items():
        pairs = [pair for pair in pairs if not pair.endswith(numeral)]
        cleaned = strip_titles(text(pairs)).to_pylist()
        changed[locale] = sum(before != after for before, after in zip(pairs, cleaned, strict=True))
    # a few pairs in 20,000 are one ambiguous title before two words: Don Mac Dhiarmada
    assert sum(changed.values()) <= 0.001 * 250 * len(changed)
    assert max(changed.values()) <= 1


def test_names_of_every_locale_of_faker_lose_their_titles(people):
    titles = read_titles()
    front = tuple(f"{title} " for title in titles.front - titles.ambiguous)
    behind = tuple(f" {title}" for title in titles.behind - titles.ambiguous)
    for locale, (pairs, names) in people.items():
        cleaned = strip_titles(text(names)).to_pylist()
        left = [name for name in cleaned if name.startswith(front) or name.endswith(behind)]
        assert [name for name in left if name not in pairs] == [], locale


def test_titles_are_read_from_faker_and_particles_are_none():
    titles = read_titles()
    assert {"Dr.", "Sr(a).", "Mtro.", "Dipl.-Ing. (FH)", "Alhaji", "Проф.", "الدكتور"} <= titles.front
    assert {"PhD", "Jr.", "CSc.", "S.Kom"} <= titles.behind
    assert not {"de", "del", "du", "Le"} & titles.front


def test_importing_the_module_imports_neither_faker_nor_gender_guesser():
    code = "import sys, skdp.cleaning; sys.exit('gender_guesser' in sys.modules or 'faker.providers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_are_cleaned_in_place_and_other_columns_stay(frame):
    table = frame(
        {"id": [3, 1], "name": ["Dr. Ana Ruiz", None], "note": ["Dr. No", "Mr. X"], "boss": ["Ing. Li", "Bo"]}
    )
    out = PIICleaner(names=["name", "boss"]).fit_transform(table)
    assert list(out.columns) == ["id", "name", "note", "boss"]
    assert column(out, "name") == ["Ana Ruiz", None]
    assert column(out, "boss") == ["Li", "Bo"]
    assert column(out, "id") == [3, 1] and column(out, "note") == ["Dr. No", "Mr. X"]


@pytest.mark.parametrize(
    "dtype", ["str", "object", "string", "category", pd.ArrowDtype(pa.string()), "string[pyarrow]"]
)
def test_every_pandas_dtype_of_text_is_cleaned(dtype):
    table = pd.DataFrame({"name": ["Dr. Ana Ruiz", None, "Ana Ruiz", ""]}, index=[7, 3, 5, 1]).astype({"name": dtype})
    out = PIICleaner(names="name", gender_from="name").fit_transform(table)
    assert column(out.astype(object), "name") == ["Ana Ruiz", None, "Ana Ruiz", ""]
    assert column(out, "gender") == ["female", None, "female", None]
    assert list(out.index) == [7, 3, 5, 1]
    assert (out["name"].dtype == "category") == (dtype == "category")


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["Dr. Ana Ruiz", "Ana Ruiz", "Bo"])])
def test_every_polars_dtype_of_text_is_cleaned(dtype):
    table = pl.DataFrame({"name": pl.Series(["Dr. Ana Ruiz", None, "Ana Ruiz"], dtype=dtype)})
    out = PIICleaner(names="name", gender_from="name").fit_transform(table)
    assert isinstance(out, pl.DataFrame)
    assert out["name"].cast(pl.String).to_list() == ["Ana Ruiz", None, "Ana Ruiz"]
    assert out["gender"].to_list() == ["female", None, "female"]


def test_an_array_of_objects_has_columns_x0_x1():
    table = np.array([["Dr. Ana Ruiz", 3], [None, 4]], dtype=object)
    cleaner = PIICleaner(names=["x0"], gender_from="x0")
    out = cleaner.fit_transform(table)
    assert isinstance(out, np.ndarray)
    assert out[0].tolist() == ["Ana Ruiz", 3, "female"]
    assert list(cleaner.get_feature_names_out()) == ["x0", "x1", "gender"]


def test_numbers_in_a_column_of_names_are_an_error_that_shows_no_cell(frame):
    with pytest.raises(ValueError, match="Column 'age' holds number values where text is needed") as caught:
        PIICleaner(names="age").fit(frame({"age": [41.5, 77.25]}))
    assert "41.5" not in str(caught.value)


def test_a_column_of_gaps_only_is_no_error():
    out = PIICleaner(names="name", gender_from="name", addresses="home").fit_transform(
        pd.DataFrame({"name": [np.nan, np.nan], "home": [np.nan, np.nan]})
    )
    assert out.isna().all(axis=None)


# Gender


def test_the_gender_is_guessed_from_the_first_name_once_titles_went(frame):
    names = ["Dr. Ana Ruiz", "Mr. John Smith", "Smith, Mrs. Mary Ann", "JUAN PÉREZ", "Xqzt Jones", None, "", "Dr."]
    out = PIICleaner(gender_from="name").fit_transform(frame({"name": names}))
    assert list(out.columns) == ["name", "gender"]
    assert column(out, "gender") == ["female", "male", "female", "male", None, None, None, None]
    assert column(out, "name") == names


def test_mostly_male_is_male_and_mostly_female_is_female():
    detector = Detector(case_sensitive=False)
    names = {detector.get_gender(name): name for name in sorted(detector.names) if name.isalpha()}
    assert set(names) == {"male", "mostly_male", "female", "mostly_female", "andy"}
    guesses = {name: guess for guess, name in names.items()}
    out = PIICleaner(gender_from="name", unknown_gender="x").fit_transform(pd.DataFrame({"name": list(guesses)}))
    for guess, gender in zip(guesses.values(), out["gender"], strict=True):
        assert gender == {"mostly_male": "male", "mostly_female": "female", "andy": "x"}.get(guess, guess)


def test_andy_and_unknown_become_unknown_gender(frame):
    out = PIICleaner(gender_from="name", unknown_gender="unknown").fit_transform(frame({"name": ["Xqzt", None, "Ana"]}))
    assert column(out, "gender") == ["unknown", "unknown", "female"]


def test_an_existing_gender_column_is_normalised_in_place(frame):
    table = frame({"sex": ["M", "f", "Male", "mujer", " FEMALE ", "hombre", "F.", None], "n": range(8)})
    out = PIICleaner(gender="sex").fit_transform(table)
    assert list(out.columns) == ["sex", "n"]
    assert column(out, "sex") == ["male", "female", "male", "female", "female", "male", "female", None]


def test_only_gaps_of_an_existing_gender_column_are_guessed(frame):
    table = frame({"gender": ["F", None, "unknown", "non-binary", "m"], "name": ["John", "Ana", "John", "Ana", "Xq"]})
    out = PIICleaner(gender_from="name").fit_transform(table)
    assert list(out.columns) == ["gender", "name"]
    assert column(out, "gender") == ["female", "female", "male", "non-binary", "male"]


def test_m_is_mujer_where_the_column_holds_h_and_no_f(frame):
    cleaner = PIICleaner(gender="sexo").fit(frame({"sexo": ["H", "M", "M"]}))
    assert column(cleaner.transform(frame({"sexo": ["M", "H"]})), "sexo") == ["female", "male"]


def test_a_gender_column_of_numbers_stays_unless_it_is_to_be_written(frame):
    table = frame({"gender": [1, 2], "name": ["Ana", "John"]})
    assert column(PIICleaner(names="name").fit_transform(table), "gender") == [1, 2]
    with pytest.raises(ValueError, match="Column 'gender' holds number values"):
        PIICleaner(gender_from="name").fit(table)


def test_gender_none_leaves_the_column_alone(frame):
    assert column(PIICleaner(gender=None).fit_transform(frame({"gender": ["M", "f"]})), "gender") == ["M", "f"]


# Addresses


@pytest.mark.parametrize("locale", ["en_US", "es_MX"])
def test_addresses_of_faker_split_exactly(locale):
    generator = faker.Faker(locale)
    generator.seed_instance(4)
    addresses = [generator.address() for _ in range(3000)]
    found = {part: values.to_pylist() for part, values in split_addresses(text(addresses)).items()}
    for address, *split in zip(addresses, *found.values(), strict=True):
        street, last_line = address.split("\n")
        place, zip_code = last_line.rsplit(" ", 1)
        city, state = place.split(", ") if ", " in place else place.split(" ")
        assert split == [street, city, state, zip_code]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Eje vial Díaz 038 Edif. 456 , Depto. 789\nSan Ana los altos, Q. ROO 01234-5678",
         ("Eje vial Díaz 038 Edif. 456 , Depto. 789", "San Ana los altos", "Q. ROO", "01234-5678")),
        ("Calle Haití 020 Interior 999\nVieja Cuba, NL 00700",
         ("Calle Haití 020 Interior 999", "Vieja Cuba", "NL", "00700")),
        ("123 Main St, Springfield, IL 62704", ("123 Main St", "Springfield", "IL", "62704")),
        ("123 Main St, Apt 4, Springfield, IL 62704", ("123 Main St, Apt 4", "Springfield", "IL", "62704")),
        ("123 Main St, Springfield, IL 62704, USA", ("123 Main St", "Springfield", "IL", "62704")),
        ("1 A St\nBoston, MA 02101-0001\nUnited States", ("1 A St", "Boston", "MA", "02101-0001")),
        ("123 Main St\r\nSpringfield, IL 62704\r\n", ("123 Main St", "Springfield", "IL", "62704")),
        ("  123  Main St \n Springfield ,  IL   62704 ", ("123 Main St", "Springfield", "IL", "62704")),
        ("123 Main St,\nLos\u00a0Angeles, CA\u00a090001", ("123 Main St", "Los Angeles", "CA", "90001")),
        ("123 Main St, Springfield, il 62704", ("123 Main St", "Springfield", "IL", "62704")),
        ("123 Main St, Springfield IL 62704", ("123 Main St", "Springfield", "IL", "62704")),
        ("Acme Inc.\n123 Main St, Springfield IL 62704", ("Acme Inc.\n123 Main St", "Springfield", "IL", "62704")),
        ("1 Elm St, New York, New York 10001", ("1 Elm St", "New York", "New York", "10001")),
        ("1 Elm St, Washington, D.C. 20001", ("1 Elm St", "Washington", "DC", "20001")),
        ("Calle 5, Col. Sur, Morelia, Mich., C.P. 58000", ("Calle 5, Col. Sur", "Morelia", "MICH", "58000")),
        ("Av. Juárez 10, Col. Centro, 06000 Ciudad de México, CDMX, México",
         ("Av. Juárez 10, Col. Centro", "Ciudad de México", "CDMX", "06000")),
        ("PSC 12, Box 34\nAPO AP 96201", ("PSC 12, Box 34", "APO", "AP", "96201")),
    ],
)  # fmt: skip
def test_written_forms_of_addresses_split(address, expected):
    assert parts(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "foo",
        "Musterstr. 5\n12345 Berlin",
        "5 Rue X\n75001 Paris, France",
        "1 Elm St Ames, IA 50010",
        "  1 Elm\r\n St ",
    ],
)
def test_an_address_that_cannot_be_split_keeps_its_text(address):
    assert parts(address) == (address, None, None, None)


def test_the_parts_replace_the_column_in_its_place(frame):
    table = frame({"a": [1, 2, 3], "home": ["1 Elm St\nAmes, IA 00501", None, "?"], "b": [4, 5, 6]})
    cleaner = PIICleaner(addresses="home")
    out = cleaner.fit_transform(table)
    expected = ["a", "home_address", "home_city", "home_state_province", "home_zip", "b"]
    assert list(out.columns) == list(cleaner.get_feature_names_out()) == expected
    assert column(out, "home_address") == ["1 Elm St", None, "?"]
    assert column(out, "home_zip") == ["00501", None, None]


def test_a_new_column_never_overwrites_one_of_the_table(frame):
    table = frame({"home": ["1 Elm St\nAmes, IA 50010"], "home_city": ["Ames"]})
    with pytest.raises(ValueError, match="write a column 'home_city', which the table already has"):
        PIICleaner(addresses="home").fit(table)
    out = PIICleaner(addresses="home", identifiers="home_city").fit_transform(table)
    assert list(out.columns) == [f"home_{part}" for part in PARTS]


# Undeliverable addresses

PO_BOXES = [
    "P.O. Box 12", "PO Box 12, Ames, IA 50010", "po box 3", "P O BOX 4", "P. O. Box 5", "PO BOX", "POB 6",
    "Post Office Box 9", "Apartado Postal 45\nMérida, YUC 97000", "APARTADO POSTAL 4", "Apdo. Postal 3", "Apdo. 5",
]  # fmt: skip
MILITARY = [
    "PSC 1234, Box 5678\nAPO AP 12345", "Unit 1234 Box 5678\nDPO AE 12345", "USS Smith\nFPO AA 12345", "APO AE 09012",
    "A.P.O. AE 09012", "fpo ap 96201", "CMR 4 Box 3", "1 A St, Camp, AE 09012-0001, USA", "APO 96201",
]  # fmt: skip
STREETS = [
    "5 Boxwood St", "12 Apollo Ave", "Unit 5", "Unit 5, Boxford, MA 01921", "Edif. 3", "123 AP Street", "12 Depot St",
    "1 A St\nApo, CA 90210", "Apodaca 5\nApodaca, NL 66600", "Expo Box 3", "Depto. 5, Box Elder, SD 57719",
    "1 Hippo Boxer",
]  # fmt: skip


def test_post_office_boxes_and_military_addresses_are_told_from_streets():
    addresses = PO_BOXES + MILITARY + STREETS + ["", None]
    flags = is_undeliverable(text(addresses))
    assert [address for address, flag in zip(addresses, flags, strict=True) if flag] == PO_BOXES + MILITARY
    assert is_undeliverable(text(addresses), "po_box").sum() == len(PO_BOXES)
    assert is_undeliverable(text(addresses), ["military"]).sum() == len(MILITARY)
    assert is_undeliverable(text(addresses), []).sum() == 0


@pytest.mark.parametrize("series", [pd.Series, pl.Series, lambda values: pd.Series(values, dtype="category"), text])
def test_the_predicate_takes_any_column_of_text(series):
    flags = is_undeliverable(series(["PO Box 3", None, "1 Elm St"]))
    assert flags.dtype == bool and flags.tolist() == [True, False, False]


def test_of_fakers_addresses_only_the_military_ones_are_undeliverable():
    for locale in ("en_US", "es_MX"):
        generator = faker.Faker(locale)
        generator.seed_instance(5)
        addresses = [generator.address() for _ in range(2000)]
        military = [address.split()[-2] in ("AA", "AE", "AP") for address in addresses]
        assert is_undeliverable(text(addresses)).tolist() == military


# The rule about rows

ROWS = {"n": [0, 1, 2, 3], "home": ["1 Elm St\nAmes, IA 50010", "PO Box 7", "PSC 1, Box 2\nAPO AP 12345", None]}


def test_fit_transform_drops_and_transform_keeps_every_row(frame):
    cleaner = PIICleaner(addresses="home")
    assert column(cleaner.fit_transform(frame(ROWS)), "n") == [0, 3]
    assert column(cleaner.transform(frame(ROWS)), "n") == [0, 1, 2, 3]
    assert cleaner.keep_mask(frame(ROWS)).tolist() == [True, False, False, True]


@pytest.mark.parametrize(("drop", "kept"), [(None, 4), ((), 4), ("po_box", 3), (["military"], 3), ({"po_box"}, 3)])
def test_drop_names_the_kinds_that_go(frame, drop, kept):
    assert len(PIICleaner(addresses="home", drop=drop).fit_transform(frame(ROWS))) == kept


def test_transform_drops_too_with_drop_at_always(frame):
    cleaner = PIICleaner(addresses="home", drop_at="always").fit(frame(ROWS))
    assert column(cleaner.transform(frame(ROWS)), "n") == [0, 3]


def test_fit_transform_with_y_names_the_cure_where_rows_would_go(frame):
    with pytest.raises(ValueError, match=r"would drop 2 of 4 rows.*fit_resample.*action='mask'"):
        PIICleaner(addresses="home").fit_transform(frame(ROWS), [1, 2, 3, 4])
    assert len(PIICleaner(addresses="home", drop=None).fit_transform(frame(ROWS), [1, 2, 3, 4])) == 4


def test_fit_resample_cuts_both(frame):
    X, y = PIICleaner(addresses="home").fit_resample(frame(ROWS), [10, 11, 12, 13])
    assert column(X, "n") == [0, 3] and list(y) == [10, 13]


def test_mask_keeps_rows_and_blanks_the_address(frame):
    cleaner = PIICleaner(addresses="home", action="mask")
    for out in (cleaner.fit_transform(frame(ROWS), [1, 2, 3, 4]), cleaner.transform(frame(ROWS))):
        assert column(out, "n") == [0, 1, 2, 3]
        assert column(out, "home_address") == ["1 Elm St", None, None, None]
        assert column(out, "home_state_province") == ["IA", None, None, None]


def test_the_index_of_kept_rows_is_their_own():
    out = PIICleaner(addresses="home").fit_transform(pd.DataFrame(ROWS, index=[9, 4, 6, 2]))
    assert list(out.index) == [9, 2]
    assert column(out, "home_address") == ["1 Elm St", None]


# Identifiers and parameters


def test_identifiers_are_left_out(frame):
    cleaner = PIICleaner(identifiers=["ssn", "phone"])
    out = cleaner.fit_transform(frame({"ssn": ["1"], "n": [3], "phone": ["2"]}))
    assert list(out.columns) == ["n"] == list(cleaner.get_feature_names_out())


def test_a_name_may_tell_the_gender_and_then_be_left_out(frame):
    out = PIICleaner(gender_from="name", identifiers="name").fit_transform(frame({"name": ["Ana"], "n": [1]}))
    assert list(out.columns) == ["n", "gender"] and column(out, "gender") == ["female"]


@pytest.mark.parametrize("parameter", ["names", "addresses", "identifiers", "gender_from"])
def test_an_unknown_column_is_an_error_naming_the_nearest(frame, parameter):
    with pytest.raises(ValueError, match=f"PIICleaner .*'{parameter}'.* did you mean 'FullName'"):
        PIICleaner(**{parameter: "fullname"}).fit(frame({"FullName": ["Ana"]}))


@pytest.mark.parametrize(
    "parameters",
    [
        {"drop": "boxes"}, {"drop": 3}, {"drop": [["po_box"]]}, {"drop_at": "never"}, {"action": "hide"},
        {"unknown_gender": 0}, {"gender_from": 3}, {"gender_from": ["name"]}, {"gender": 5},
        {"gender": None, "gender_from": "name"}, {"names": 3}, {"addresses": "home", "identifiers": "home"},
        {"addresses": "home", "names": "home"}, {"gender_from": "name", "gender": "name"}, {"names": ["name", "name"]},
        {"gender_from": "name", "gender": "home", "addresses": "home"},
    ],
)  # fmt: skip
def test_a_bad_parameter_is_an_error_at_fit(parameters):
    table = pd.DataFrame({"name": ["Ana"], "home": ["1 Elm St"]})
    with pytest.raises(ValueError, match=r"parameter of PIICleaner must be .* Got .* instead"):
        PIICleaner(**parameters).fit(table)


def test_a_column_missing_at_transform_is_an_error(frame):
    cleaner = PIICleaner(names="name").fit(frame({"name": ["Ana"], "n": [1]}))
    with pytest.raises(ValueError, match="name"):
        cleaner.transform(frame({"n": [1]}))


# Conventions


FULL = {
    "name": ["Dr. Ana Ruiz", None, "Mr. Tom Lee"],
    "home": ["1 Elm St\nAmes, IA 50010", "PO Box 7", None],
    "phone": ["1", "2", "3"],
}
CLEANER = PIICleaner(names="name", gender_from="name", addresses="home", identifiers="phone")


def test_nothing_of_the_callers_frame_is_changed():
    table = pd.DataFrame(FULL)
    before = table.copy(deep=True)
    clone(CLEANER).fit_transform(table)
    clone(CLEANER).set_params(action="mask").fit_transform(table)
    assert_frame_equal(table, before)


def test_clones_and_pickles_do_the_same(frame):
    fitted = clone(CLEANER).fit(frame(FULL))
    expected = fitted.transform(frame(FULL))
    for same in (pickle.loads(pickle.dumps(fitted)), clone(fitted).fit(frame(FULL))):
        assert same.transform(frame(FULL)).equals(expected)


def test_no_fitted_attribute_holds_a_cell_of_the_data():
    fitted = clone(CLEANER).fit(pd.DataFrame(FULL))
    assert not any(cell in repr(vars(fitted)) for cell in ("Ana", "Ames", "50010", "Lee"))


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output_decides_the_container(frame, output):
    out = clone(CLEANER).set_output(transform=output).fit_transform(frame(FULL))
    assert isinstance(out, LIBRARIES[output])
    assert list(out.columns) == [f"name,{','.join(f'home_{part}' for part in PARTS)},gender"][0].split(",")
    assert column(out, "name") == ["Ana Ruiz", "Tom Lee"]


def test_fitted_on_pandas_transforms_polars():
    out = clone(CLEANER).fit(pd.DataFrame(FULL)).transform(pl.DataFrame(FULL))
    assert isinstance(out, pl.DataFrame) and column(out, "gender") == ["female", None, "male"]


def test_an_empty_frame_stays_empty(frame):
    empty = frame({name: [] for name in FULL})
    for out in (clone(CLEANER).fit_transform(empty), clone(CLEANER).fit(frame(FULL)).transform(frame(FULL)[:0])):
        assert len(out) == 0
        assert list(out.columns) == ["name", *(f"home_{part}" for part in PARTS), "gender"]


def test_one_row_is_enough(frame):
    out = clone(CLEANER).fit_transform(frame({name: values[:1] for name, values in FULL.items()}))
    assert column(out, "gender") == ["female"]


def test_first_names_are_those_of_gender_guesser():
    from gender_guesser.detector import Detector

    from skdp.cleaning import _detector

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert _detector().names == Detector(case_sensitive=False).names


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("Av. 5 No. 10, Mérida, Yucatán, C.P. 97000", ("Av. 5 No. 10", "Mérida", "Yucatán", "97000")),
        ("Av. 5, Mérida, Yucatán C.P. 97000", ("Av. 5", "Mérida", "Yucatán", "97000")),
        ("1 Oak St, Ames, IA, USA, 50010", ("1 Oak St", "Ames", "IA", "50010")),
        ("1 Oak St, Ames, IA USA 50010", ("1 Oak St", "Ames", "IA", "50010")),
        ("Musterstrasse 5, Berlin, Germany 10115", ("Musterstrasse 5, Berlin, Germany 10115", None, None, None)),
        ("Order, ref, number 12345", ("Order, ref, number 12345", None, None, None)),
    ],
)
def test_a_state_is_a_known_one(address, parts):
    cleaned = PIICleaner(addresses="a", drop=None).fit_transform(pd.DataFrame({"a": [address]}))
    found = [None if pd.isna(value) else value for value in cleaned.iloc[0]]
    assert tuple(found) == parts


@pytest.mark.parametrize("name", ["นางสาว สมหญิง ใจดี", "นางสาวสมหญิง ใจดี", "พ.ต.ต. สมหญิง ใจดี", "พ.ต.ต.สมหญิง ใจดี"])
def test_a_glued_title_goes_whole_with_and_without_a_blank(name):
    assert PIICleaner(names="n").fit_transform(pd.DataFrame({"n": [name]}))["n"][0] == "สมหญิง ใจดี"
