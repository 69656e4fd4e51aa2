"""Tables larger than memory: ``python -m benchmarks.scale``.

Prints, each for a process of its own: the time and the memory of `skdp synthesize` for 10,000,000 travellers to a
Parquet folder on two threads, how the cost per record grows from 100,000 to 10,000,000 records, how little the memory
does where steps behind the synthesizer learn, and the time and the memory of `skdp release` for 10,000,000 records of
12 columns (outliers left out, bins learned, noise drawn); and what Dask adds (`benchmarks.distributed`), with the time
that 10^9 records would take on 16 workers. Time is that of the whole process, imports and all. Returns 1 if a bar is
missed. Other work on the machine slows it: the load is printed.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.synthesis import verdict

RECORDS = 10_000_000
SIZES = [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]
COLUMNS = 12
ROW_GROUP = 1_000_000
RECIPE = """
[[steps]]
use = "OutlierDropper"
columns = ["c1", "c2", "c4"]

[[steps]]
use = "QuantileBinner"
columns = ["c0", "c3", "c5", "c6"]

[[steps]]
use = "LaplaceNoise"
bounds = { c1 = [0, 500], c2 = [0, 500], c4 = [0, 500], c9 = [0, 100] }
"""
MADE = """
[[steps]]
use = "FakerSynthesizer"
count = "Records"
[steps.schema]
name = { fake = "name", locale = "es_MX" }
age = { integers = [0, 90] }
debt = { choice = [1, 2, 3, 5, 8, 900], weights = [20, 20, 20, 20, 19, 1] }

[[steps]]
use = "OutlierDropper"
columns = ["debt"]

[[steps]]
use = "QuantileBinner"
columns = ["age"]
"""
JOB = """
import resource, sys
from skdp.cli import main
status = main(sys.argv[1:])
print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def run(*words: object) -> tuple[float, float]:
    """Return the wall seconds and the peak MB of a command, in a process of its own."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", JOB, *map(str, words)], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    status, peak = done.stdout.split("\n")[-2].split()
    if int(status):
        raise RuntimeError(done.stderr)
    if done.stderr:
        print(f"  {done.stderr.strip()}")
    return seconds, float(peak)


def synthesize(folder: Path, records: int) -> tuple[float, float]:
    """Return the seconds and the peak MB of so many travellers, request to Parquet folder."""
    (folder / "request.csv").write_text(
        f"Country,Year,Records\nMEXICO,2020,{records // 2}\nRUSSIA,2016,{records - records // 2}\n"
    )
    output = folder / f"people-{time.monotonic_ns()}"
    figures = run("synthesize", folder / "request.csv", "--output", output, "--jobs", 2, "--seed", 1)
    assert sum(parquet.read_metadata(path).num_rows for path in output.glob("part-*")) == records
    for path in output.iterdir():
        path.unlink()
    return figures


def write_table(path: Path, rows: int) -> None:
    """Write a table of amounts (two columns in three) and small integers, with some outliers."""
    rng, writer = np.random.default_rng(0), None
    for start in range(0, rows, ROW_GROUP):
        size = min(ROW_GROUP, rows - start)
        columns = {
            f"c{number}": rng.lognormal(3, 1, size) if number % 3 else rng.integers(0, 100, size)
            for number in range(COLUMNS)
        }
        part = pa.table(columns)
        writer = writer or parquet.ParquetWriter(path, part.schema)
        writer.write_table(part)
    writer.close()


def report_synthesize(folder: Path) -> list[bool]:
    print(f"skdp synthesize, {RECORDS:,} travellers to a Parquet folder, two threads {_load()}")
    seconds, peak = synthesize(folder, RECORDS)
    return [
        verdict(f"{seconds:.1f} s (bar 90 s)", seconds <= 90),
        verdict(f"peak memory {peak:.0f} MB (bar 1000)", peak < 1000),
    ]


def report_scaling(folder: Path, rounds: int) -> list[bool]:
    """Print the cost per record: seconds = start-up + cost × records, fitted by relative error."""
    print(f"\nskdp synthesize, as the request grows {_load()}")
    found = {size: [] for size in SIZES}
    for _ in range(rounds):  # the sizes take turns, so that a slow spell slows all
        for size in SIZES:
            found[size].append(synthesize(folder, size))
    seconds, peaks = np.array([np.median(rows, axis=0) for rows in found.values()]).T
    sizes = np.array(SIZES)
    relative = np.stack([1 / seconds, sizes / seconds], axis=1)
    start_up, _ = np.linalg.lstsq(relative, np.ones(len(sizes)))[0]
    costs = (seconds - start_up) / sizes
    for size, second, cost, peak in zip(sizes, seconds, costs, peaks, strict=True):
        print(f"  {size:>10,} records {second:6.2f} s {cost * 1e6:6.2f} µs a record {peak:5.0f} MB")
    spread = costs.max() / costs.min() - 1
    print(f"  start-up {start_up:.2f} s")
    return [verdict(f"cost per record, after the start-up, constant within {spread:.0%} (bar 15 %)", spread <= 0.15)]


def report_learning(folder: Path) -> list[bool]:
    """Print the memory of a recipe whose steps learn from the records, which are made again for each."""
    (folder / "made.toml").write_text(MADE)
    print(f"\nskdp synthesize with steps that learn {_load()}")
    peaks = []
    for records in (2_000_000, 8_000_000):
        (folder / "request.csv").write_text(f"Records\n{records}\n")
        output = folder / f"made-{records}"
        words = ["--recipe", folder / "made.toml", "--output", output, "--jobs", 2]
        seconds, peak = run("synthesize", folder / "request.csv", *words)
        print(f"  {records:>10,} records {seconds:6.2f} s {peak:5.0f} MB")
        peaks.append(peak)
    growth = peaks[1] / peaks[0] - 1
    return [verdict(f"four times the records take {growth:.0%} more memory (bar 15 %)", growth <= 0.15)]


def report_release(folder: Path) -> list[bool]:
    (folder / "recipe.toml").write_text(RECIPE)
    write_table(folder / "table.parquet", RECORDS)
    print(f"\nskdp release, {RECORDS:,} records × {COLUMNS} columns: outliers, bins, noise {_load()}")
    words = ["--recipe", folder / "recipe.toml", "--output", folder / "masked", "--jobs", 2]
    seconds, peak = run("release", folder / "table.parquet", *words)
    return [
        verdict(f"{seconds:.1f} s (bar 60 s)", seconds <= 60),
        verdict(f"peak memory {peak:.0f} MB (bar 2000)", peak < 2000),
    ]


def report_dask(folder: Path) -> list[bool]:
    if importlib.util.find_spec("distributed") is None:
        print('\nDask is not here: pip install -e ".[dask]"')
        return []
    from benchmarks.distributed import report_overhead, report_projection  # which needs what is above

    print()
    passed, cost = report_overhead(folder, RECORDS, rounds=1)
    return passed + report_projection(cost)


def _load() -> str:
    return f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ["synthesize", "scaling", "learning", "release", "dask"]
    parser.add_argument("--skip", nargs="*", default=[], choices=parts, help="parts to leave out")
    parser.add_argument("--rounds", type=int, default=3, help="of each size as the request grows (default 3)")
    options = parser.parse_args(arguments)
    passed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "synthesize" not in options.skip:
            passed += report_synthesize(folder)
        if "scaling" not in options.skip:
            passed += report_scaling(folder, options.rounds)
        if "learning" not in options.skip:
            passed += report_learning(folder)
        if "release" not in options.skip:
            passed += report_release(folder)
        if "dask" not in options.skip:
            passed += report_dask(folder)
    print(f"\n{sum(passed)} of {len(passed)} bars passed")
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
