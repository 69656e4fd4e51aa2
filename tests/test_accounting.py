import dataclasses
import importlib.util
import math
import pickle
import sys
from fractions import Fraction

import pytest
from scipy.optimize import brentq
from scipy.special import ndtr

from skdp._checks import ParameterError
from skdp.accounting import PrivacyGuarantee, compose

needs_dp_accounting = pytest.mark.skipif(
    importlib.util.find_spec("dp_accounting") is None, reason="dp-accounting, of the extra 'accounting', is not there"
)


def test_epsilon_is_exact_and_compares_with_floats():
    tenth = PrivacyGuarantee(Fraction(1, 10))
    assert tenth.epsilon == Fraction(1, 10)
    assert tenth.epsilon < 0.1  # the float is a little more than a tenth
    assert PrivacyGuarantee(Fraction(0.1)).epsilon == 0.1


@pytest.mark.parametrize("epsilon", [Fraction(1, 3), Fraction(2, 3), Fraction(1, 10), Fraction(10**30, 7), Fraction(2)])
def test_the_float_never_understates_epsilon(epsilon):
    stated = PrivacyGuarantee(epsilon).epsilon_float
    assert Fraction(stated) >= epsilon
    assert Fraction(math.nextafter(stated, 0)) < epsilon


def test_infinite_needs_a_reason_and_finite_has_none():
    assert not PrivacyGuarantee(math.inf, reasons=("the noise is seeded",)).is_finite
    with pytest.raises(ValueError, match="reasons"):
        PrivacyGuarantee(math.inf)
    with pytest.raises(ValueError, match="reasons"):
        PrivacyGuarantee(Fraction(1), reasons=("the noise is seeded",))


@pytest.mark.parametrize("epsilon", [Fraction(-1), math.nan, -math.inf])
def test_epsilon_is_no_less_than_zero(epsilon):
    with pytest.raises(ValueError, match="0 or more"):
        PrivacyGuarantee(epsilon)


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PrivacyGuarantee(Fraction(1)).epsilon = Fraction(0)


def test_equal_hashable_and_picklable():
    guarantee = PrivacyGuarantee(Fraction(1), columns=("a",), conditions=("missing cells are public",))
    assert pickle.loads(pickle.dumps(guarantee)) == guarantee
    assert hash(guarantee) == hash(dataclasses.replace(guarantee))


def test_read_as_a_sentence():
    guarantee = PrivacyGuarantee(Fraction(84), columns=("debt",), scope="metric", conditions=("the range seen",))
    assert str(guarantee) == "ε = 84 for each record, metric (replace one record); columns: debt\n- the range seen"
    assert "δ = 1e-06" in str(PrivacyGuarantee(Fraction(1), delta=Fraction(1, 10**6)))


# Together


def pure(epsilon, **parameters):
    return PrivacyGuarantee(Fraction(epsilon), **parameters)


def gaussian(multiplier=4.0, epsilon=1, delta=Fraction(1, 10**6)):
    return PrivacyGuarantee(Fraction(epsilon), delta, noise_multipliers=(multiplier,))


def test_sums_are_exact():
    third = pure(Fraction(1, 3), delta=Fraction(1, 7))
    total = compose([third] * 3)
    assert (total.epsilon, total.delta) == (1, Fraction(3, 7))
    assert compose([pure(Fraction(1, 10))] * 10).epsilon == 1


def test_nothing_costs_nothing_and_one_is_itself():
    assert compose([]) == pure(0)
    assert compose([gaussian()]) == gaussian()


def test_columns_and_conditions_are_named_once():
    parts = [pure(1, columns=("a", "b"), conditions=("c",)), pure(1, columns=("b", "d"), conditions=("c", "e"))]
    total = compose(parts)
    assert (total.columns, total.conditions) == (("a", "b", "d"), ("c", "e"))


def test_the_weakest_scope_counts():
    assert compose([pure(1), pure(1, scope="central")]).scope == "central"
    assert compose([pure(1, scope="metric"), pure(1, scope="central"), pure(1)]).scope == "metric"


def test_one_infinite_part_makes_all_infinite_with_every_reason():
    parts = [PrivacyGuarantee(math.inf, reasons=(reason,)) for reason in ("seeded", "learned")]
    for delta in (None, 1e-6):
        total = compose([pure(1), *parts], delta=delta)
        assert total.epsilon == math.inf
        assert total.reasons == ("seeded", "learned")


def test_different_neighbours_are_not_added_up():
    with pytest.raises(ValueError, match="replace one record, add or remove one record"):
        compose([pure(1), pure(1, relation="add or remove one record")])


def test_pure_parts_need_no_dp_accounting_at_any_delta(monkeypatch):
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    assert compose([pure(1), pure(2)], delta=1e-6) == pure(3)
    assert compose([pure(1, delta=Fraction(1, 10**9)), pure(2)], delta=1e-6).epsilon == 3


def test_without_dp_accounting_the_sum_is_there_and_the_tighter_figure_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    assert compose([gaussian()] * 4).epsilon == 4
    with pytest.raises(ImportError, match=r'pip install "skdp\[accounting\]"'):
        compose([gaussian()] * 4, delta=1e-5)


@pytest.mark.parametrize("delta", [0, 1, -0.1, 2, True])
def test_delta_is_a_probability(delta):
    with pytest.raises(ParameterError, match="above 0 and below 1"):
        compose([gaussian()], delta=delta)


def test_a_delta_that_others_use_up_is_refused():
    with pytest.raises(ParameterError, match="above 1e-06, which releases without Gaussian noise use up"):
        compose([pure(1, delta=Fraction(1, 10**6)), gaussian()], delta=Fraction(1, 10**6))


def exact_epsilon(multiplier, delta):
    """Return the exact ε of one Gaussian: Balle and Wang (ICML 2018), theorem 5, with sensitivity 1."""

    def excess(epsilon):
        shift = epsilon * multiplier
        return ndtr(1 / (2 * multiplier) - shift) - math.exp(epsilon) * ndtr(-1 / (2 * multiplier) - shift) - delta

    return brentq(excess, 0, 50)


@needs_dp_accounting
@pytest.mark.parametrize(("method", "slack"), [("pld", 1.005), ("rdp", 1.25)])
@pytest.mark.parametrize("times", [1, 16, 100])
def test_gaussian_noise_adds_up_like_one_gaussian_of_its_total(method, slack, times):
    total = compose([gaussian(8.0, epsilon=10)] * times, delta=1e-6, method=method)
    exact = exact_epsilon(8 / math.sqrt(times), 1e-6)
    assert exact <= total.epsilon <= slack * exact
    assert total.delta == Fraction(1e-6)


@needs_dp_accounting
def test_all_columns_of_a_guarantee_count():
    one = dataclasses.replace(gaussian(epsilon=100), noise_multipliers=(4.0,) * 9)
    assert compose([one], delta=1e-6).epsilon == compose([gaussian(epsilon=100)] * 9, delta=1e-6).epsilon


@needs_dp_accounting
@pytest.mark.parametrize("method", ["pld", "rdp"])
def test_mixed_composition_is_no_more_than_the_sum_and_no_less_than_its_parts(method):
    gauss, many = [gaussian(epsilon=5)] * 10, [pure(Fraction(1, 10))] * 100
    mixed = compose(gauss + many, delta=1e-6, method=method)
    assert compose(gauss, delta=1e-6, method=method).epsilon < mixed.epsilon
    assert mixed.epsilon < compose(gauss, delta=1e-6, method=method).epsilon + 10
    single = compose([*gauss, pure(1)], delta=1e-6, method=method)
    assert single.epsilon <= compose(gauss, delta=1e-6, method="rdp").epsilon + 1


@needs_dp_accounting
def test_parts_of_unknown_mechanism_take_their_delta_first():
    whole = compose([gaussian(epsilon=9), pure(1, delta=Fraction(5, 10**7))], delta=Fraction(1, 10**6))
    assert whole.epsilon == compose([gaussian(epsilon=9), pure(1)], delta=Fraction(5, 10**7)).epsilon


@needs_dp_accounting
def test_the_sum_is_kept_where_it_is_smaller():
    small = gaussian(4.0, epsilon=Fraction(1, 100), delta=Fraction(1, 10**7))  # better than any general figure
    assert compose([small], delta=1e-6) == small


@needs_dp_accounting
def test_loss_distributions_say_what_they_take_for_granted():
    conditions = compose([gaussian(epsilon=9)], delta=1e-6, method="pld").conditions
    assert conditions == ("the tighter ε takes Gaussian noise for the continuous one",)
