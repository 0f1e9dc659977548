"""Figures as JSON holds them. Pure."""

import math
from collections.abc import Mapping
from typing import Any


def without_nan(value: Any) -> Any:
    """numpy numbers and arrays as Python's; JSON has no NaN and no infinity: a figure that could not be had is null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
