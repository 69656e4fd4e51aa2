"""A plugin that repeats the tests that draw fresh random bits, to find those that fail by chance.

    python -m pytest -p tests.chance --again 3 -n 2

Each test function that asks the operating system for random bits, by way of skdp or by itself, runs again and again for
so many seconds, with new fixtures of its own each time. It fails if it failed once, and says in how many of its runs.
"""

import os
import random
import sys
import time
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

HERE = Path(__file__).parent
SOURCES = {str(HERE.parent / "skdp" / name) for name in ("mechanisms.py", "_streams.py")}
_draws = 0


def pytest_addoption(parser):
    parser.addoption("--again", type=float, default=0.0, help="seconds for which to repeat a test that draws afresh")


def pytest_configure(config):
    os.urandom = random._urandom = _counted(os.urandom)  # the latter is what `secrets` asks, and NumPy through it


def _counted(urandom):
    def counting(size):
        global _draws
        frame = sys._getframe(1)
        while frame.f_code.co_filename == random.__file__:
            frame = frame.f_back
        name = frame.f_code.co_filename
        _draws += name in SOURCES or Path(name).parent == HERE
        return urandom(size)

    return counting


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Run an item, again until its seconds are over if it draws, and report the first run that failed, or the first."""
    seconds, before = item.config.getoption("again"), _draws
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    end, runs = time.monotonic() + seconds, [runtestprotocol(item, log=False, nextitem=item.parent)]
    while _draws > before and isinstance(item, pytest.Function) and time.monotonic() < end:
        runs.append(runtestprotocol(item, log=False, nextitem=item.parent))
    item.session._setupstate.teardown_exact(nextitem)
    failed = [run for run in runs if any(report.failed for report in run)]
    for report in failed[0] if failed else runs[0]:
        if failed and report.failed:
            report.sections.append(("chance", f"{len(failed)} of {len(runs)} runs failed"))
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
