"""Which number a row has for its user, kept with a table whose rows count from 0. Knows no task.

A reader gives its table an index of such numbers: what a file shows for each row, or the line it stands in.
"""

from array import array
from collections.abc import Sequence

import pandas as pd

ROWS = "rows"
"""Attribute of a table: these numbers."""


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its rows counted from 0; the numbers in its index are noted for :func:`numbers_of`."""
    made = table.reset_index(drop=True)
    # pandas copies what is noted with every piece of a table, an array at once and a list number by number
    made.attrs[ROWS] = array("q", table.index)
    return made


def numbers_of(table: pd.DataFrame) -> Sequence[int]:
    """The number of each row for its user, of a table as it was read."""
    return table.attrs.get(ROWS, range(len(table)))  # type: ignore[no-any-return]
