"""Dask beside the streaming command, on one machine: ``python -m benchmarks.distributed``.

Prints how long `skdp synthesize` (two threads) and `skdp.distributed.synthesize` (a local cluster of two worker
processes of one thread) take for the same travellers, each in a process of its own that ends with a Parquet folder, by
turns; how long the client needs to plan 1,000,000,000 records; and what follows for these on 16 workers. Returns 1 if
a bar is missed. Other work on the machine slows it: the load is printed.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import parquet

from benchmarks.scale import _load, synthesize
from benchmarks.synthesis import verdict

RECORDS = 10_000_000
FAR = 1_000_000_000
WORKERS = 16
TASK_SECONDS = 0.001  # of the scheduler, for each task: what Dask's documentation counts with
JOB = """
import sys, time
import pandas as pd
from distributed import Client, LocalCluster
from skdp.distributed import synthesize

if __name__ == "__main__":
    request, output = sys.argv[1:]
    start = time.perf_counter()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        up = time.perf_counter()
        synthesize(pd.read_csv(request), recipe="travel", seed=1).to_parquet(output, write_index=False)
        done = time.perf_counter()
    print(up - start, done - up)
"""


def command(folder: Path, records: int) -> tuple[float, float]:
    """Return the wall seconds and the processor seconds of the streaming command."""
    before = processor_seconds()
    seconds, _ = synthesize(folder, records)
    return seconds, processor_seconds() - before


def processor_seconds() -> float:
    """Return the processor time of all processes that have ended under this one, which other work does not slow."""
    return sum(os.times()[2:4])


def dask(folder: Path, records: int) -> tuple[float, float, float, float]:
    """Return the wall and the processor seconds of the whole process, and the wall seconds of its start and its job."""
    request_of(records).to_csv(folder / "request.csv", index=False)
    script, output = folder / "job.py", folder / f"people-{time.monotonic_ns()}"
    script.write_text(JOB)
    start, before = time.perf_counter(), processor_seconds()
    words = [sys.executable, script, folder / "request.csv", output]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=paths)
    seconds = time.perf_counter() - start
    assert sum(parquet.read_metadata(path).num_rows for path in output.glob("*.parquet")) == records
    size = sum(path.stat().st_size for path in output.glob("*.parquet"))
    for path in output.iterdir():
        path.unlink()
    print(f"  Dask wrote {size / records:.0f} bytes a record")
    up, job = map(float, done.stdout.split()[-2:])
    return seconds, processor_seconds() - before, up, job


def request_of(records: int) -> pd.DataFrame:
    halves = [records // 2, records - records // 2]
    return pd.DataFrame({"Country": ["MEXICO", "RUSSIA"], "Year": [2020, 2016], "Records": halves})


def report_overhead(folder: Path, records: int, rounds: int) -> tuple[list[bool], float]:
    """Print both times; return the verdicts, and the seconds that a record takes one worker."""
    print(f"{records:,} travellers to a Parquet folder, two workers {_load()}")
    found = [(command(folder, records), dask(folder, records)) for _ in range(rounds)]  # a slow spell slows both
    own, own_processor = np.median([one for one, _ in found], axis=0)
    whole, processor, up, job = np.median([other for _, other in found], axis=0)
    print(f"  command {own:.1f} s, {own_processor:.1f} s of processors")
    print(
        f"  Dask {whole:.1f} s, {processor:.1f} s of processors: {up:.1f} s to start the cluster, {job:.1f} s the table"
    )
    print(
        f"  on a cluster that runs already {job / own - 1:+.0%}; in processor time {processor / own_processor - 1:+.0%}"
    )
    overhead = whole / own - 1
    return [verdict(f"overhead of Dask {overhead:+.0%} (bar +25 %)", overhead <= 0.25)], 2 * job / records


def report_projection(cost: float) -> list[bool]:
    """Print what 1,000,000,000 records take on 16 workers, if nothing gets in their way."""
    from skdp.distributed import synthesize as planned

    start = time.perf_counter()
    people = planned(request_of(FAR), seed=1)
    tasks = len(people.dask)
    plan = time.perf_counter() - start
    print(f"\n{FAR:,} records on {WORKERS} workers of one thread, projected")
    print(f"  {people.npartitions:,} partitions of at most 262,144 records, planned by the client in {plan:.1f} s")
    rounds = math.ceil(people.npartitions / WORKERS)
    work = rounds * 262_144 * cost
    scheduling = tasks * TASK_SECONDS
    print(f"  {cost * 1e6:.1f} µs a record and worker (measured above, writing included)")
    print(f"  {rounds} rounds of partitions: {work / 60:.0f} min; {tasks:,} tasks of 1 ms: {scheduling:.0f} s")
    print(f"  in all {(plan + work + scheduling) / 60:.0f} min, if")
    print("  - a worker is as fast as one of these two, which share this machine's memory and disk;")
    print("  - the storage takes what 16 workers write at once (bytes a record as above);")
    print("  - no worker dies: each partition that is lost is made again, some seconds each;")
    print("  - the scheduler's share is not hidden behind the work, though it is.")
    return [verdict(f"planned in {plan:.1f} s (bar 60 s)", plan <= 60)]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=RECORDS, help="to compare at (default 10,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each (default 3)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        passed, cost = report_overhead(Path(name), options.records, options.rounds)
    passed += report_projection(cost)
    print(f"\n{sum(passed)} of {len(passed)} bars passed")
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
