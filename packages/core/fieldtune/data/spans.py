"""Where a span begins and ends, as tables of any origin say it. Knows no text."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def place(span: Mapping[str, Any]) -> tuple[int, int]:
    """Its start and end: whole numbers, or texts that are ones, as programs that write CSV leave them.

    Raises:
        TypeError, KeyError, ValueError, OverflowError: another thing.
    """
    return _whole(span["start"]), _whole(span["end"])


def _whole(value: Any) -> int:
    truth = isinstance(value, (bool, np.bool_))
    whole = value.strip().isdecimal() if isinstance(value, str) else not truth and value == int(value)
    if not whole:
        raise ValueError("no whole number")
    return int(value)
