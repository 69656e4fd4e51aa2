"""The plugin that repeats tests that draw fresh random bits."""

import subprocess
import sys
from pathlib import Path

TESTS = """
import numpy as np
from skdp.mechanisms import secure_source

def test_fails_in_one_of_four_runs(tmp_path):
    (tmp_path / "own").mkdir()  # a folder of its own in each run
    assert secure_source().words(1, np.uint8)[0] >= 64

def test_never_fails():
    assert secure_source().words(1, np.uint8)[0] < 256

def test_draws_nothing(calls=[]):
    calls.append(None)
    assert len(calls) == 1
"""


def test_a_test_that_fails_by_chance_is_found_and_others_are_run_once(tmp_path):
    """A run takes some ms: of 100 runs, none fails with a probability below 1e-12."""
    (tmp_path / "test_planted.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.chance", "--again", "1", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=300)
    assert "1 failed, 2 passed" in done.stdout
    assert "test_fails_in_one_of_four_runs" in done.stdout
    assert "runs failed" in done.stdout
