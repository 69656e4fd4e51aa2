import ast
import math
import os
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from test_laplace_grid import GRIDS

from skdp import _inversion, mechanisms
from skdp._laplace_grid import laplace_grid
from skdp.mechanisms import (
    KeyStream,
    bernoulli,
    laplace,
    laplace_integers,
    randomized_response,
    secure_source,
    seeded_source,
    two_sided_geometric,
)

PACKAGE = Path(mechanisms.__file__).parent
DRAWN = [
    "noise.py", "gaussian.py", "_calibration.py", "mechanisms.py", "_laplace_grid.py", "_rationals.py", "_inversion.py",
    "_discrete_gaussian.py", "_noisy_counts.py", "_metric_privacy.py",
]  # fmt: skip


class Constant:
    """A broken source of one byte."""

    def __init__(self, byte):
        self.byte = byte

    def words(self, count, dtype):
        return np.full(count * np.dtype(dtype).itemsize, self.byte, dtype=np.uint8).view(dtype)


# Laplace noise


@pytest.mark.parametrize("size", [0, 1, 7, 2047, 2048, 2**14 - 1, 2**14, 2**14 + 1, 40_000])
def test_every_size_and_every_cell_gets_noise_of_its_own(size):
    released = laplace(np.zeros(size), 1, 0, 1)
    assert released.shape == (size,)
    # 2^21 grid points within a scale: among 40,000 draws some 200 pairs agree by chance
    assert len(np.unique(released)) > 0.98 * size - 2


@pytest.mark.parametrize("parameters", GRIDS)
def test_every_output_lies_on_the_grid_and_in_the_window(parameters):
    step, (first, last) = laplace_grid(*parameters).step, laplace_grid(*parameters).window()
    values = np.linspace(float(parameters[1]), float(parameters[2]), 5000)
    for clip in (False, True):
        multiples = laplace(values, *parameters, clip=clip) / step
        assert (multiples == np.floor(multiples)).all()
        assert first <= multiples.min() <= multiples.max() <= last < 2**52


def test_clipped_output_stays_between_the_bounds():
    released = laplace(np.full(10_000, 0.55), 0.1, 0.1, 0.9, clip=True)
    assert 0.1 <= released.min() <= released.max() <= 0.9
    assert set(laplace_integers(np.full(10_000, 3), 0.1, 2.5, 4.5, clip=True)) == {3, 4}


def test_clipping_needs_a_grid_point_between_the_bounds():
    with pytest.raises(ValueError, match="No grid point lies between the bounds"):
        laplace(np.array([0.1]), 1, 0.1, 0.2, sensitivity=2**22, clip=True)


def test_missing_stays_missing_and_infinite_is_clamped():
    released = laplace(np.array([np.nan, np.inf, -np.inf, 0.0]), 1000, 0, 1)
    assert np.isnan(released).tolist() == [True, False, False, False]
    assert released[1:] == pytest.approx([1, 0, 0], abs=0.1)  # a hundred scales: false alarm e^-100


def test_negative_zero_is_never_released():
    values = np.where(np.arange(200_000) % 2, -0.0, 0.0)
    released = laplace(values, 2**19, -1, 1)  # a scale of 2^20 steps … but clipped to few
    zeros = np.concatenate([released[released == 0], laplace(values, 1, 0, 1, clip=True)])
    zeros = zeros[zeros == 0]
    assert len(zeros) > 1000
    assert not np.signbit(zeros).any()


def test_without_bounds_values_beyond_the_grid_are_refused():
    for value in (np.inf, -np.inf, 1e300, 2.0**33):
        with pytest.raises(ValueError, match="Without bounds"):
            laplace(np.array([0.0, value]), 1, sensitivity=1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, np.float64])
def test_integers_of_any_dtype_come_out_as_int64(dtype):
    released = laplace_integers(np.array([1, 2, 3], dtype=dtype), 100, 0, 5)
    assert released.dtype == np.int64
    assert np.abs(released - [1, 2, 3]).max() <= 5  # a hundred scales


def test_integers_beyond_2_to_53_are_clamped_exactly():
    values = np.array([2**53 + 1, -(2**63), 2**63 - 1])
    assert laplace_integers(values, 4000, 0, 9).tolist() == [9, 0, 9]  # e^-444 for one step


def test_missing_integers_are_refused():
    with pytest.raises(ValueError, match="missing"):
        laplace_integers(np.array([1.0, np.nan]), 1, 0, 5)


def test_two_sided_geometric_has_a_least_rate():
    assert np.abs(two_sided_geometric(100, Fraction(1, 2**42))).max() <= 2**52
    with pytest.raises(ValueError, match="at least"):
        two_sided_geometric(1, Fraction(1, 2**43))


# Categories and coins


def test_randomized_response_keeps_to_its_categories():
    codes = np.arange(5000) % 7
    released = randomized_response(codes, 0.1, 7)
    assert set(released) == set(range(7))
    assert (randomized_response(codes, 500, 7) == codes).all()


def test_many_categories():
    released = randomized_response(np.zeros(5000, dtype=int), Fraction(1, 1000), 50_000)
    assert 4000 < len(set(released)) <= 5000


def test_a_coin_takes_any_rational_probability():
    assert not bernoulli(100, 0).any()
    assert bernoulli(100, 1).all()
    assert bernoulli(10_000, Fraction(1, 2**40)).sum() < 5
    for probability in (-0.1, 1.1, math.nan, "half", True):
        with pytest.raises(ValueError, match="between 0 and 1"):
            bernoulli(3, probability)


# Enclosures


@pytest.mark.parametrize("precision", [64, 192, 400])
@pytest.mark.parametrize("exponent", ["1e-12", "0.0001", "0.3", "0.5", "1", "2.5", "44", "127.9", "5000"])
def test_the_exponential_is_enclosed_tightly(exponent, precision):
    low, high = _inversion.exponential(Fraction(exponent), precision)
    with localcontext() as context:
        context.prec = 250
        true = (-Decimal(exponent)).exp() * 2**precision
        assert low <= true <= high
    assert high - low <= 4


@pytest.mark.parametrize("precision", [2, 8, 20])
def test_every_rounding_of_the_series_goes_outwards(precision):
    with localcontext() as context:
        context.prec = 30
        for number in range(1, 1000):
            low, high = _inversion.taylor(Fraction(number, 1999), precision)
            assert low <= (Decimal(number) / 1999).exp() * 2**precision <= high


def test_a_threshold_is_never_guessed():
    precisions = []

    def enclose(precision):
        """Enclose (2^64 - 1) / 2^65, too widely at first."""
        precisions.append(precision)
        true = (2**64 - 1) << (precision - 65)
        slack = 1 << (precision - 60) if len(precisions) < 3 else 0
        return [true - slack], [true + slack]

    assert _inversion.Inversion(enclose).thresholds.tolist() == [2**63 - 1]
    assert len(precisions) == 3


def reference(kind, rate, count):
    """Return cumulative probabilities by textbook formulas, to 250 digits."""
    a = (-(Decimal(rate.numerator) / Decimal(rate.denominator))).exp()
    powers = [a**v for v in range(count + 1)]
    return {
        "digit": [(1 - powers[v]) / (1 - powers[-1]) for v in range(1, count)],
        "top": [1 - powers[v] for v in range(1, count + 1)],
        "sign": [1 / (1 + a)],
        "response": [(1 + (v - 1) * a) / (1 + (count - 1) * a) for v in range(1, count)],
    }[kind]


@pytest.mark.parametrize("rate", [Fraction(1, 2**21), Fraction(1, 3000), Fraction(1, 7), Fraction(9, 4), Fraction(300)])
@pytest.mark.parametrize(
    ("kind", "inversion", "count"),
    [
        ("digit", _inversion.low_digit, 1024),
        ("top", _inversion.top_digit, 128),
        ("sign", _inversion.sign_of, 1),
        ("response", lambda rate: _inversion.response(rate, 6), 6),
    ],
)
def test_cumulative_probabilities_are_enclosed(kind, inversion, count, rate):
    with localcontext() as context:
        context.prec = 250
        expected = reference(kind, rate, count)
        for precision in (96, 200):
            lows, highs = inversion(rate).enclose(precision)
            assert len(lows) == len(highs) == len(expected)
            for low, true, high in zip(lows, expected, highs, strict=True):
                assert low <= true * 2**precision <= high
                assert high - low < 2**12
        floors = [min(int(true * 2**64), 2**64 - 1) for true in expected]
    assert inversion(rate).thresholds.tolist() == floors


# Randomness


def test_the_keystream_is_aes_256_in_counter_mode():
    key = bytes(range(32))
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    blocks = b"".join(encryptor.update(counter.to_bytes(16)) for counter in range(8))
    stream = KeyStream(key)
    drawn = [stream.words(5, np.uint8), stream.words(9, np.uint16), stream.words(3, np.uint64)]
    assert b"".join(words.tobytes() for words in drawn) == blocks[: 5 + 18 + 24]


def test_more_words_than_are_kept_ready():
    assert len(np.unique(secure_source().words(100_000, np.uint64))) == 100_000


def test_every_source_has_a_key_of_its_own(monkeypatch):
    keys = []
    monkeypatch.setattr(mechanisms, "KeyStream", keys.append)
    for _ in range(10):
        secure_source()
    assert len(set(keys)) == 10
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize("broken", ["raises", "short"])
def test_no_randomness_no_release(monkeypatch, broken):
    def urandom(size):
        if broken == "raises":
            raise NotImplementedError("no source of randomness")
        return bytes(size - 1)

    monkeypatch.setattr(os, "urandom", urandom)
    for draw in (
        lambda: laplace(np.zeros(3), 1, 0, 1),
        lambda: laplace_integers(np.zeros(3), 1, 0, 1),
        lambda: randomized_response(np.zeros(3, dtype=int), 1, 2),
        lambda: bernoulli(3, 0.5),
        lambda: two_sided_geometric(3, Fraction(1)),
    ):
        with pytest.raises((OSError, NotImplementedError)):
            draw()


def test_a_seed_and_a_name_determine_a_stream():
    def first(*name):
        return seeded_source(*name).words(4, np.uint64).tolist()

    assert first(1, "a") == first(1, "a")
    assert len({str(first(*name)) for name in [(1, "a"), (2, "a"), (1, "b"), (1, "a", "b"), (1, "ab")]}) == 5


@pytest.mark.parametrize("module", DRAWN)
def test_noise_has_no_other_source_of_randomness(module):
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        source = getattr(node, "module", None) or ""
        assert not {name.split(".")[0] for name in [*names, source]} & {"random", "secrets", "scipy"}
        assert "numpy.random" not in [source, *names]
        assert not (source == "numpy" and "random" in names)
        assert not (isinstance(node, ast.Attribute) and node.attr in ("random", "default_rng", "RandomState"))


@pytest.mark.parametrize("byte", [0x00, 0xFF])
@pytest.mark.parametrize("size", [3, 3000])
def test_a_stuck_source_still_ends(byte, size):
    low, high = laplace_grid(1, 0, 120).window()
    released = laplace(np.full(size, 60.0), 1, 0, 120, source=Constant(byte))
    expected = {0x00: 60 + laplace_grid(1, 0, 120).step, 0xFF: low * laplace_grid(1, 0, 120).step}
    assert set(released) == {expected[byte]}
