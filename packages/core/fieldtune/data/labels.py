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
FAR = 1e7
"""Median distances from the median: prices and incomes stay within, slips and stand-ins such as 999999999 do not."""
_MARKS = "[,;/，；、／]"
_THOUSANDS = r"[-+]?\d{1,3}(,\d{3})+"
_COMMA = rf"[-+]?\d+,\d+|{_THOUSANDS}"


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
        fix = _remedy(column.iloc[wrong]) or "correct or leave out these rows"
        raise InputError("a finite number (of at most 1e100) as the label of every row", found, fix)
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
    """Kinds label-not-number and constant-label, both errors, and label-far-off."""
    values = np.asarray([_number(cell) for cell in column], dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values)).tolist()
    if wrong:
        what = f"labels that are no finite numbers, such as {column.iloc[wrong[0]]!r}: {len(wrong)} rows"
        remedy = _remedy(column.iloc[wrong])
        return [Finding("label-not-number", "error", what + (f"; {remedy}" if remedy else ""), tuple(wrong))]
    if len(np.unique(values)) == 1 and len(values):
        return [Finding("constant-label", "error", f"every label is {values[0]:g}: there is nothing to learn", ())]
    return _far_off(values)


def _remedy(cells: pd.Series) -> str:
    """What to do where most of these cells, which are no numbers, have a comma; else empty."""
    commas = [cell for cell in map(str, cells) if re.fullmatch(_COMMA, cell.strip())]
    if 2 * len(commas) <= len(cells):
        return ""
    if all(re.fullmatch(_THOUSANDS, cell.strip()) for cell in commas):  # 1,000 may be either
        return "take the commas out if they part thousands, replace them by . if they part decimals"
    return "they have a decimal comma: export the table with a decimal point, or replace , by . in that column"


def _far_off(values: NDArray[np.float64]) -> list[Finding]:
    """Labels so far from the others that one of them outweighs all, as 1e30 does among 1 to 5."""
    middle = float(np.median(values)) if len(values) else 0.0
    away = np.abs(values - middle)
    apart = away > 1e-9 * max(1.0, abs(middle))  # what rounding makes of equal numbers is no distance
    usual = float(np.median(away[apart])) if apart.any() else math.inf
    rows = tuple(np.flatnonzero(away > FAR * usual).tolist())
    if not rows:
        return []
    what = f"labels far from all others, such as {values[rows[0]]:.3g} where the median is {middle:.3g}"
    return [Finding("label-far-off", "warning", f"{what}: {len(rows)} rows; they outweigh the rest", rows)]


def check_sets(column: pd.Series) -> list[Finding]:
    """Kinds one-class (no label at all), single-row-class, label-spelling, too-many-classes, unparted-labels."""
    sets = [label_set(str(cell)) for cell in column]
    rows = [row for row, labels in enumerate(sets) for _ in labels]
    labels = [label for found in sets for label in found]
    if not labels:
        return [Finding("one-class", "error", "no row has a label", ())]
    return [*named_labels(rows, labels), *_unparted(sets)]


def _unparted(sets: Sequence[tuple[str, ...]]) -> list[Finding]:
    """Rows with a label that looks like several with another mark between them: each of its parts stands elsewhere too.

    In a table that parts labels as we do, such a part is a label; in one that does not, it stands in another label.
    """
    ours = any(len(labels) > 1 for labels in sets)
    marks = _MARKS.replace("/", "") if ours else _MARKS  # where | parts, AM/FM is a name
    known = {label: [part.strip() for part in re.split(marks, label)] for labels in sets for label in labels}
    if ours:
        seen = set(known)
    else:
        kinds = Counter(part for parts in map(set, {tuple(one) for one in known.values()}) for part in parts)
        seen = {part for part, count in kinds.items() if count > 1}
    several = {label for label, parts in known.items() if len(parts) > 1 and seen.issuperset(parts) and all(parts)}
    rows = tuple(row for row, labels in enumerate(sets) if not several.isdisjoint(labels))
    if not rows:
        return []
    found = [label for label in dict.fromkeys(label for labels in sets for label in labels) if label in several]
    what = f"labels that look like several, such as {some_of(map(repr, found), 3)}"
    return [Finding("unparted-labels", "warning", f"{what}: {len(rows)} rows; write a{SEPARATOR}b", rows)]


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
