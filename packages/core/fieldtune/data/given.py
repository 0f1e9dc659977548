"""What a caller gives as a table, in memory or as a path -> a table that no later step stumbles over. Knows no task."""

from pathlib import Path

import numpy as np
import pandas as pd

from fieldtune.data.filled import filled
from fieldtune.data.halves import mended, said
from fieldtune.data.read import check_once, first_row, read_table
from fieldtune.errors import InputError
from fieldtune.progress import say

_NO_TEXT = (bytes, list, tuple, dict, set, np.ndarray)


def given(data: pd.DataFrame | Path | str, *, every_row: bool = False) -> pd.DataFrame:
    """The table itself or the one in that file; halves of characters are replaced, empty rows left out, both counted on
    stderr.

    The index is then the number of each row as its user sees it: the header of a file is row 1, and rows in memory count
    from 0.

    Args:
        every_row: keep empty rows too, for answers that stand beside the rows they are about, and the index as it is.

    Raises:
        InputError: neither a table nor a path, no row, a column that stands twice, and what
            :func:`fieldtune.data.read.read_table` raises.
    """
    if not isinstance(data, (pd.DataFrame, Path, str)):
        raise InputError("a pandas DataFrame or a path", type(data).__name__, "pd.DataFrame(rows, columns=[...])")
    if not isinstance(data, pd.DataFrame):
        return read_table(data, every_row=every_row, numbered=not every_row)
    if not len(data):
        raise InputError("at least one row", "none in the table", "check how it was made")
    check_once(list(data.columns), "the table")
    data = data if every_row else filled(data.set_axis(range(len(data))), "the table")
    if not len(data):
        raise InputError("a row with anything in it", "only empty ones in the table", "check how it was made")
    changed = {name: mended(data[name]) for name in data if data[name].dtype == object}
    found = sum(count for _, count in changed.values())
    if not found:
        return data
    say(said(found, "the table"))
    data = data.copy(deep=False)
    for name, (cells, count) in changed.items():
        if count:
            data[name] = pd.Series(cells, index=data.index, dtype=object)
    return data


def named(data: pd.DataFrame | Path | str) -> str:
    """What messages call it."""
    return "the table" if isinstance(data, pd.DataFrame) else str(data)


def numbered_from(data: pd.DataFrame | Path | str) -> int:
    """The number of the first row of a table read with every row: as the file shows it, or 0 in memory."""
    return first_row(data) if isinstance(data, (Path, str)) else 0


def check_texts(column: pd.Series, where: str) -> None:
    """Raises InputError where a cell is no text, nor a number that reads as one: on which row, as the index numbers it."""
    for row, cell in column.items():
        if isinstance(cell, _NO_TEXT):
            raise InputError(
                f"a text in every cell of column {column.name!r}",
                f"{type(cell).__name__} in row {row} of {where}",
                "write it as text"
                + ("; of a text with several labels, train with multi_label=true" if column.name == "label" else ""),
            )
