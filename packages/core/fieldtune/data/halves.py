"""Halves of characters (lone surrogates) in the cells of a table: JSON can hold them, no tokenizer and no file can. Pure."""

from collections.abc import Iterable
from operator import is_
from typing import Any

import numpy as np

from fieldtune.text.normalise import whole


def mended(cells: Iterable[Any]) -> tuple[list[Any], int]:
    """The cells with U+FFFD in place of such halves, in lists and objects too, and how many cells that changed."""
    before = list(cells)
    after = [_mended(cell) for cell in before]
    return after, sum(new is not old for old, new in zip(before, after, strict=True))


def said(count: int, where: str) -> str:
    """What was mended, for people."""
    return f"note: {count} cells with halves of characters, replaced by \ufffd ({where})"


def _mended(value: Any) -> Any:
    """The same object where nothing is to mend."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        fields = [(_mended(name), _mended(inner)) for name, inner in value.items()]
        same = all(name is old and inner is value[old] for old, (name, inner) in zip(value, fields, strict=True))
        return value if same else dict(fields)
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object and value.ndim):
        before = value if isinstance(value, list) else value.tolist()
        items = [_mended(inner) for inner in before]
        return value if all(map(is_, before, items)) else items
    return value
