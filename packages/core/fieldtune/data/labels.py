"""Label columns that hold no single class: numbers, sets of labels (``a|b``), and whether a document is relevant.

Each has a reader, which refuses what cannot be read and says on which rows, and findings for ``fieldtune data check``.
Knows columns of text, no tasks.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import OUT_OF_SCOPE, Finding, named_labels
from fieldtune.errors import InputError
from fieldtune.evaluate.sequence import OUTSIDE
from fieldtune.text.shown import some_of

SEPARATOR = "|"
LARGEST = 1e100
"""Beyond it squares are infinite."""


def numbers(column: pd.Series, where: str) -> NDArray[np.float64]:
    """The column as finite numbers; a decimal comma or a currency sign is not guessed at.

    Args:
        column: its index numbers the rows; where: the table. Both for the message.

    Raises:
        InputError: a label that is no finite number, and on which rows.
    """
    values = np.asarray([_number(cell) for cell in column], dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        found = (
            f"{column.iloc[wrong[0]]!r} and {len(wrong)} such in all, in {where} (rows {some_of(column.index[wrong])})"
        )
        raise InputError(
            "a finite number (of at most 1e100) as the label of every row", found, "correct or leave out these rows"
        )
    return values


def label_set(cell: str) -> tuple[str, ...]:
    """``b|a|a`` -> ("a", "b"): each label once, in order; ``oos`` and empty parts are no labels."""
    parts = {part.strip() for part in cell.split(SEPARATOR)}
    return tuple(sorted(parts - {"", OUT_OF_SCOPE}))


def row_labels(table: pd.DataFrame, several: bool) -> list[set[str]]:
    """What each row of a task's table says it is: types of entities, of boxes, classes; nothing where that is a number.

    Args:
        several: whether a cell of the column label is any number of them, ``a|b``.
    """
    if "tags" in table:
        return [{tag[2:] for tag in tags if tag != OUTSIDE} for tags in table["tags"]]
    if "boxes" in table:
        return [{str(entry["label"]) for entry in boxes} for boxes in table["boxes"]]
    if "label" not in table or pd.api.types.is_numeric_dtype(table["label"]):
        return []
    return [set(label_set(cell)) if several else {cell} for cell in table["label"]]


def joined(labels: Sequence[str]) -> str:
    """The cell that :func:`label_set` reads."""
    return SEPARATOR.join(labels)


def check_numbers(column: pd.Series) -> list[Finding]:
    """Kinds label-not-number and constant-label, both errors."""
    values = column.map(_number).to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values)).tolist()
    if wrong:
        what = f"labels that are no finite numbers, such as {column.iloc[wrong[0]]!r}: {len(wrong)} rows"
        return [Finding("label-not-number", "error", what, tuple(wrong))]
    if len(np.unique(values)) == 1 and len(values):
        return [Finding("constant-label", "error", f"every label is {values[0]:g}: there is nothing to learn", ())]
    return []


def check_sets(column: pd.Series) -> list[Finding]:
    """Kinds one-class (no label at all), single-row-class, label-spelling, too-many-classes, unparted-labels."""
    sets = [label_set(str(cell)) for cell in column]
    rows = [row for row, labels in enumerate(sets) for _ in labels]
    labels = [label for found in sets for label in found]
    if not labels:
        return [Finding("one-class", "error", "no row has a label", ())]
    return [*named_labels(rows, labels), *_unparted(sets)]


def _unparted(sets: Sequence[tuple[str, ...]]) -> list[Finding]:
    """Rows whose label looks like several with another mark between them: each of its parts stands in another label too."""
    cut = [[part.strip() for part in re.split("[,;]", labels[0])] if len(labels) == 1 else [] for labels in sets]
    if any(len(labels) > 1 for labels in sets):
        return []
    kinds: Counter[str] = Counter()
    for parts in {tuple(one) for one in cut}:
        kinds.update(set(parts))
    rows = tuple(
        row for row, parts in enumerate(cut) if len(parts) > 1 and all(part and kinds[part] > 1 for part in parts)
    )
    what = f"labels that look like several, such as {sets[rows[0]][0]!r}" if rows else ""
    return (
        [Finding("unparted-labels", "warning", f"{what}: {len(rows)} rows; write a{SEPARATOR}b", rows)] if rows else []
    )


def check_relevance(table: pd.DataFrame) -> list[Finding]:
    """Kinds label-not-number, no-relevant and, where documents are given as not relevant too, nothing-relevant."""
    if "label" not in table:
        return []
    found = check_numbers(table["label"])
    if [finding for finding in found if finding.kind == "label-not-number"]:
        return found
    values = table["label"].map(_number)
    if not (values > 0).any():
        return [Finding("no-relevant", "error", "no document is relevant: every label is 0 or less", ())]
    without = ~table["query"].isin(set(table["query"][values > 0]))
    rows = tuple(np.flatnonzero(without).tolist())
    what = f"queries without a relevant document: {len(rows)} rows"
    return [Finding("nothing-relevant", "warning", what, rows)] if rows else []


def _number(cell: object) -> float:
    """NaN where it is none, or too large to be reckoned with."""
    try:
        value = float(str(cell).replace("_", "no number"))  # Python reads 1_0 as ten
    except ValueError:
        return math.nan
    return value if abs(value) <= LARGEST else math.nan
