"""Figures as JSON holds them, and as a line of text does. Pure."""

import math
from collections.abc import Mapping
from typing import Any

_LONG = 1e9
"""From here on a figure is its first digits and an exponent."""


def brief(value: float, digits: int = 3, sign: str = "-") -> str:
    """A figure with so many decimals; of one that is very large the first digits, ``-5.9e+56``; ``sign`` "+" shows a plus."""
    return f"{value:{sign}.{digits}f}" if abs(value) < _LONG else f"{value:{sign}.3g}"


def without_nan(value: Any) -> Any:
    """numpy numbers and arrays as Python's; JSON has no NaN and no infinity: a figure that could not be had is null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
