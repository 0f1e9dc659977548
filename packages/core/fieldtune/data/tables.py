"""A user's table -> the columns a task trains on: renamed, labels mapped, unusable rows counted or refused."""

import ast
import contextlib
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune.data.filled import empty
from fieldtune.data.given import check_texts, given, holds_more, named
from fieldtune.data.labels import SEPARATOR, joined, label_set, numbers
from fieldtune.data.numbered import counted
from fieldtune.data.read import check_columns, check_named
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.text.shown import some_of

COLUMNS = {
    "text-classification": (("text", "label"), ()),
    "multi-label-classification": (("text", "label"), ()),
    "regression": (("text", "label"), ()),
    "text-pair": (("text_a", "text_b", "label"), ()),
    "embedding": (("query", "positive"), ("negative",)),
    "reranking": (("query", "document"), ("label",)),
    "seq2seq": (("source", "target"), ()),
    "image-classification": (("image", "label"), ("part",)),
    "image-text": (("label",), ("image", "text")),
}
NAME_IT = 'name it with --text COLUMN (in Python rename={"text": COLUMN})'
_NAMED = 'name it with --text COLUMN or --label COLUMN (in Python rename={"text": COLUMN})'
NAME_OTHERS = 'name it with --column NAME=COLUMN (in Python rename={"NAME": COLUMN})'
_HINTS = dict.fromkeys(("text-classification", "multi-label-classification", "regression"), _NAMED)
SETS = ("multi-label-classification",)
"""Tasks whose label is any number of labels, ``a|b``; an empty cell is a row of none of them."""
_LIST = re.compile(r"\s*\[\s*u?['\"]")
_NO_LIST = (Mapping, pd.DataFrame, bytearray, memoryview)
NUMBERS = ("regression", "reranking")
"""Tasks whose label is a number."""


def training_table(
    data: pd.DataFrame | Path | str,
    task: str,
    *,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The rows of ``data`` in the columns of ``task``, every cell text (float64 where the label is a number).

    Rows whose text is empty are left out and counted on stderr; an optional text that is missing is empty.

    Args:
        data: a table in memory or a path.
        rename: column wanted -> the user's name for it, e.g. ``{"label": "category"}``.
        labels: label in the file -> label wanted, e.g. ``{"0": "negative"}``.

    Raises:
        InputError: an unknown task, a column is missing, a label is missing or no number, or no row is left.
    """
    where = named(data)
    frame = task_columns(data, task, rename=rename, labels=labels)
    if "label" in frame:
        frame["label"] = _understood(frame["label"], task, where)
    required, optional = COLUMNS[task]
    for name in (name for name in optional if name in frame and name != "label"):
        frame[name] = frame[name].astype(object).where(~_blank(frame[name]), "").astype(str)
    return _without_empty(frame, [name for name in required if name != "label"], where)


def task_columns(
    data: pd.DataFrame | Path | str,
    task: str,
    *,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The same with every row kept, whatever it lacks: what :func:`fieldtune.data.checks.check_table` looks at.

    The index is the number of each row as its user sees it, see :func:`fieldtune.data.given.given`.

    Raises:
        InputError: an unknown task, or a column is missing.
    """
    if task not in COLUMNS:
        raise InputError(f"a task out of {', '.join(COLUMNS)}", repr(task), "choose one of them")
    required, optional = COLUMNS[task]
    where, frame, rename = named(data), given(data), rename or {}
    check_columns(frame, [rename.get(name, name) for name in required], where, _HINTS.get(task, NAME_OTHERS))
    frame = renamed(frame, rename, (*required, *optional), where, needed=required)
    frame = frame[[name for name in (*required, *optional) if name in frame]]
    if "label" in frame and task in SETS:
        cells = [_one_cell(cell, f"row {row} of {where}") for row, cell in frame["label"].items()]
        frame["label"] = pd.Series(cells, index=frame.index, dtype=object)
    for name in (name for name in frame if name != "image"):
        check_texts(frame[name], where)
    if "label" in frame:
        frame["label"] = _labels(frame["label"], labels, where, SEPARATOR if task in SETS else None)
    return frame


def renamed(
    frame: pd.DataFrame, rename: Mapping[str, str], ours: Sequence[str], where: str, *, needed: Sequence[str] = ()
) -> pd.DataFrame:
    """A table with these columns under our names; one of such a name that is not the one pointed to gives way.

    Args:
        needed: those of ours that must not give way.

    Raises:
        InputError: a column that is named is not there, or is named for two.
    """
    check_named(frame, rename, ours, where)
    theirs = {name: rename[name] for name in ours if name in rename}
    names = {name: mine for mine, name in theirs.items()}
    claims = {name: name for name in needed} | theirs
    counts = Counter(claims.values())
    if twice := ", ".join(f"{name!r} for {mine}" for mine, name in claims.items() if counts[name] > 1):
        raise InputError("a column of its own for each", twice, "name another column")
    return frame[[name for name in frame.columns if name in names or name not in theirs]].rename(columns=names)


def check_letters(labels: pd.Series, where: str) -> None:
    """Raises InputError where a label holds a NUL, which NumPy drops from the end of a text: on which rows."""
    odd = labels.index[labels.str.contains("\0", regex=False)]
    if len(odd):
        raise InputError("labels of letters", f"a NUL character in that of rows {some_of(odd)} of {where}", "delete it")


def text_column(data: pd.DataFrame | Path | str, *, rename: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The column ``text`` alone, for rows that have no label; rows whose text is empty are left out and counted.

    Raises:
        InputError: the column is missing, or no row is left.
    """
    name, where, frame = (rename or {}).get("text", "text"), named(data), given(data)
    check_columns(frame, [name], where, NAME_IT)
    check_texts(frame[name], where)
    return _without_empty(frame[[name]].rename(columns={name: "text"}), ["text"], where)


def _one_cell(cell: Any, where: str) -> Any:
    """Several labels in a list, or as JSON or Python write one, as the cell ``a|b``; other cells as they are."""
    if (labels := _listed(cell)) is None:
        if isinstance(cell, str) and _LIST.match(cell):
            raise InputError("a list of labels", f"{cell[:60]} in {where}", 'write ["a", "b"], or a|b')
        return cell
    labels = [one for one in labels if not (isinstance(one, str) and empty(one))]  # as in a| of a cell
    for one in labels:
        if holds_more(one) or empty(one):
            raise InputError("labels of letters or numbers", f"{one!r} in the list in {where}", "correct that row")
        if SEPARATOR in str(one):
            raise InputError(
                f"labels without {SEPARATOR}, which parts them", f"{one!r} in {where}", "rename that label"
            )
    return joined([_name(one) for one in labels])


def _listed(cell: Any) -> list[Any] | None:
    """What a cell that is a list holds, or a tuple or set as Python writes them; None where it is none. NumPy's ['a' 'b'] would
    be one label to Python: written again, what is read has the same characters."""
    if isinstance(cell, np.ndarray):
        return list(np.atleast_1d(cell))
    if pd.api.types.is_list_like(cell) and isinstance(cell, Collection) and not isinstance(cell, _NO_LIST):
        return list(cell)
    if not isinstance(cell, str) or not cell.lstrip().startswith(("[", "(", "{", "set()")):
        return None
    with contextlib.suppress(ValueError, RecursionError):
        return list(told) if isinstance(told := json.loads(cell), list) else None
    with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        told = ast.literal_eval(cell.strip())
        return list(told) if isinstance(told, (list, tuple, set)) and _signs(repr(told)) == _signs(cell) else None
    return None


def _signs(written: str) -> list[str]:
    """The characters of a list as it is written, whatever their order, blanks between them and kind of quotes."""
    return sorted("".join(written.replace('"', "'").split()))


def _name(cell: Any) -> str:
    """A label as text: of a whole number, which pandas makes a float beside an empty cell, "3" and not "3.0"."""
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer() and abs(float(cell)) < 2**53:
        return str(int(cell))
    return str(cell).strip()


def _labels(column: pd.Series, mapping: Mapping[str, str] | None, where: str, separator: str | None) -> pd.Series:
    """Every label as text, mapped (part by part where there is a separator); a missing one is empty."""
    clean = column.astype(object).map(lambda value: "" if empty(value) else _name(value))
    check_letters(clean, where)
    if not mapping:
        return clean
    parts = clean.map(lambda cell: [part.strip() for part in cell.split(separator)] if separator else [cell])
    unknown = sorted({part for cell in parts for part in cell} - set(mapping) - {""})
    if unknown:
        raise InputError(
            f"labels out of {', '.join(mapping)}",
            f"{unknown[0]!r} in {where}",
            f"give it a place too: --map ...,{unknown[0]}=LABEL",
        )
    known = {**mapping, "": ""}
    return parts.map(lambda cell: (separator or "").join(known[part] for part in cell))


def _understood(column: pd.Series, task: str, where: str) -> pd.Series:
    """The labels as the task learns them: a class, a number, or a set of labels in one order."""
    if task not in SETS:
        check_labelled(column, where)
        return pd.Series(numbers(column, where), index=column.index) if task in NUMBERS else column
    sets = column.map(label_set)
    without = int((sets.map(len) == 0).sum())
    if without == len(column):
        raise InputError("labels, as in a|b", f"none on any of {len(column)} rows of {where}", "check the column names")
    if without:
        say(f"{without} of {len(column)} rows have no label: they stand for none of the labels ({where})")
    return sets.map(joined)


def check_labelled(column: pd.Series, where: str) -> None:
    """Raises InputError where a label is missing: on which rows, as the index numbers them."""
    absent = column.index[column == ""]
    if len(absent):
        raise InputError(
            "a label on every row", f"{len(absent)} without, in {where} (rows {some_of(absent)})", "fill them"
        )


def _blank(column: pd.Series) -> pd.Series:
    return column.astype(object).map(empty).astype(bool)


def _without_empty(frame: pd.DataFrame, columns: list[str], where: str) -> pd.DataFrame:
    without = pd.Series(False, index=frame.index)
    for name in columns:
        without |= _blank(frame[name])
    if without.all():
        raise InputError(f"text in {', '.join(columns)}", f"only empty cells in {where}", "check the column names")
    if without.any():
        say(f"{int(without.sum())} of {len(frame)} rows without text left out ({where})")
    kept = counted(frame[~without])
    for name in columns:
        kept[name] = kept[name].astype(str)
    return kept
