"""The design's import rules: each layer imports only from those before it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "skdp"
LAYERS = [
    {"_start"},
    {"_checks", "_terminal", "_documentation", "_countries", "_rationals", "_inversion"}
    | {"_gaussian_scale", "_laplace_grid", "_arrays"},
    {"_series", "_frames", "_levels", "mechanisms", "accounting", "metrics", "_streams", "_ledger_file"}
    | {"_scales", "_mondrian", "_hierarchies", "_generalisation"},
    {"_checked_columns", "_addresses", "_quantiles", "_sampling", "_faker_*"},
    {"_noisy_counts", "_noisy_quantiles", "bounds", "_learning"},
    {"_constraints", "_suppression", "_calibration", "_discrete_gaussian", "_summaries", "_partial"}
    | {"_number_summaries", "_fences", "_coding", "_fragments", "_coarse_classes", "_metric_privacy"}
    | {"_intervals", "_public_cells", "_given_distributions"},
    {"_parts", "_files", "base", "specifications", "ledger"},
    {"_folders", "_chunks"},
    {"synthesis", "cleaning", "imputation", "outliers", "binning", "noise", "gaussian", "anonymity"},
    {"_row_metadata", "pipeline", "guarantees", "_flows"},
    {"_trials"},
    {"model_selection", "private_search"},
    {"_inspection"},
    {"plots"},
    {"_report_columns", "_report_texts"},
    {"_report_names"},
    {"_report_tables"},
    {"_report_figures"},
    {"_report_pictures"},
    {"_report_pages"},
    {"report"},
    {"_recipe_values"},
    {"_recipe_files"},
    {"recipes"},
    {"_released", "_streaming", "_passage", "_report_files", "_learned_files"},
    {"_chunkwise", "_charges"},
    {"_jobs", "_partitions", "_dask_tables"},
    {"distributed", "cli", "datasets"},
    {"__init__", "__main__"},
]
STEPS = next(layer for layer in LAYERS if "noise" in layer)
ONLY_IN = {
    "narwhals": {"_frames", "_series"},
    "polars": {"_frames"},
    "faker": {"_faker_*", "synthesis", "datasets"},
    "matplotlib": {"plots", "_report_pages"},
    "dask": {"distributed", "_dask_tables"},
    "gender_guesser": {"cleaning"},
    "datasketches": {"_number_summaries"},
    "sqlite3": {"_ledger_file"},
    "dp_accounting": {"accounting"},
}
DRAWS = {"_calibration", "_discrete_gaussian", "_learning", "_noisy_counts", "imputation", "noise", "private_search"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    """Return the name of a module's room: the file, or the folder directly in the package."""
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "_faker_*" if name.startswith("_faker_") else name


def imported(path):
    """Yield the full names of what a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path):
    """Yield the rooms of skdp that a module imports."""
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "skdp" and len(parts) > 1:
            inside = (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").exists()
            yield room(PACKAGE / parts[1]) if inside else "__init__"


def layer(name):
    return next(number for number, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_module_imports_only_from_layers_before_it(path):
    own = room(path)
    for other in set(rooms_imported(path)) - {own}:
        assert layer(other) <= layer(own), f"{own} imports {other}"
        assert not (own in STEPS and other in STEPS), f"step modules meet in a pipeline: {own} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_are_imported_only_where_the_design_says(path):
    for library in {name.split(".")[0] for name in imported(path)}:
        assert room(path) in ONLY_IN.get(library, {room(path)}), f"{room(path)} imports {library}"


def test_noise_is_drawn_only_by_those_who_account_for_it():
    assert {room(path) for path in MODULES if "mechanisms" in rooms_imported(path)} == DRAWS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_private_of_scikit_learn_is_imported(path):
    for name in imported(path):
        parts = name.split(".")
        assert parts[0] != "sklearn" or not any(part.startswith("_") for part in parts), name


def test_the_package_itself_holds_no_code():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    assert {type(node) for node in tree.body} <= {ast.Expr, ast.ImportFrom, ast.Assign}


def test_heavy_libraries_wait_until_they_are_needed():
    heavy = ["faker", "polars", "matplotlib", "dask", "mlxtend", "gender_guesser", "babel", "cryptography", "tqdm"]
    code = f"import sys, skdp; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
