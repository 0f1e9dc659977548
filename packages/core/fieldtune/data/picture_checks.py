"""What is told of pictures that are not all of one make: they become so when they are read. Knows no task."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fieldtune.data.checks import Finding
from fieldtune.data.images import Header, header
from fieldtune.data.unreadable import UNREADABLE


def mixed(pictures: Sequence[Any]) -> list[Finding]:
    """Kinds mixed-sizes, mixed-modes, and animated: only a first frame is read. Headers alone are looked at.

    Raises:
        InputError: no picture, or an enormous one.
    """
    headers = [header(picture) for picture in pictures]
    return [*_sizes(headers), *_modes(headers), *_animated(headers)]


def lost(table: pd.DataFrame) -> list[Finding]:
    """Kind unreadable, of the pictures that went when the table was read; its rows are numbers of what it was read from."""
    rows = table.attrs.get(UNREADABLE, ())
    message = f"pictures that are not there or cannot be read: {len(rows)} rows"
    return [Finding("unreadable", "warning", message, rows)] if rows else []


def _sizes(headers: Sequence[Header]) -> list[Finding]:
    sizes = sorted({(one.height, one.width) for one in headers}, key=lambda size: size[0] * size[1])
    if len(sizes) < 2:
        return []
    told = " to ".join(f"{width} x {height}" for height, width in (sizes[0], sizes[-1]))
    return [Finding("mixed-sizes", "warning", f"pictures of {len(sizes)} sizes, {told}, are scaled to one", ())]


def _modes(headers: Sequence[Header]) -> list[Finding]:
    kinds: dict[str, list[int]] = {}
    for row, one in enumerate(headers):
        kinds.setdefault(one.mode, []).append(row)
    if len(kinds) < 2:
        return []
    usual = max(kinds, key=lambda kind: len(kinds[kind]))
    told = ", ".join(f"{len(rows)} {kind}" for kind, rows in sorted(kinds.items()))
    rows = tuple(sorted(row for kind, own in kinds.items() if kind != usual for row in own))
    return [Finding("mixed-modes", "warning", f"pictures of several modes ({told}) are read alike", rows)]


def _animated(headers: Sequence[Header]) -> list[Finding]:
    rows = tuple(row for row, one in enumerate(headers) if one.frames > 1)
    return (
        [Finding("animated", "warning", f"of animated pictures the first frame is read: {len(rows)} rows", rows)]
        if rows
        else []
    )
