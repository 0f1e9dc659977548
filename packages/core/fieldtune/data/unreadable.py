"""Pictures that are not there or cannot be read: all are looked at before anything learns or answers, and named together.

A cell of pictures is a path, the bytes of a file, or an array, which was read already. Knows no task.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune.data.filled import empty
from fieldtune.data.images import opened
from fieldtune.data.numbered import counted
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.text.shown import some_of

UNREADABLE = "unreadable"
"""The column that says why, beside answers; and the attribute of a table with the numbers of the lost pictures' rows."""
TOLD = 10


def pictures_of(
    column: pd.Series, folder: Path, where: str, done: str, *, optional: Sequence[bool] = ()
) -> tuple[pd.Series, pd.Index]:
    """The pictures of rows to learn from, None where there is none to be read, and the numbers of those that were lost.

    These are counted on stderr and named, with what is ``done`` with them.

    Args:
        column: texts and paths count from ``folder``; the index numbers the rows for people.
        optional: per row, whether it is no fault that it names no picture.

    Raises:
        InputError: none of them can be read.
    """
    cells, found = _looked(column, folder, optional)
    if found:
        if len(found) == len(cells) - sum(optional):
            raise InputError(
                "a readable picture", f"none among {len(found)} of {where}: {told(found, column.index)}",
                "correct the paths, which count from the table's folder, or replace the files",
            )  # fmt: skip
        say(f"note: {len(found)} pictures cannot be read, {done} ({where}): {told(found, column.index)}")
    return pd.Series(cells, index=column.index, dtype=object), column.index[list(found)]


def looked_at(column: pd.Series, folder: Path, where: str, *, optional: Sequence[bool] = ()) -> pd.DataFrame:
    """What is to be answered, in the order it came: the column ``image``, None where there is none to be read.

    Where there are such rows, all of them even, they are counted on stderr and a column ``unreadable`` says why ("" of
    the others). Args: see :func:`pictures_of`.
    """
    cells, found = _looked(column, folder, optional)
    table = pd.DataFrame({"image": pd.Series(cells, dtype=object)})
    if not found:
        return table
    say(
        f"note: {len(found)} pictures cannot be read, column {UNREADABLE!r} says why ({where}): {told(found, column.index)}"
    )
    return table.assign(**{UNREADABLE: [found.get(place, "") for place in range(len(cells))]})


def marked(kept: pd.DataFrame, lost: pd.Index) -> pd.DataFrame:
    """The rows that are kept, counted from 0; for ``data check`` their numbers and those of lost pictures are noted."""
    table = counted(kept)
    table.attrs[UNREADABLE] = tuple(lost.tolist())
    return table


def say_gone(before: Iterable[str], after: Iterable[str], where: str) -> None:
    """Name the labels that went with their last picture."""
    gone = sorted(set(before) - set(after))
    if gone:
        say(f"note: no picture is left of the labels {some_of(map(repr, gone), TOLD)} ({where})")


def told(found: Mapping[int, str], rows: pd.Index) -> str:
    """The first ten, in order, by the numbers of their rows, and how many more."""
    return some_of((f"row {rows[place]}, {found[place]}" for place in sorted(found)), TOLD, "; ")


def _looked(column: pd.Series, folder: Path, optional: Sequence[bool]) -> tuple[list[Any], dict[int, str]]:
    """The cells, None where there is no picture to be read, and place -> why, but where that is no fault.

    Each is unpacked, as a file that was cut looks whole till its end.
    """
    cells, found = [_at(cell, folder) for cell in column], dict[int, str]()
    for place, (cell, name) in enumerate(zip(cells, column, strict=True)):
        if isinstance(cell, (Path, bytes)) and (fault := _fault(cell)):
            found[place] = fault
        elif cell is None and not (optional and optional[place]):
            found[place] = f"no picture: {'' if empty(name) else name!r:.60}"
    return [None if place in found else cell for place, cell in enumerate(cells)], found


def _at(cell: Any, folder: Path) -> Any:
    """A text as a path from ``folder``, bytes and arrays as they are; None for what is no picture."""
    if isinstance(cell, (str, Path)) and str(cell).strip():
        return folder / cell
    return cell if isinstance(cell, (np.ndarray, bytes)) else None


def _fault(picture: Path | bytes) -> str:
    try:
        opened(picture)
    except InputError as error:
        return error.found
    return ""
