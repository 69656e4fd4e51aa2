"""`skdp._faker_arrays`: Faker's own providers on whole columns, with Faker's own distribution."""

import random
import secrets
import string
import threading
import types
import unicodedata
import warnings
from collections import Counter, OrderedDict
from itertools import count
from operator import methodcaller

import numpy as np
import pyarrow as pa
import pytest
from faker import Factory, Faker
from faker.providers import BaseProvider, DynamicProvider
from scipy.stats import chi2

from skdp import _faker_guard
from skdp._faker_arrays import AVAILABLE_LOCALES, ColumnFaker
from skdp._faker_columns import NotOnColumns, ObjectColumn, Split
from skdp._faker_draws import RANDOM
from skdp._faker_numbers import NumberColumn
from skdp._faker_text import Dictionary, TextColumn

METHODS = (
    "name", "first_name", "last_name", "address", "street_address", "city", "postcode", "phone_number", "company",
    "job", "email", "ssn", "iban", "license_plate", "country",
)  # fmt: skip
SCRIPTS = (
    "en_US",
    "es_MX",
    "zh_CN",
    "ja_JP",
    "ru_RU",
    "ar_SA",
    "hi_IN",
    "el_GR",
)  # compared on ten times as many draws

# Each comparison is a two-sample chi-square test at this level. The long part makes fewer than 15 x 110 x 3 of them,
# the fast part fewer than 400: together below 5,400, so a correct library fails less than once in 1.8 million runs.
ALPHA = 1e-10
LEAST_EXPECTED = (
    25  # draws in a cell of either sample; given a cell's total, its split is binomial, lighter than normal
)


def two_sample_p_value(ours, theirs):
    """Compare two samples of one size; cells that are rare in both together are merged."""
    ours, theirs = Counter(ours), Counter(theirs)
    cells = [(ours[value], theirs[value]) for value in ours | theirs]
    common = [cell for cell in cells if sum(cell) >= 2 * LEAST_EXPECTED]
    rare = tuple(np.sum([cell for cell in cells if sum(cell) < 2 * LEAST_EXPECTED] or [(0, 0)], axis=0))
    if sum(rare) < 2 * LEAST_EXPECTED:
        common, rare = sorted(common, key=sum), tuple(np.add(rare, min(common, key=sum, default=(0, 0))))
        common = common[1:]
    cells = np.array([*common, rare], float)
    statistic = ((cells[:, 0] - cells[:, 1]) ** 2 / cells.sum(axis=1)).sum()
    return chi2.sf(statistic, len(cells) - 1) if len(cells) > 1 else 1.0


def kind(character):
    """The kind of a character: digit, upper, lower, another script's category, or itself."""
    if not character.isascii():
        return unicodedata.category(character)[0]
    return "0" if character.isdigit() else "A" if character.isupper() else "a" if character.islower() else character


def views(values):
    """What is compared of a pooled sample: few values themselves; of many their shapes, ends and first words."""
    values = list(map(str, values))
    if len(set(values)) <= 200:
        return [values]
    shapes = ["".join(map(kind, value)) for value in values]
    return [
        shapes,
        [(len(value), value[:1], value[-1:]) for value in values],
        [value.split(" ")[0] for value in values],
    ]


def p_values(ours, theirs):
    """One p-value for each view of the two samples."""
    assert len(ours) == len(theirs)
    return [two_sample_p_value(view[: len(ours)], view[len(ours) :]) for view in views([*ours, *theirs])]


def assert_same_distribution(ours, theirs):
    assert min(p_values(ours, theirs)) > ALPHA


def loop(faker, method, size, **kwargs):
    """The values of a loop over plain Faker."""
    return [getattr(faker, method)(**kwargs) for _ in range(size)]


def drawn(faker, method, size, seed=0, **kwargs):
    """The values of a column."""
    return faker.column(method, size, np.random.default_rng(seed), **kwargs).tolist()


def plain(locale, *providers, **settings):
    """A seeded plain Faker."""
    faker = Factory.create(locale, **settings)
    faker.seed_instance(0)
    for provider in providers:
        faker.add_provider(provider)
    return faker


@pytest.fixture(scope="module")
def english():
    return ColumnFaker("en_US")


@pytest.fixture(scope="module")
def mexican():
    return ColumnFaker("es_MX")


class TestColumns:
    """What `column` returns."""

    def test_few_strings_come_dictionary_coded(self, english):
        column = english.column("job", 5000, np.random.default_rng(0))
        assert column.type == pa.dictionary(pa.int32(), pa.string())
        assert len(set(column.dictionary.to_pylist())) == len(column.dictionary)

    def test_many_strings_come_as_large_strings(self, english):
        assert english.column("address", 5000, np.random.default_rng(0)).type == pa.large_string()

    @pytest.mark.parametrize(
        ("method", "arrow_type"),
        [("random_int", pa.int64()), ("date_of_birth", pa.date32()), ("pybool", pa.bool_()), ("pyfloat", pa.float64())],
    )
    def test_other_types_are_those_that_arrow_infers(self, english, method, arrow_type):
        assert english.column(method, 50, np.random.default_rng(0)).type == arrow_type

    def test_what_arrow_cannot_hold_comes_as_an_object_array(self):
        faker = ColumnFaker("en_US", [DynamicProvider("thing", [object(), {1}, "a"])])
        column = faker.column("thing", 20, np.random.default_rng(0))
        assert isinstance(column, np.ndarray)
        assert column.dtype == object
        assert column.shape == (20,)

    @pytest.mark.parametrize("method", [*METHODS, "random_int", "date_of_birth", "random_elements", "simple_profile"])
    @pytest.mark.parametrize("size", [0, 1, 2, 33])
    def test_any_size_works(self, english, method, size):
        assert len(english.column(method, size, np.random.default_rng(0))) == size

    @pytest.mark.parametrize("method", [*METHODS, "date_time_this_year", "simple_profile", "pystr", "sentence"])
    def test_same_state_gives_same_column_whatever_went_before(self, mexican, method):
        fresh = ColumnFaker("es_MX")
        first = drawn(fresh, method, 500)
        assert drawn(mexican, method, 500, seed=1) != first
        assert drawn(mexican, method, 500) == first
        assert drawn(fresh, method, 500) == first

    def test_the_generator_moves_on(self, english):
        rng = np.random.default_rng(0)
        assert english.column("name", 50, rng) != english.column("name", 50, rng)

    def test_threads_do_not_disturb_each_other(self):
        fakers = [ColumnFaker("en_US"), ColumnFaker("en_US"), ColumnFaker("ja_JP")]
        jobs = [(faker, method) for faker in fakers for method in ("address", "ssn", "simple_profile", "name")] * 3
        expected = [drawn(faker, method, 200, seed) for seed, (faker, method) in enumerate(jobs)]
        found = [None] * len(jobs)

        def work(number):
            for job in range(number, len(jobs), 4):
                found[job] = drawn(*jobs[job], 200, job)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [repr(values) for values in found] == [repr(values) for values in expected]

    def test_unknown_locale_names_the_nearest(self):
        with pytest.raises(ValueError, match=r"'locale' parameter of ColumnFaker.* Got 'es_MZ' instead.*'es_MX'"):
            ColumnFaker("es_MZ")

    @pytest.mark.parametrize("method", ["adress", "parse", "seed_instance", "_to_ascii", "__init__"])
    def test_unknown_method_is_refused(self, english, method):
        with pytest.raises(ValueError, match="must be a method of Faker in locale 'en_US'"):
            english.column(method, 3, np.random.default_rng(0))

    def test_unknown_method_names_the_nearest(self, english):
        with pytest.raises(ValueError, match=r"Got 'adress' instead. The nearest names are 'address'"):
            english.coverage("adress")

    def test_arguments_are_passed_on(self, english):
        assert set(drawn(english, "random_int", 500, min=3, max=9, step=3)) == {3, 6, 9}
        assert all(value.endswith("@example.fr") for value in drawn(english, "email", 50, domain="example.fr"))
        assert set(drawn(english, "numerify", 500, text="a%")) == {f"a{digit}" for digit in range(1, 10)}

    def test_errors_are_those_of_faker(self, english):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            english.column("name", 10, np.random.default_rng(0), colour="red")
        with pytest.raises(ValueError, match="empty range"):
            english.column("random_int", 10, np.random.default_rng(0), min=3, max=1)

    def test_hot_methods_run_on_columns(self, english, mexican):
        for method in ("name", "address", "email", "ssn", "iban", "date_of_birth", "date_between", "postcode"):
            assert english.coverage(method) == "columns"
            assert mexican.coverage(method) == "columns"


class TestPlaceholders:
    """`numerify`, `lexify`, `bothify` and `hexify`."""

    @pytest.mark.parametrize("text", ["#", "%", "$", "!", "@", "!@", "x!", "^", "?", "Ñ#ñ"])
    def test_each_symbol_is_drawn_as_faker_draws_it(self, english, text):
        for method in ("numerify", "bothify", "hexify"):
            ours, theirs = drawn(english, method, 20_000, text=text), loop(plain("en_US"), method, 20_000, text=text)
            assert_same_distribution(ours, theirs)

    def test_neighbours_are_independent(self, english):
        for text in ("##", "%!", "$@"):
            theirs = loop(plain("en_US"), "numerify", 20_000, text=text)
            assert_same_distribution(drawn(english, "numerify", 20_000, text=text), theirs)

    def test_letters_may_repeat_and_be_of_any_script(self, english):
        values = drawn(english, "lexify", 9000, text="?-?", letters="ñññß")
        counts = Counter(values)
        assert set(counts) == {"ñ-ñ", "ñ-ß", "ß-ñ", "ß-ß"}
        assert 4800 < counts["ñ-ñ"] < 5320  # 9/16 of 9,000 is 5,062; 5.5 standard deviations

    @pytest.mark.parametrize("text", ["", "no placeholder", "{{unknown}}", "ünï✓"])
    def test_other_text_stays(self, english, text):
        assert set(drawn(english, "bothify", 10, text=text)) == {text}


class Community(BaseProvider):
    """A provider as its users write them."""

    colours = ("red", "green", "blue")
    weighted = OrderedDict([("often", 0.9), ("seldom", 0.09), ("", 0.01)])
    prices = {"red": (1, 3), "green": (10, 30), "blue": (100, 300)}
    numbers = [3, 5, 8]

    def branch(self):
        if self.generator.random.randint(0, 1):
            return "heads " + self.random_element(self.colours)
        return "tails"

    def priced_colour(self):
        colour = self.random_element(self.colours)
        size = self.random_element("SML")
        low, high = self.prices[colour]
        return f"{size}: {colour} at {self.random_int(low, high):05d}" + ("!" if size == "L" else "")

    def f_string(self):
        number, share = self.random_int(0, 99), self.generator.random.random()
        return f"{number:03d}/{self.random_element(self.colours)!r:>9}/{share:.1f}"

    def percent(self):
        return "%03d-%s %s" % (self.random_int(1, 120), self.random_element(self.colours), "100%")  # noqa: UP031

    def joined(self):
        return ", ".join([self.random_element(self.colours).title() for _ in range(2)])

    def direct(self):
        return self.generator.random.random() < 0.3

    def retries(self):
        number = self.random_int(1, 6)
        while number == 6:
            number = self.random_int(1, 6)
        return number

    def checked(self):
        digits = [self.random_digit() for _ in range(3)]
        digits.append(sum(digit * weight for digit, weight in zip(digits, (3, 1, 3), strict=True)) % 10)
        return "".join(map(str, digits))

    def sliced(self):
        word = self.lexify("????", letters="ab")
        return word[0].upper() + word[1:3] + ("x" if word.startswith("a") else "y")

    def formatted(self):
        return f"{self.random_element(range(1, 30)):02d}.{self.random_element(self.colours)}"

    def looked_up(self):
        return self.colours[self.random_int(0, 2)] + "TRWAGMYF"[self.random_int(0, 800) % 8]

    def sometimes_missing(self):
        value = self.random_element(["a", None, "b"])
        return "none" if value is None else value

    def pair(self):
        first, second = self.random_element((("a", 1), ("b", 2), ("c", 3)))
        return f"{first}{second}{first}"

    def nested(self):
        return self.generator.parse("{{branch}} and {{priced_colour}}").replace(" ", "_")

    def date_text(self):
        return f"{self.generator.date_of_birth(minimum_age=20, maximum_age=29):%m/%d}"

    def unweighted_of_weighted(self):
        return self.random_element(list(self.weighted))

    def mixed(self):
        return self.random_element(["one", 2, 3.5, ("four",)])

    def unhashable(self):
        return self.random_element([{"name": "a"}, {"name": "b"}])["name"]

    def with_columns_inside(self):
        return self.random_element([" " + self.random_element(self.colours), "", "-"])

    def both_branches(self):
        number = self.random_int(0, 5)
        text = str(number * 2) if number > 2 else self.random_element("xy")
        return text + self.random_element("pq") if number != 1 else "one"


COMMUNITY = sorted(name for name, member in vars(Community).items() if isinstance(member, types.FunctionType))


@pytest.fixture(scope="module")
def community():
    return ColumnFaker("en_US", [Community])


class TestCommunityProviders:
    """Providers that this library has never seen."""

    @pytest.mark.parametrize("method", COMMUNITY)
    def test_rows_have_fakers_distribution_and_are_independent(self, community, method):
        ours, theirs = drawn(community, method, 20_000), loop(plain("en_US", Community), method, 20_000)
        assert_same_distribution(ours, theirs)
        pairs = [list(zip(values[::2], values[1::2], strict=True)) for values in (ours, theirs)]
        assert_same_distribution(*pairs)

    @pytest.mark.parametrize("method", sorted(set(COMMUNITY) - {"mixed", "unhashable"}))
    def test_they_run_on_columns(self, community, method):
        assert community.coverage(method) == "columns"

    def test_draws_made_before_a_branch_stay_with_their_rows(self, community):
        for value in drawn(community, "priced_colour", 5000):
            size, colour, price = value[0], value.split()[1], int(value.rstrip("!").split()[-1])
            low, high = Community.prices[colour]
            assert low <= price <= high
            assert value.endswith("!") == (size == "L")

    def test_check_digits_belong_to_their_rows(self, community):
        for value in drawn(community, "checked", 5000):
            first, second, third, check = map(int, value)
            assert check == (3 * first + second + 3 * third) % 10

    def test_modules_and_instances_are_taken_too(self):
        module = types.ModuleType("community")
        module.Provider = Community
        instance = Community(None)
        for provider in (module, instance):
            assert set(drawn(ColumnFaker("en_US", [provider]), "retries", 500)) == {1, 2, 3, 4, 5}
        assert instance.generator is None

    def test_dynamic_providers_see_elements_that_are_added(self):
        provider = DynamicProvider("planet", ["Mars", "Venus"])
        faker = ColumnFaker("en_US", [provider])
        assert set(drawn(faker, "planet", 200)) == {"Mars", "Venus"}
        provider.add_element("Saturn")
        assert set(drawn(faker, "planet", 200)) == {"Mars", "Venus", "Saturn"}

    def test_an_overridden_helper_is_used(self):
        class Odd(BaseProvider):
            def random_digit(self):
                return self.generator.random.choice([1, 3, 5])

            def odd_digits(self):
                return self.numerify("##")

        values = drawn(ColumnFaker("en_US", [Odd]), "odd_digits", 900)
        assert set(values) == {a + b for a in "135" for b in "135"}

    def test_argument_groups_are_filled_in(self):
        class Grouped(BaseProvider):
            def grouped(self):
                return self.generator.parse("{{random_int:skdp_small}}|{{ random_int:skdp_small }}")

        faker = ColumnFaker("en_US", [Grouped])
        faker._plain.set_arguments("skdp_small", {"min": 1, "max": 2})
        try:
            assert set(drawn(faker, "grouped", 200)) == {"1|1", "1|2", "2|1", "2|2"}
        finally:
            faker._plain.del_arguments("skdp_small")


GLOBAL_COUNTER = count()
GLOBAL_LIST = []


class Stateful(BaseProvider):
    """Methods in which something outlives the call, or that draw elsewhere: all must be run row by row."""

    total = 0

    def __init__(self, generator):
        super().__init__(generator)
        self.seen = []

    def attribute(self):
        self.total += 1
        return self.random_element("ab") + str(self.total)

    def class_attribute(self):
        type(self).total += 1
        return str(self.total)

    def list_of_instance(self):
        self.seen.append(self.random_element("ab"))
        return str(len(self.seen))

    def alias(self):
        seen = self.seen
        seen.append(self.random_digit())
        return len(seen)

    def global_list(self):
        GLOBAL_LIST.append(1)
        return self.numerify("#") + str(len(GLOBAL_LIST))

    def global_iterator(self):
        return self.numerify("#") + str(next(GLOBAL_COUNTER))

    def default_argument(self, seen=[]):  # noqa: B006
        seen.append(1)
        return len(seen)

    def secret(self):
        return self.random_element("ab") + secrets.token_hex(8)

    def own_import(self):
        import uuid

        return uuid.uuid4().hex

    def handles_exceptions(self):
        try:
            return "length " + str(int(self.random_element(["1", "22", "x"])))
        except ValueError:
            return "no number"

    def identity(self):
        return "yes" if (self.random_int(0, 1) == 1) is True else "no"


STATEFUL = sorted(name for name, member in vars(Stateful).items() if name != "__init__" and callable(member))


class OwnGenerator(BaseProvider):
    """Draws from a generator that it keeps."""

    def __init__(self, generator):
        super().__init__(generator)
        self.rng = random.Random(3)

    def own(self):
        return str(self.rng.random())


class Stdlib(BaseProvider):
    """Draws from the standard library's generator."""

    def module(self):
        return random.choice("abc") + str(random.randint(0, 10**9))

    def helper(self):
        return draws_elsewhere()


def draws_elsewhere():
    return "".join(random.choices(string.ascii_lowercase, k=10))


class TestGuard:
    """What no column type could notice is found in the code."""

    @pytest.mark.parametrize("method", STATEFUL)
    def test_state_and_hidden_draws_are_noticed(self, method):
        faker = ColumnFaker("en_US", [Stateful])
        provider = next(provider for provider in faker._plain.providers if type(provider) is Stateful)
        assert _faker_guard.suspicion(getattr(Stateful, method), provider)
        values = drawn(faker, method, 300)
        if method not in ("handles_exceptions", "identity"):
            assert len(set(values)) == 300
        assert faker.coverage(method) == "rows"

    @pytest.mark.parametrize("method", ["handles_exceptions", "identity"])
    def test_row_by_row_has_fakers_distribution(self, method):
        ours = drawn(ColumnFaker("en_US", [Stateful]), method, 5000)
        assert_same_distribution(ours, loop(plain("en_US", Stateful), method, 5000))

    def test_a_generator_of_ones_own_is_noticed(self):
        values = drawn(ColumnFaker("en_US", [OwnGenerator]), "own", 300)
        assert len(set(values)) == 300

    @pytest.mark.parametrize("method", ["module", "helper"])
    def test_the_random_module_is_drawn_from_the_given_generator(self, method):
        faker = ColumnFaker("en_US", [Stdlib])
        state = random.getstate()
        values = drawn(faker, method, 300)
        assert len(set(values)) == 300
        assert drawn(ColumnFaker("en_US", [Stdlib]), method, 300) == values
        assert random.getstate() == state

    def test_a_method_that_only_others_call_falls_back_alone(self):
        class Caller(Stateful):
            def caller(self):
                return self.generator.parse("{{city}} {{own_import}} {{name}}")

        faker = ColumnFaker("en_US", [Caller])
        assert faker.coverage("caller") == "partly"
        assert len(set(drawn(faker, "caller", 300))) == 300

    def test_a_method_that_splits_into_too_many_parts_falls_back(self):
        class Spread(BaseProvider):
            def spread(self):
                number = self.random_int(0, 10**6)
                if {number: "x"}[number] == "x":
                    return str(number)

        faker = ColumnFaker("en_US", [Spread])
        assert faker.coverage("spread") == "rows"
        assert len(set(drawn(faker, "spread", 300))) > 290


class TestColumnTypes:
    """Columns answer where all rows agree, and otherwise ask to be split."""

    QUESTIONS = (
        bool,
        str,
        repr,
        hash,
        int,
        float,
        len,
        list,
        format,
        lambda column: {}.get(column),
        lambda column: "%s".__mod__(column),
    )

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_a_question_for_one_value_is_noticed(self, question):
        columns = [
            TextColumn([(Dictionary(["1", "", "22"]), np.array([0, 1, 2] * 40, np.int32))], 120),
            NumberColumn(np.array([0, 1, 5] * 40)),
            ObjectColumn([(1,), (1, 2), ()], np.array([0, 1, 2] * 40, np.int32)),
        ]
        for column in columns:
            with pytest.raises((Split, NotOnColumns, TypeError)):
                question(column)

    def test_a_question_on_which_all_rows_agree_is_answered(self):
        column = TextColumn([(Dictionary(["7", "8"]), np.ones(5, np.int32))], 5)
        assert (int(column), f"{column:>3}", len(column), column == "8", bool(column)) == (8, "  8", 1, True, True)

    def test_columns_pass_for_the_types_of_their_values(self):
        assert isinstance(TextColumn([], 3), str)
        assert isinstance(NumberColumn(np.arange(3)), int)
        assert isinstance(ObjectColumn([(1,), (2,)], np.arange(2)), tuple)

    def test_integers_do_not_overflow(self):
        with pytest.raises(NotOnColumns):
            NumberColumn(np.array([2**40, 3])) * 2**30

    def test_division_by_zero_is_noticed(self):
        with pytest.raises(NotOnColumns):
            5 % NumberColumn(np.array([0, 3]))

    def test_arithmetic_is_pythons(self):
        numbers = np.array([-7, -1, 0, 3, 8])
        column = NumberColumn(numbers)
        for calculate in (
            lambda n: n % 3,
            lambda n: n // 2,
            lambda n: -n * 2 + 1,
            lambda n: 5 - n,
            abs,
            lambda n: n / 4,
        ):
            assert calculate(column).to_list() == [calculate(number) for number in numbers.tolist()]

    def test_columns_of_other_rows_do_not_mix(self):
        short, long = (TextColumn([(Dictionary(["a", "b"]), np.array([0, 1] * n, np.int32))], 2 * n) for n in (2, 3))
        with pytest.raises(NotOnColumns):
            short + long

    def test_greek_capital_sigma_is_lowered_by_its_neighbours(self):
        column = TextColumn(
            [(Dictionary(["ΟΔΟΣ", "ΣΑ"]), np.array([0, 1])), (Dictionary(["Σ", ""]), np.array([0, 1]))], 2
        )
        assert column.lower().to_list() == ["ΟΔΟΣΣ".lower(), "ΣΑ".lower()]

    CHANGES = {
        "upper": str.upper, "title": str.title, "strip": str.strip, "isupper": str.isupper, "lower": str.lower,
        "slice": lambda text: text[1:], "last": lambda text: text[-1], "repeat": lambda text: text * 2,
        "zfill": lambda text: text.zfill(8), "find": lambda text: text.find("c"), "before": lambda text: "<" + text,
        "replace": lambda text: text.replace("a", "bb"), "translate": lambda text: text.translate({97: "é"}),
        "twice": lambda text: text.center(9, "*") + text,
    }  # fmt: skip

    @pytest.mark.parametrize("name", CHANGES)
    def test_text_changes_as_strings_do(self, name):
        change = self.CHANGES[name]
        if isinstance(change, type(str.upper)):
            change = methodcaller(name)
        first = Dictionary(["abc ", "b a", "cab"]), np.array([0, 1, 2] * 20, np.int32)
        second = Dictionary(["x", "É"]), np.array([0, 1] * 30, np.int32)
        column = TextColumn([first, second], 60)
        assert change(column).to_list() == [change(value) for value in column.to_list()]


class TestDraws:
    """`generator.random` gives each row its own."""

    CASES = {
        "random": lambda rng: round(rng.random(), 1),
        "uniform": lambda rng: int(rng.uniform(2, 8)),
        "randint": lambda rng: rng.randint(3, 7),
        "randrange": lambda rng: rng.randrange(0, 20, 4),
        "getrandbits": lambda rng: rng.getrandbits(3),
        "choice": lambda rng: rng.choice("abca"),
        "choices": lambda rng: "".join(rng.choices("abc", weights=(1, 5, 0.2), k=2)),
        "sample": lambda rng: "".join(rng.sample("abcd", 3)),
    }

    @pytest.mark.parametrize("name", CASES)
    def test_each_draw_has_the_distribution_of_the_standard_library(self, name):
        draw = self.CASES[name]

        class Drawing(BaseProvider):
            def drawing(self):
                return draw(self.generator.random)

        ours = drawn(ColumnFaker("en_US", [Drawing]), "drawing", 20_000)
        rng = random.Random(0)
        theirs = [draw(rng) for _ in range(20_000)]
        assert_same_distribution(ours, theirs)
        pairs = [list(zip(values[::2], values[1::2], strict=True)) for values in (ours, theirs)]
        assert_same_distribution(*pairs)

    def test_unknown_draws_are_noticed(self):
        with pytest.raises(NotOnColumns):
            RANDOM.vonmisesvariate(0, 1)

    @pytest.mark.parametrize(
        "kwargs",
        [
            {"length": 3}, {"length": 2, "unique": True}, {"elements": OrderedDict(a=5, b=1, c=0.1), "length": 2}, {},
            {"elements": ("", "é", "漢"), "length": 1},
            {"elements": OrderedDict(a=5, b=1), "length": 1, "use_weighting": False},
        ],
    )  # fmt: skip
    def test_random_elements_gives_lists(self, english, kwargs):
        ours = drawn(english, "random_elements", 20_000, **kwargs)
        assert all(isinstance(value, list) for value in ours)
        assert_same_distribution(
            ours, [list(value) for value in loop(plain("en_US"), "random_elements", 20_000, **kwargs)]
        )

    def test_random_sample_holds_no_element_twice(self, english):
        values = drawn(english, "random_sample", 2000, elements=tuple("abcdefgh"), length=5)
        assert all(len(set(value)) == 5 for value in values)

    def test_elements_with_weight_zero_do_not_occur(self, english):
        elements = OrderedDict(a=1, b=0, c=2)
        assert set(drawn(english, "random_element", 5000, elements=elements)) == {"a", "c"}


def doubled(function):
    """Decorate a method: its value twice, with a separator."""

    def wrapper(self):
        value = function(self)
        return f"{value}|{value}"

    return wrapper


class Base(BaseProvider):
    """A provider to derive from."""

    def code(self):
        return f"{self.random_int(0, 9)}{self.random_element('xy')}"


class Derived(Base):
    """Code in which a name means what it does by where it stands."""

    __table = {"x": "ex", "y": "why"}

    def code(self):
        return super().code() + "."

    def private_name(self):
        return "-".join([self.__table[self.random_element("xy")], self.__own()])

    def __own(self):
        return f"{self.random_element('pq')}"

    @doubled
    def decorated(self):
        return f"{self.random_int(1, 3):02d}"

    def closure(self):
        letters = "abc"

        def chosen(number: int) -> str:
            return letters[number]

        return f"{chosen(self.random_int(0, 2))}{[chosen(0) for _ in letters]}"

    @staticmethod
    def _static(number):
        return f"<{number:02d}>"

    def static(self):
        return self._static(self.random_int(0, 30))


DERIVED = ("code", "private_name", "decorated", "closure", "static")


class TestLifting:
    """A function rewritten for columns means what it meant."""

    @pytest.mark.parametrize("method", DERIVED)
    def test_names_mean_what_they_meant(self, method):
        faker = ColumnFaker("en_US", [Derived])
        assert faker.coverage(method) == "columns"
        assert_same_distribution(drawn(faker, method, 20_000), loop(plain("en_US", Derived), method, 20_000))

    def test_code_without_source_is_run_as_it_is(self):
        names = {"BaseProvider": BaseProvider}
        exec(
            "class Hidden(BaseProvider):\n"
            "    def easy(self):\n        return self.random_element('ab') + self.numerify('#')\n"
            "    def hard(self):\n        return f'{self.random_int(0, 10**9)}'\n",
            names,
        )
        faker = ColumnFaker("en_US", [names["Hidden"]])
        assert (faker.coverage("easy"), faker.coverage("hard")) == ("columns", "rows")
        assert len(set(drawn(faker, "hard", 300))) > 290


class TestForms:
    """Methods written for columns by hand."""

    def test_iban_check_digits_are_right(self, english):
        for value in drawn(english, "iban", 2000):
            assert int("".join(str(int(character, 36)) for character in value[4:] + value[:4])) % 97 == 1

    @pytest.mark.parametrize("locale", ["he_IL", "sv_SE"])
    def test_luhn_check_digits_are_right(self, locale):
        for value in drawn(ColumnFaker(locale), "ssn", 2000):
            digits = [int(character) for character in value if character.isdigit()][::-1]
            assert (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0

    @pytest.mark.parametrize("method", ["domain_word", "domain_name", "user_name", "company_email", "hostname"])
    @pytest.mark.parametrize("locale", ["en_US", "es_MX", "ru_RU", "ja_JP"])
    def test_internet_names_have_fakers_distribution(self, locale, method):
        assert_same_distribution(drawn(ColumnFaker(locale), method, 3000), loop(plain(locale), method, 3000))

    @pytest.mark.parametrize(
        ("method", "kwargs"),
        [
            ("date_of_birth", {"minimum_age": 1, "maximum_age": 1}),
            ("date_between", {"start_date": "-10d", "end_date": "+5d"}),
            ("date_this_year", {}), ("past_date", {}), ("date_this_month", {"after_today": True}),
        ],
    )  # fmt: skip
    def test_dates_have_fakers_distribution(self, english, method, kwargs):
        ours, theirs = drawn(english, method, 20_000, **kwargs), loop(plain("en_US"), method, 20_000, **kwargs)
        assert_same_distribution([day.toordinal() // 5 for day in ours], [day.toordinal() // 5 for day in theirs])
        assert abs(min(ours) - min(theirs)).days <= 1
        assert abs(max(ours) - max(theirs)).days <= 1


class TestPower:
    """The comparisons catch the mistakes that they are there for."""

    @pytest.mark.parametrize("method", METHODS)
    def test_one_draw_shared_by_all_rows_is_caught(self, method):
        theirs = loop(plain("en_US"), method, 2000)
        assert min(p_values([theirs[0]] * 2000, theirs)) < ALPHA

    @pytest.mark.parametrize("method", ["first_name", "last_name", "name"])
    def test_ignored_weights_are_caught(self, method):
        unweighted = loop(plain("en_US", use_weighting=False), method, 20_000)
        assert min(p_values(unweighted, loop(plain("en_US"), method, 20_000))) < ALPHA

    def test_a_pair_of_equal_distributions_is_not(self):
        first, second = (loop(faker, "city", 2000) for faker in [plain("en_US")] * 2)
        assert min(p_values(first, second)) > 1e-6


@pytest.mark.long
@pytest.mark.parametrize("locale", sorted(AVAILABLE_LOCALES))
def test_every_locale_has_fakers_distribution(locale, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Faker calls some of its locales deprecated
        ours, theirs = ColumnFaker(locale), plain(locale)
    size = 20_000 if locale in SCRIPTS else 2000
    failed = {}
    for method in METHODS:
        if method in ours.methods():
            lowest = min(p_values(drawn(ours, method, size), loop(theirs, method, size)))
            if lowest <= ALPHA:
                failed[method] = lowest
    assert not failed


def test_fakers_proxy_is_left_alone():
    fake = Faker("en_US")
    fake.seed_instance(5)
    before = fake.name()
    ColumnFaker("en_US").column("name", 100, np.random.default_rng(0))
    fake.seed_instance(5)
    assert fake.name() == before
