"""Where the documentation is, so that the notebook display of an estimator leads to its page."""

import sys

DOCUMENTATION = "https://skdp.readthedocs.io/en/latest/"  # where the site is put: the one place to change it


class DocumentedMixin:
    """Has the display of an estimator in a notebook link to its page in the API reference.

    The three attributes are those that scikit-learn reads for estimators of other libraries.
    """

    _doc_link_module = "skdp"
    _doc_link_template = DOCUMENTATION + "api/generated/{name}.html"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"name": public_name(type(self))}


def public_name(cls: type) -> str:
    """Return the name under which a class, or its nearest public base, is listed: by the package, or by its module."""
    cls = next(one for one in cls.__mro__ if "._" not in one.__module__)
    exported = getattr(sys.modules.get("skdp"), cls.__name__, None) is cls
    return f"skdp.{cls.__name__}" if exported else f"{cls.__module__}.{cls.__qualname__}"
