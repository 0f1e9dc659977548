"""What each parameter-efficient method is built with: names, ranges, and the check of what a file says (pure)."""

import math
from collections.abc import Mapping
from typing import Any

from fieldtune.errors import ConfigError

_LOW_RANK = ("rank", "alpha")
OPTIONS: dict[str, tuple[str, ...]] = {
    "lora": _LOW_RANK,
    "dora": _LOW_RANK,
    "adalora": _LOW_RANK,
    "ia3": (),
    "prefix": ("prefix_length",),
    "adapter": ("adapter_size", "adapter_places"),
}
"""Method -> its options, settings of the same names."""
RANGES: dict[str, tuple[float, float]] = {
    "rank": (1, 4096), "alpha": (1e-3, math.inf), "adapter_size": (1, 4096), "prefix_length": (1, 512),
}  # fmt: skip
PLACES = ("feed-forward", "both")


def checked(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they were read, none missing and all within their ranges: a wrong size would take all memory.

    Raises:
        ConfigError: a method without options of its own here, or others than its own.
    """
    own = OPTIONS.get(method)
    if own is None or set(options) != set(own):
        raise ConfigError(
            f"{', '.join(own or ()) or 'no options'} of method {method}", repr(options)[:80], "save again"
        )
    for name, value in options.items():
        if not (value in PLACES if name == "adapter_places" else _within(name, value)):
            raise ConfigError(f"a usable {name} of method {method}", repr(value)[:80], "save again")
    return dict(options)


def _within(name: str, value: Any) -> bool:
    least, most = RANGES[name]
    number = isinstance(value, int) or (name == "alpha" and isinstance(value, float))
    return number and math.isfinite(value) and least <= value <= most
