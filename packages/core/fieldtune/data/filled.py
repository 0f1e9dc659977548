"""Rows of a table in which no cell holds anything: what a spreadsheet leaves below or between its rows. Knows no task."""

from typing import Any

import numpy as np
import pandas as pd

from fieldtune.progress import say
from fieldtune.text.normalise import blank


def empty(cell: Any) -> bool:
    """None, NaN and their like, and texts with nothing to see in them."""
    if isinstance(cell, str):
        return blank(cell)
    return cell is None or (pd.api.types.is_scalar(cell) and bool(pd.isna(cell)))


def filled(frame: pd.DataFrame, where: str, *, renumbered: bool = False) -> pd.DataFrame:
    """The table without rows that are empty from end to end, which are counted on stderr; the same table if none is.

    The rows that stay keep their index, unless the caller counts them anew (``renumbered``), which is said too.
    """
    rows = np.arange(len(frame))
    for place in range(frame.shape[1]):  # after a column that is full no row is left to look at
        rows = rows[[empty(cell) for cell in frame.iloc[:, place].iloc[rows]]]
    if not len(rows) or not frame.shape[1]:
        return frame
    between = rows[0] < len(frame) - len(rows)
    numbered = "; rows are numbered without them" if renumbered and between else ""
    say(f"note: {len(rows)} rows with nothing in any cell left out ({where}{numbered})")
    return frame.iloc[np.delete(np.arange(len(frame)), rows)]
