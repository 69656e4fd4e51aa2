"""Every block of code in the README and on the site's pages runs, top to bottom, and prints what the page says."""

import contextlib
import doctest
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from skdp.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "gallery" not in path.parts)]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NEEDS = {"pictures": "matplotlib", "distributed": "dask"}  # pages that need an extra


def failures(text, page="page"):
    """Run the blocks of a page in one namespace; return what went otherwise than the page says."""
    found, names = [], {}
    for kind, block in BLOCK.findall(text):
        run = _python if kind == "python" else _console
        found += run(block, names, page)
    return found


def _python(block, names, page):
    if ">>>" not in block:
        exec(compile(block, page, "exec"), names)
        return []
    test = doctest.DocTestParser().get_doctest(block, names, page, page, 0)
    report = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.write, clear_globs=False)
    names.update(test.globs)
    return [report.getvalue()] if report.getvalue() else []


def _console(block, names, page):
    found = []
    for command, said in re.findall(r"^\$ skdp (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = main(shlex.split(command))
        same = not said.strip() or doctest.OutputChecker().check_output(said, output.getvalue(), LENIENT)
        if status or not same:
            found.append(f"{page}: skdp {command} returned {status} and printed\n{output.getvalue()}")
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder that holds the examples and nothing else, as a reader's checkout does."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_of_a_page_does_what_the_page_says(path, folder):
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem])
    found = failures(path.read_text(encoding="utf-8"), path.name)
    assert not found, "\n".join(found)


def test_a_wrong_output_on_a_page_is_found(folder):
    assert failures("```python\n>>> 1 + 1\n3\n\n```\n")
    assert failures("```console\n$ skdp synthesize examples/bulk_request.csv --output people.csv\n1 record\n```\n")
    assert not failures("```python\n>>> a = 2\n\n```\ntext\n```python\n>>> a\n2\n\n```\n")


def test_no_command_line_or_session_of_python_escapes_the_tests():
    for path in PAGES:
        text = BLOCK.sub("", path.read_text(encoding="utf-8"))
        assert ">>>" not in text, path.name
        assert "$ skdp" not in text, path.name
