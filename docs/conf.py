"""How Sphinx builds the site: ``pip install ".[docs]" && sphinx-build -W docs site``. Nothing is fetched."""

import inspect
import re
import sys
from pathlib import Path

import skdp

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from api_reference import page  # noqa: E402

project = "skdp"
author = "The skdp developers"
copyright = "The skdp developers, BSD-3-Clause"
version = release = skdp.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["gallery/**.ipynb", "gallery/**.py", "gallery/**.md5", "gallery/**.json"]
default_role = "py:obj"  # a name in backticks leads to its page, if it has one
myst_heading_anchors = 3
suppress_warnings = ["ref.python"]  # a name in backticks that several classes have: it leads to one of them

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say more
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the template does
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skdp",),
    "default_thumb_file": str(HERE / "_static" / "table.png"),  # for an example without a picture
    "capture_repr": (),  # an example prints what it has to say
    "download_all_examples": False,
    "abort_on_example_error": True,
    "min_reported_time": 10**6,  # times differ from build to build
    "write_computation_times": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skdp {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skdp"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
}
html_sidebars = {name: [] for name in ("getting_started", "choosing", "threats", "benchmarks", "coming_from")}
html_sidebars |= {name: [] for name in ("changelog", "index")}


def keep_trailing_underscores(app, what, name, obj, options, lines):
    """Escape what reStructuredText takes for a link, as in ``shape (n_features_in_,)``."""
    for number, line in enumerate(lines):
        name, colon, kind = line.partition(" : ")
        lines[number] = name + colon + re.sub(r"(?<=\w)_(?=[,)\s]|$)(?![^`]*`)", r"\\_", kind)


def is_inherited_from_elsewhere(app, what, name, obj, skip, options):
    """Leave out what scikit-learn and tuples bring: the site has no pages that their docstrings lead to."""
    function = obj.fget if isinstance(obj, property) else obj
    if inspect.isroutine(function):
        return skip or not (getattr(function, "__module__", None) or "").startswith("skdp")
    return skip


def setup(app):
    """Write the list of public names, and leave out what is not ours."""
    target = HERE / "api" / "index.rst"
    target.parent.mkdir(exist_ok=True)
    if not target.exists() or target.read_text(encoding="utf-8") != page():
        target.write_text(page(), encoding="utf-8")
    app.connect("autodoc-process-docstring", keep_trailing_underscores, priority=100)  # before numpydoc
    app.connect("autodoc-skip-member", is_inherited_from_elsewhere)
