"""What `fit` is given beside X (y, sample weights, a validation set): for which step, and cut along with the rows."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.utils.metadata_routing import get_routing_for_object, process_routing

from skdp import _frames


def step_params(pipeline: Any, name: str, method: str, params: dict) -> dict:
    """Return the metadata for one step that is fitted by `method`; raise for any that is for none."""
    if get_config()["enable_metadata_routing"]:
        return process_routing(pipeline, method, **params)[name]["fit_transform"]
    owned = {param: param.partition("__") for param in params}
    for param, (step, _, rest) in owned.items():
        if not rest or step not in pipeline.named_steps:
            raise ValueError(
                f"Pipeline.{method} does not accept the {param} parameter. Name the step it is for, as in "
                f"{pipeline.steps[-1][0]}__{param}."
            )
    return {rest: params[param] for param, (step, _, rest) in owned.items() if step == name}


def params_of(part: Any, method: str, params: dict) -> dict:
    """Return the metadata that the steps of a part of a pipeline are to get."""
    if get_config()["enable_metadata_routing"]:
        return {name: params[name] for name in get_routing_for_object(part).consumes(method, params)}
    return {name: value for name, value in params.items() if name.partition("__")[0] in part.named_steps}


def cut_params(
    params: dict, keep: np.ndarray, transform_input: Collection[str] | None = None, transform: Callable | None = None
) -> dict:
    """Return the metadata for what comes behind a step that drops rows: cut to the rows where `keep` is True.

    What does not have one entry per row is passed on whole; what `transform_input` names goes through `transform`.
    """

    def served(value):
        return tuple(map(served, value)) if isinstance(value, tuple) else transform(value)

    whole = transform_input or ()
    return {
        name: served(value) if name in whole else cut(value, keep) if _is_aligned(value, keep) else value
        for name, value in params.items()
    }


def cut(values: Any, keep: np.ndarray) -> Any:
    """Return the entries where `keep` is True, in the container of `values`; None stays None."""
    return values if values is None or keep.all() else _frames.cut(values, keep)


def _is_aligned(values: Any, keep: np.ndarray) -> bool:
    """Whether there is one entry per row."""
    if isinstance(values, list | tuple):
        return len(values) == len(keep)
    return bool(getattr(values, "shape", ())) and values.shape[0] == len(keep)
