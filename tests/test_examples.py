"""Every example runs as a script, without a warning and without a display, and says what it is about."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAID = {
    "plot_01_synthesize_travellers": ["(2191, 22)"],
    "plot_02_mask_a_customer_table": [
        "5,000 rows in, 4,999 out",
        "ε = 1 for each record, local (replace one record); columns: CreditDebt, OtherDebt",
    ],
    "plot_03_who_can_be_singled_out": [
        "masked, k = 5      0 of 4,999 records are alone; the smallest class has 5",
        "with l_diversity=2: 0%",
        "not differential privacy",
    ],
    "plot_04_tune_privacy": [
        "ε of at most 1740 for 61 fits: fits 570, scores 1140, refit at most 30",
        "No candidate reaches k >= 250 and epsilon <= 1. The nearest is",
        "12 candidates searched; the ledger still reads 10",
        "ε = 20 for each record, central (replace one record)",
    ],
    "plot_05_data_safety_report": [
        "with at least 4 others.",
        "There is no differential privacy guarantee for a record",
        "after   k = 5, 0 records alone in their class",
        "report.html",
    ],
}


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("plot_*.py")))
def test_an_example_runs_as_a_script_from_any_folder(name, tmp_path):
    command = [sys.executable, "-W", "error", ROOT / "examples" / f"{name}.py"]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in SAID[name]:
        assert words in done.stdout
