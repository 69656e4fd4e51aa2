"""Synthesis against a tight Faker loop, in one run: ``python -m benchmarks.synthesis``.

Prints raw generation on one thread, the whole job from request to Parquet in a process of its own (wall time, peak
memory), how the cost per record grows from 100,000 to 5,000,000 records, and the coverage of all locales. The request
is `../shared/data/bulk_data_request.csv` beside the checkout or, where that is absent, one of its size made here.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from skdp import FakerSynthesizer
from skdp.recipes import travel

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "bulk_data_request.csv"
LOOP_RECORDS = 3_000
JOB = """
import resource, sys, time
start = time.perf_counter()
import pandas, pyarrow.parquet, sklearn.pipeline, faker, tqdm
from skdp import cli
import skdp.recipes, skdp._files
imported = time.perf_counter()
status = cli.main(["synthesize", sys.argv[1], "--output", sys.argv[2], "--seed", "1"])
done = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(status, imported - start, done - imported, peak)
"""


def request_table() -> pd.DataFrame:
    """Return the real request, or one of its size."""
    if SHARED.exists():
        return pd.read_csv(SHARED)
    records = np.random.default_rng(0).dirichlet(np.full(236, 0.3)) * 176_196
    countries = [f"COUNTRY {row % 59}" for row in range(236)]
    return pd.DataFrame({"Country": countries, "Year": 2016 + np.arange(236) // 59, "Records": records.astype(int)})


def faker_loop(records: int) -> float:
    """Return seconds a record of a tight Faker loop over the travel schema's raw columns."""
    from datetime import date, timedelta

    from faker import Faker

    mexico, america = Faker("es_MX"), Faker("en_US")
    first, last, oldest = date(2016, 1, 1), date(2016, 12, 31), date(1946, 1, 1)
    name, origin, destination = mexico.name, mexico.address, america.address
    between, integer = america.date_between, america.random_int
    start = time.perf_counter()
    for _ in range(records):
        departure, days = between(first, last), integer(10, 50)
        (
            name(), integer(10**9, 10**10 - 1), departure, origin(), integer(10**9, 10**10 - 1),
            departure + timedelta(days=days), destination(), days, between(oldest, last), integer(0, 70),
        )  # fmt: skip
    return (time.perf_counter() - start) / records


def raw_schema() -> dict:
    """Return the travel schema without what is only copied or cleaned later."""
    schema = travel()[0].schema
    wanted = "person_name origin_id departure_date origin destination_id arrival_date destination trip_length"
    return {name: schema[name] for name in [*wanted.split(), "date_of_birth", "age_at_arrival"]}


def raw_generation(request: pd.DataFrame) -> float:
    """Return seconds a record of the same columns on one thread, the provider set-up left out."""
    step = FakerSynthesizer(raw_schema(), count="Records", random_state=1).fit(request)
    step.transform(request[:2])
    return median_seconds(lambda: step.transform(request), 3) / request["Records"].sum()


def median_seconds(function, repeats: int) -> float:
    """Return the median wall time of a call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def whole_job(request: pd.DataFrame, repeats: int = 3) -> tuple[float, float, float, float]:
    """Return medians over fresh processes: import seconds, job seconds, peak MB, wall seconds of the process."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        asked, output = Path(folder) / "request.csv", Path(folder) / "people.parquet"
        request.to_csv(asked, index=False)
        for _ in range(repeats):
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", JOB, asked, output], capture_output=True, text=True, check=True
            )
            status, *figures = map(float, done.stdout.split("\n")[-2].split())
            assert status == 0, done.stderr
            rows.append([*figures, time.perf_counter() - start])
            assert len(pd.read_parquet(output, columns=["gender"])) == request["Records"].sum()
    return tuple(np.median(rows, axis=0))


def scaling(sizes: list[int], rounds: int = 3) -> list[tuple[int, float, float]]:
    """Return records, median seconds of the whole job beyond the imports, and peak memory, for growing requests.

    The sizes take turns, so that a slow spell of the machine slows all of them.
    """
    found = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            request = pd.DataFrame({"Country": ["MEXICO"], "Year": [2020], "Records": [size]})
            found[size].append(whole_job(request, repeats=1)[1:3])
    return [(size, *np.median(rows, axis=0)) for size, rows in found.items()]


def verdict(text: str, holds: bool) -> bool:
    """Print a bar and whether it is passed."""
    print(f"  {'passed' if holds else 'MISSED'}: {text}")
    return holds


def main() -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skip", nargs="*", default=[], choices=["scaling", "coverage"], help="parts to leave out")
    options = parser.parse_args()
    request = request_table()
    records = int(request["Records"].sum())
    print(f"request: {len(request)} rows, {records:,} records ({'the real one' if SHARED.exists() else 'made here'})")

    before, raw, after = faker_loop(LOOP_RECORDS), raw_generation(request), faker_loop(LOOP_RECORDS)
    loop = (before + after) / 2
    print(f"\nraw generation, one thread, a record: skdp {raw * 1e6:.2f} µs, Faker loop {loop * 1e6:.0f} µs")
    passed = [verdict(f"{loop / raw:.0f} times Faker (bar 60, aim 100)", loop / raw >= 60)]

    imports, job, peak, wall = whole_job(request)
    ratio = loop * records / job
    print(
        f"\nwhole job, request to Parquet: {job:.2f} s, process {wall:.2f} s (imports {imports:.2f} s), {peak:.0f} MB"
    )
    passed += [
        verdict(f"{wall:.2f} s in one process, imports and all (bar 3 s)", wall <= 3),
        verdict(f"{ratio:.0f} times Faker's generation alone (bar 20, aim 40)", ratio >= 20),
        verdict(f"peak memory {peak:.0f} MB (bar 700)", peak < 700),
    ]
    if "scaling" not in options.skip:
        passed += report_scaling()
    if "coverage" not in options.skip:
        from benchmarks import faker_coverage

        print("\nall locales × methods")
        passed.append(faker_coverage.main(["--time"]) == 0)
    return int(not all(passed))


def report_scaling() -> list[bool]:
    """Print the cost per record as requests grow: seconds = start-up + cost × records, fitted by relative error."""
    print("\nwhole job beyond the imports, as the request grows")
    rows = scaling([1, 100_000, 300_000, 1_000_000, 3_000_000, 5_000_000])
    first, rows = rows[0][1], rows[1:]
    sizes, seconds, peaks = map(np.array, zip(*rows, strict=True))
    relative = np.stack([1 / seconds, sizes / seconds], axis=1)
    start_up, _ = np.linalg.lstsq(relative, np.ones(len(sizes)))[0]
    costs = (seconds - start_up) / sizes
    for size, second, cost, peak in zip(sizes, seconds, costs, peaks, strict=True):
        print(f"  {size:>9,} records {second:6.2f} s {cost * 1e6:6.2f} µs a record {peak:5.0f} MB")
    spread = costs.max() / costs.min() - 1
    return [
        verdict(f"start-up {start_up:.2f} s, {first:.2f} s for one record (bar 1 s)", max(start_up, first) <= 1),
        verdict(f"cost per record constant within {spread:.0%} (bar 15 %)", spread <= 0.15),
    ]


if __name__ == "__main__":
    sys.exit(main())
