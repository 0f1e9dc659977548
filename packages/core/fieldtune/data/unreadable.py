"""Pictures that are not there or cannot be read: all are looked at before anything learns or answers, and named together.

A cell of pictures is a path, the bytes of a file, or an array, which was read already. Knows no task.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune.data.images import opened
from fieldtune.errors import InputError
from fieldtune.progress import say

UNREADABLE = "unreadable"
"""The column that says why, beside answers."""
TOLD = 10


def at(cell: Any, folder: Path) -> Any:
    """A text as a path from ``folder``, other cells as they are; None where there is no picture."""
    if isinstance(cell, (str, Path)) and str(cell).strip():
        cell = folder / cell
    there = isinstance(cell, (np.ndarray, bytes)) or (isinstance(cell, Path) and cell.is_file())
    return cell if there else None


def faults(pictures: Sequence[Any]) -> dict[int, str]:
    """Place -> what is wrong with the picture there. Each is unpacked, as a file that was cut looks whole till its end."""
    found = ((place, _fault(picture)) for place, picture in enumerate(pictures) if isinstance(picture, (Path, bytes)))
    return {place: fault for place, fault in found if fault}


def readable(pictures: Sequence[Any], where: str, done: str) -> list[bool]:
    """Whether each can be read; those that cannot are counted on stderr and named, with what is ``done`` with them.

    Raises:
        InputError: none of them can.
    """
    found = faults(pictures)
    if found:
        _refuse_all(found, sum(picture is not None for picture in pictures), where)
        say(f"note: {len(found)} pictures cannot be read, {done} ({where}): {told(found)}")
    return [place not in found for place in range(len(pictures))]


def looked_at(column: pd.Series, folder: Path, where: str, *, optional: Sequence[bool] = ()) -> pd.DataFrame:
    """What is to be answered, in the order it came: the column ``image``, None where there is none to be read.

    Where there are such rows, they are counted on stderr and a column ``unreadable`` says why ("" of the others).

    Args:
        optional: per row, whether it is no fault that it has no picture.

    Raises:
        InputError: there is nothing but such rows.
    """
    cells = [at(cell, folder) for cell in column]
    free = optional or [False] * len(cells)
    found = faults(cells) | {
        place: f"no picture at {str(name)!r}"
        for place, (cell, name) in enumerate(zip(cells, column, strict=True))
        if cell is None and not free[place]
    }
    table = pd.DataFrame(
        {"image": pd.Series([None if n in found else one for n, one in enumerate(cells)], dtype=object)}
    )
    if not found:
        return table
    _refuse_all(found, len(cells) - sum(free), where)
    say(f"note: {len(found)} pictures cannot be read, column {UNREADABLE!r} says why ({where}): {told(found)}")
    return table.assign(**{UNREADABLE: [found.get(place, "") for place in range(len(cells))]})


def told(found: Mapping[int, str]) -> str:
    """The first ten, in order, and how many more."""
    shown = "; ".join(f"row {place}, {found[place]}" for place in sorted(found)[:TOLD])
    return shown + (f"; and {len(found) - TOLD} more" if len(found) > TOLD else "")


def _refuse_all(found: Mapping[int, str], count: int, where: str) -> None:
    if len(found) == count:
        raise InputError(
            "a readable picture", f"none among {count} of {where}: {told(found)}", "correct the paths, or replace them"
        )


def _fault(picture: Path | bytes) -> str:
    try:
        opened(picture)
    except InputError as error:
        return error.found
    return ""
