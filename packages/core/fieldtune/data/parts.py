"""Sets that come in official parts: which rows train, validate and test. Knows tables only."""

import numpy as np
import pandas as pd

from fieldtune.errors import InputError
from fieldtune.text.shown import some_of

PART = "part"
_NAMES = {"train": "train", "val": "valid", "valid": "valid", "validation": "valid", "test": "test"}


def official(name: str) -> str | None:
    """The part that a folder, a file or an array of this name holds; None where it names none."""
    return _NAMES.get(name.lower())


def parts_named(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """A table whose column part says train, valid or test; without that column where no cell names a part.

    Raises:
        InputError: some cells name a part and others do not.
    """
    if PART not in table:
        return table
    parts = table[PART].map(lambda cell: official(str(cell).strip()))
    if parts.isna().all():
        return table.drop(columns=PART)
    if parts.isna().any():
        odd = parts.isna().to_numpy()
        raise InputError(
            "train, val or test in every row of the column part",
            f"{some_of(dict.fromkeys(map(repr, table[PART][odd])))} in {where}, rows "
            f"{some_of(table.index[odd].tolist())}",
            "name the part of each, or leave the column out for a split of our own",
        )
    return table.assign(**{PART: parts})


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
