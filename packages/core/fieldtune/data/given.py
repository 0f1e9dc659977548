"""What a caller gives as a table, in memory or as a path -> a table that no later step stumbles over. Knows no task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune.data.filled import filled
from fieldtune.data.halves import mended, said
from fieldtune.data.raw import extension
from fieldtune.data.read import read_table
from fieldtune.data.separated import check_once
from fieldtune.errors import InputError
from fieldtune.progress import say

Given = pd.DataFrame | Mapping[str, Any] | Path | str
"""A table, columns by name, or the path of a table."""


def tabled(data: Given) -> pd.DataFrame | Path | str:
    """Columns by name, each a list or an array of cells, as a table; all else as it is.

    Raises:
        InputError: a column that is no list of cells, or columns of several lengths.
    """
    if not isinstance(data, Mapping):
        return data
    wrong = [name for name, column in data.items() if not _cells(column)]
    if wrong:
        found = f"{type(data[wrong[0]]).__name__} for {wrong[0]!r}"
        raise InputError("a list of cells for every column", found, "write {column: [cell, ...], ...}")
    if len({len(column) for column in data.values()}) > 1:
        found = ", ".join(f"{len(column)} of {name!r}" for name, column in data.items())
        raise InputError("as many cells in every column", found, "add or leave out cells")
    columns = {name: list(column) for name, column in data.items()}  # by place, whatever index a column has
    try:
        return pd.DataFrame(columns)
    except UnicodeEncodeError:  # halves of characters, which are replaced where the table is read
        return pd.DataFrame(columns, dtype=object)


def by_name(**given: Any) -> None:
    """Refuse arguments that say by name what something is called instead, and are no dictionary.

    Raises:
        InputError: such an argument, by its name.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, Mapping):
            raise InputError(f"{name} as a dictionary", f"{value!r:.60}", f"give {name}={{name: other name, ...}}")


def _cells(column: Any) -> bool:
    listed = pd.api.types.is_list_like(column, allow_sets=False) and not isinstance(column, Mapping)
    return listed and hasattr(column, "__len__") and getattr(column, "ndim", 1) == 1


def given(data: pd.DataFrame | Path | str, *, every_row: bool = False) -> pd.DataFrame:
    """The table itself or the one in that file; halves of characters are replaced, empty rows left out, both counted on
    stderr.

    The index is then the number of each row as its user sees it: the header of a file is row 1, and rows in memory count
    from 0.

    Args:
        every_row: keep empty rows too, for answers that stand beside the rows they are about, and the index as it is;
            and a table without rows.

    Raises:
        InputError: neither a table nor a path, no row, a column that stands twice, and what
            :func:`fieldtune.data.read.read_table` raises.
    """
    if not isinstance(data, (pd.DataFrame, Path, str)):
        raise InputError(
            "a pandas DataFrame, a dict of columns or a path", type(data).__name__, "pd.DataFrame(rows, columns=[...])"
        )
    if not isinstance(data, pd.DataFrame):
        return read_table(data, every_row=every_row, numbered=not every_row)
    if not len(data) and not (every_row and len(data.columns)):
        raise InputError("at least one row", "none in the table", "check how it was made")
    check_once(list(data.columns), "the table")
    data = data if every_row else filled(data.set_axis(range(len(data))), "the table")
    if not len(data) and not every_row:
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


def with_numbers(data: pd.DataFrame | Path | str) -> tuple[pd.DataFrame, pd.Index]:
    """The table with every row, under the index that answers keep, and the numbers of its rows as its user sees them.

    Raises:
        InputError: as :func:`given`.
    """
    if isinstance(data, (Path, str)) and extension(data) != ".parquet":
        table = read_table(data, every_row=True, numbered=True)
        return table.reset_index(drop=True), table.index
    table, first = given(data, every_row=True), 0 if isinstance(data, pd.DataFrame) else 1
    return table, pd.RangeIndex(first, first + len(table))


def texts_of(column: pd.Series, where: str) -> pd.Series:
    """The texts of a column whose every row is kept, "" where it is empty; of numbers and categories too.

    Raises:
        InputError: as :func:`check_texts`.
    """
    check_texts(column, where)
    return column.astype(object).where(column.notna(), "").astype(str)


def holds_more(cell: Any) -> bool:
    """Whether a cell is no text, number or date: bytes, and what holds several of them, as pandas' own arrays."""
    return isinstance(cell, (bytes, np.ndarray)) or pd.api.types.is_list_like(cell)


def check_texts(column: pd.Series, where: str) -> None:
    """Raises InputError where a cell is no text, nor a number that reads as one: on which row, as the index numbers it."""
    for row, cell in column.items():
        if holds_more(cell):
            raise InputError(
                f"a text in every cell of column {column.name!r}",
                f"{type(cell).__name__} in row {row} of {where}",
                "write it as text"
                + ("; of a text with several labels, train with multi_label=true" if column.name == "label" else ""),
            )
