"""Gaussian noise against what a user would pick instead, in one run: ``python -m benchmarks.gaussian``.

Prints nanoseconds a value on 1,000,000 floats and integers beside NumPy's unsafe sampler and OpenDP's exact one (if it
is installed), and how the time grows from 100,000 to 10,000,000 rows.
"""

import argparse
import importlib.util
import sys

import numpy as np
import pandas as pd

from benchmarks.masking import ROWS, SIZES, in_turns, table
from benchmarks.synthesis import verdict
from skdp.gaussian import GaussianNoise
from skdp.noise import LaplaceNoise


def report_speed(repeats: int) -> list[bool]:
    frame = table(ROWS)
    whole = pd.DataFrame({"x": np.clip(frame["x"], 0, 500).astype(np.int64)})
    values, rng = frame["x"].to_numpy(), np.random.default_rng()
    noise = GaussianNoise(1.0, bounds=(0, 500)).fit(frame)
    integers = GaussianNoise(1.0, bounds=(0, 500)).fit(whole)
    laplace = LaplaceNoise(1.0, bounds=(0, 500)).fit(frame)
    found = in_turns(
        {
            "GaussianNoise": lambda: noise.transform(frame),
            "GaussianNoise, integers": lambda: integers.transform(whole),
            "LaplaceNoise": lambda: laplace.transform(frame),
            "NumPy, unsafe": lambda: values + rng.normal(scale=noise.scale_["x"], size=len(values)),
        },
        repeats,
    )
    nanoseconds = {name: seconds / ROWS * 1e9 for name, seconds in found.items()} | exact_peers(noise.scale_["x"])
    print(
        f"noise on {ROWS:,} values, ns a value: " + ", ".join(f"{name} {one:.1f}" for name, one in nanoseconds.items())
    )
    passed = []
    for name in ("GaussianNoise", "GaussianNoise, integers"):
        ratio = nanoseconds[name] / nanoseconds["NumPy, unsafe"]
        passed.append(verdict(f"{name} {ratio:.2f} times NumPy's unsafe sampler (bar 10)", ratio <= 10))
    return passed


def exact_peers(scale: float, size: int = 2_000) -> dict[str, float]:
    """Return nanoseconds a value of OpenDP's Gaussian, on a vector of floats and of integers."""
    if not importlib.util.find_spec("opendp"):
        return {}
    import opendp.prelude as dp

    dp.enable_features("contrib")
    values, found = np.random.default_rng(0).uniform(0, 500, size), {}
    for name, kind, given in (("floats", float, values.tolist()), ("integers", int, values.astype(int).tolist())):
        atoms = dp.atom_domain(T=float, nan=False) if kind is float else dp.atom_domain(T=int)
        mechanism = dp.m.make_gaussian(dp.vector_domain(atoms), dp.l2_distance(T=float), scale=scale)
        taken = in_turns({"": lambda mechanism=mechanism, given=given: mechanism(given)}, 3)[""]
        found[f"OpenDP, {name}"] = taken / size * 1e9
    return found


def report_scaling(repeats: int) -> list[bool]:
    step, seconds = GaussianNoise(1.0, bounds=(0, 500)), []
    for rows in SIZES:
        frame = table(rows)
        seconds.append(in_turns({"": lambda frame=frame: step.fit_transform(frame)}, repeats)[""])
        print(f"  {rows:>10,} rows: fit_transform {seconds[-1] * 1e3:.2f} ms")
    exponent = np.polyfit(np.log(SIZES), np.log(seconds), 1)[0]
    return [verdict(f"GaussianNoise grows by exponent {exponent:.3f} (bar 1.05)", exponent <= 1.05)]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="of each timing (default 9)")
    options = parser.parse_args(arguments)
    passed = report_speed(options.repeats) + report_scaling(max(options.repeats // 2, 3))
    print(f"\n{sum(passed)} of {len(passed)} bars passed")
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
