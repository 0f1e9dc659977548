"""Rows of a picture, a text and a label -> a table in which either of the first two may be missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.labelled_images import located
from fieldtune.data.read import first_row, read_table
from fieldtune.data.tables import check_labelled, task_columns
from fieldtune.errors import InputError
from fieldtune.progress import say

TASK = "image-text"


def image_text_table(
    data: pd.DataFrame | Path | str,
    *,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Columns image (a path, an array, the bytes of a file, or None), text ("" for none) and label.

    Rows that have neither are left out and counted on stderr.

    Raises:
        InputError: a column is missing, a picture that is named is not there, a label is missing, no row is left.
    """
    where = "the table" if isinstance(data, pd.DataFrame) else str(data)
    frame = data if isinstance(data, pd.DataFrame) else read_table(data)
    table = task_columns(frame, TASK, rename=rename, labels=labels)
    check_labelled(table["label"], where, 0 if isinstance(data, pd.DataFrame) else first_row(data))
    for name in ("image", "text"):
        if name not in table:
            table[name] = None
    both = _both(table, Path() if isinstance(data, pd.DataFrame) else Path(data).parent, where)
    table["image"], table["text"] = both["image"], both["text"]
    empty = both["image"].isna() & (both["text"] == "")
    if empty.all():
        raise InputError("pictures or texts", f"neither in {where}", "check the columns image and text")
    if empty.any():
        say(f"{int(empty.sum())} of {len(table)} rows with neither picture nor text left out ({where})")
    return table[~empty].reset_index(drop=True)


def unlabelled_image_texts(data: Path | str, text: str = "text") -> tuple[pd.DataFrame, pd.DataFrame]:
    """What to predict on: the table as it is kept, and beside it image and text; rows with neither are kept too."""
    path = Path(data)
    table = read_table(path, [], optional=["image", text])
    return table, _both(table.rename(columns={text: "text"}), path.parent, str(path))


def _both(table: pd.DataFrame, folder: Path, where: str) -> pd.DataFrame:
    given = [not _blank(cell) for cell in table["image"]]
    found = pd.Series([None] * len(table), index=table.index, dtype=object)
    if any(given):
        found[given] = located(table["image"][given], folder, where)
    texts = table["text"].map(lambda cell: "" if _blank(cell) else str(cell))
    return pd.DataFrame({"image": found, "text": texts}).reset_index(drop=True)


def _blank(cell: Any) -> bool:
    """None, NaN and empty texts; an array or bytes are something."""
    return cell is None or (isinstance(cell, float) and cell != cell) or (isinstance(cell, str) and not cell.strip())
