"""Halves of characters (lone surrogates) in the cells of a table: JSON can hold them, no tokenizer and no file can. Pure."""

from collections.abc import Iterable
from typing import Any

from fieldtune.text.normalise import whole


def mended(cells: Iterable[Any]) -> tuple[list[Any], int]:
    """The cells with U+FFFD in place of such halves, in lists and objects too, and how many cells that changed."""
    before = list(cells)
    after = [_mended(cell) for cell in before]
    return after, sum(isinstance(old, (str, list, dict)) and old != new for old, new in zip(before, after, strict=True))


def said(count: int, where: str) -> str:
    """What was mended, for people."""
    return f"note: {count} cells with halves of characters, replaced by \ufffd ({where})"


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [_mended(inner) for inner in value]
    return {_mended(name): _mended(inner) for name, inner in value.items()} if isinstance(value, dict) else value
