"""The API reference lists every public name, every docstring is complete, and notebooks lead to the right page."""

import importlib
import inspect
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from sklearn.linear_model import LinearRegression

import skdp
from skdp._documentation import DOCUMENTATION
from skdp.recipes import load
from skdp.specifications import Specification

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))
from api_reference import SECTIONS, page, present  # noqa: E402

MODULES = [
    "skdp", "skdp.metrics", "skdp.model_selection", "skdp.private_search", "skdp.plots", "skdp.report", "skdp.recipes",
    "skdp.datasets", "skdp.accounting", "skdp.ledger", "skdp.guarantees", "skdp.mechanisms", "skdp.distributed",
]  # fmt: skip
LISTED = [(section.module, name) for section in present() for name in section.names]
ALLOWED = {
    "ES01": "an extended summary: a short one is often enough",
    "SA01": "See Also: not everything has a neighbour",
    "SA04": "a description in See Also: names say enough",
    "EX01": "an example: methods are shown in that of their class",
    "RT02": "the house names what is returned, as scikit-learn does",
    "GL01": "the summary stands on the line of the quotes, by PEP 257",
    "GL02": "and so do the closing quotes of docstrings of one line",
}


def public_names(module):
    """Return the public functions and classes of a module: those it exports, or else those it defines."""
    mod = importlib.import_module(module)
    if hasattr(mod, "__all__"):
        return list(mod.__all__)
    own = {name: one for name, one in vars(mod).items() if callable(one) and not name.startswith("_")}
    return [name for name, one in own.items() if module == "skdp" or getattr(one, "__module__", None) == module]


FIELDS_ARE_ATTRIBUTES = {"PR01": "what a function returns, and nobody makes: its fields stand under Attributes"}
AS_THE_BASE_SAYS = {"PR01": "the base's docstring says what goes in", "RT01": "and out"}


def documented(module, name):
    """Yield a public object and its public methods and properties, by their dotted names."""
    yield f"{module}.{name}"
    one = getattr(importlib.import_module(module), name)
    if inspect.isclass(one):
        for member in dir(one):
            owner = next((base for base in one.__mro__ if member in vars(base)), object)
            is_ours = owner.__module__.startswith("skdp") and not member.startswith("_")
            if is_ours and (inspect.isroutine(getattr(one, member)) or isinstance(vars(owner)[member], property)):
                yield f"{module}.{name}.{member}"


@pytest.mark.parametrize("module", MODULES)
def test_the_reference_lists_every_public_name(module):
    if not find_spec(module):
        pytest.skip(f"there is no {module}")
    everywhere = {name for _, name in LISTED}
    assert not [name for name in public_names(module) if name not in everywhere]


def test_what_the_reference_lists_exists_and_is_listed_once():
    for module, name in LISTED:
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"
    assert len(LISTED) == len(set(LISTED))
    assert all(name in page() for _, name in LISTED)
    assert [section for section in SECTIONS if find_spec(section.module)] == present()


def errors(name):
    """Return what numpydoc finds missing in the docstring of a dotted name, but for what is allowed."""
    from numpydoc.docscrape import get_doc_object
    from numpydoc.validate import Validator, validate

    doc = Validator(get_doc_object(Validator._load_obj(name)))
    allowed = ALLOWED | (FIELDS_ARE_ATTRIBUTES if lists_its_fields(doc) else {})
    owner, _, method = name.rpartition(".")
    if method in vars(Specification) and owner.rpartition(".")[2] in vars(skdp):
        allowed = allowed | AS_THE_BASE_SAYS
    return [f"{name}: {code} {text}" for code, text in validate(name)["errors"] if code not in allowed]


def lists_its_fields(doc):
    """Whether the object is a record whose fields all stand under Attributes."""
    fields = getattr(doc.obj, "__annotations__", {}) if inspect.isclass(doc.obj) else {}
    return bool(fields) and set(fields) <= {name.lstrip("*") for name in doc_attributes(doc)}


def doc_attributes(doc):
    """Yield the names under Attributes."""
    for one in doc.doc["Attributes"]:
        yield from re.split(r",\s*", one.name)


@pytest.mark.parametrize("module, name", LISTED, ids=lambda part: part)
def test_docstrings_are_complete_by_numpydoc(module, name):
    pytest.importorskip("numpydoc")
    if not callable(getattr(importlib.import_module(module), name)):
        return  # constants have a text below them, which numpydoc does not read
    found = [error for one in documented(module, name) for error in errors(one)]
    assert not found, "\n".join(found)


def undocumented(size, colour="red"):
    """Return a thing.

    Parameters
    ----------
    size : int
        How large.
    """


def test_a_missing_parameter_is_found():
    pytest.importorskip("numpydoc")
    assert any("PR01" in error and "colour" in error for error in errors(f"{__name__}.undocumented"))


def link(estimator):
    """Return where the notebook display of an estimator leads."""
    found = re.search(r'href="(' + re.escape(DOCUMENTATION) + r'[^"]*)"', estimator._repr_html_())
    return found and found[1]


def test_the_display_of_an_estimator_leads_to_its_page():
    """autosummary names a page by the module that lists a name, and that name."""
    pages = {f"{DOCUMENTATION}api/generated/{module}.{name}.html" for module, name in LISTED}
    steps = [skdp.PIICleaner(), skdp.LaplaceNoise(bounds=(0, 1)), skdp.KAnonymizer(), skdp.OutlierDropper()]
    steps += [skdp.FakerSynthesizer({}), skdp.DistributionImputer(), skdp.IntervalBinner([1]), skdp.QuantileBinner()]
    steps += [skdp.GaussianNoise(bounds=(0, 1)), skdp.RandomizedResponse(1, categories=["a", "b"])]
    steps += [skdp.TrainOnKept(skdp.OutlierDropper(), LinearRegression())]
    steps += [importlib.import_module("skdp.private_search").PrivateSearchCV(steps[1], {}, epsilon=1)]
    steps += [skdp.make_pipeline(LinearRegression())]
    for step in steps:
        assert link(step) in pages, step
    assert link(steps[2]).endswith("api/generated/skdp.KAnonymizer.html")


def test_a_pipeline_from_a_recipe_leads_to_the_page_of_its_public_class():
    recipe = load(ROOT / "examples" / "recipes" / "customer_survey.toml")
    assert link(recipe).endswith("api/generated/skdp.Pipeline.html")


def test_a_step_of_somebody_else_leads_nowhere():
    class Own(skdp.KAnonymizer):
        pass

    assert link(Own()) is None
