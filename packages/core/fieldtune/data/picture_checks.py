"""What is told of pictures that are not all of one make: they become so when they are read. Knows no task."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fieldtune.data.checks import Finding
from fieldtune.data.images import Header, header
from fieldtune.data.unreadable import LEFT_OUT, UNREADABLE


def mixed(pictures: Sequence[Any]) -> list[Finding]:
    """Kinds mixed-sizes, mixed-modes, and animated: only a first frame is read. Headers alone are looked at.

    Raises:
        InputError: no picture, or an enormous one.
    """
    headers = [header(picture) for picture in pictures]
    return [*_sizes(headers), *_modes(headers), *_animated(headers)]


def unreadable(table: pd.DataFrame, findings: Sequence[Finding]) -> list[Finding]:
    """Findings on a table as it was read -> on what it was read from: rows left out count, and kind unreadable comes first."""
    lost, left_out = table.attrs.get(UNREADABLE, ()), set(table.attrs.get(LEFT_OUT, ()))
    if left_out:
        places = [place for place in range(len(table) + len(left_out)) if place not in left_out]
        findings = [one._replace(rows=tuple(places[row] for row in one.rows)) for one in findings]
    if not lost:
        return list(findings)
    message = f"pictures that are not there or cannot be read: {len(lost)} rows"
    return [Finding("unreadable", "warning", message, lost), *findings]


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
