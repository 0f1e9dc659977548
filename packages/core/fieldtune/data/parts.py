"""Sets that come in official parts: which rows train, validate and test. Knows tables only."""

import numpy as np
import pandas as pd

PART = "part"
_NAMES = {"train": "train", "val": "valid", "valid": "valid", "validation": "valid", "test": "test"}


def official(name: str) -> str | None:
    """The part that a folder, a file or an array of this name holds; None where it names none."""
    return _NAMES.get(name.lower())


def of_part(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The rows of the first of these parts that is there; all rows of a table without parts, or with none of these.

    Args:
        names: out of train, valid and test.
    """
    found = _named(table, *names)
    return table if found is None else table[table[PART] == found].reset_index(drop=True)


def places_of_part(table: pd.DataFrame, *names: str) -> list[int]:
    """Where the rows that :func:`of_part` gives stand in the table."""
    found = _named(table, *names)
    return list(range(len(table))) if found is None else np.flatnonzero(table[PART] == found).tolist()


def _named(table: pd.DataFrame, *names: str) -> str | None:
    return next((name for name in names if PART in table and (table[PART] == name).any()), None)
