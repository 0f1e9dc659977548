"""Rows of a picture, a text and a label -> a table in which either of the first two may be missing."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from fieldtune.data.filled import empty
from fieldtune.data.given import check_texts, named, with_numbers
from fieldtune.data.read import check_named
from fieldtune.data.tables import check_labelled, task_columns
from fieldtune.data.unreadable import looked_at, marked, pictures_of, say_gone
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

    Pictures that are not there or cannot be read are missing; rows that have neither are left out. Both are counted on stderr.

    Raises:
        InputError: a column is missing, none of the pictures that are named can be read, a label is missing, no row is left.
    """
    where = named(data)
    table = task_columns(data, TASK, rename=rename, labels=labels)
    check_labelled(table["label"], where)
    for name in ("image", "text"):
        if name not in table:
            table[name] = None
    check_texts(table["text"], where)
    folder = Path() if isinstance(data, pd.DataFrame) else Path(data).parent
    free = [empty(cell) for cell in table["image"]]
    table["image"], lost = pictures_of(table["image"], folder, where, "taken as missing", optional=free)
    table["text"] = _texts(table["text"])
    lacks = {"picture": table["image"].isna(), "text": table["text"] == ""}
    neither = lacks["picture"] & lacks["text"]
    if neither.all():
        raise InputError("pictures or texts", f"neither in {where}", "check the columns image and text")
    if neither.any():
        say(f"{int(neither.sum())} of {len(table)} rows with neither picture nor text left out ({where})")
    for name, missing in lacks.items():
        if (missing & ~neither).any():
            say(f"note: {int((missing & ~neither).sum())} of {len(table)} rows have no {name} ({where})")
    kept = table[~neither]
    say_gone(table["label"], kept["label"], where)
    return marked(kept, lost)


def unlabelled_image_texts(
    data: pd.DataFrame | Path | str, rename: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What to predict on: the table as it is kept, and beside it image and text; rows with neither are kept too.

    A picture that cannot be read is missing; the column ``unreadable`` says why.
    """
    table, numbers = with_numbers(data)
    check_named(table, rename or {}, ("image", "text"), named(data))
    image, text = ((rename or {}).get(name, name) for name in ("image", "text"))
    table = table.assign(**{name: "" for name in (image, text) if name not in table})
    folder = Path() if isinstance(data, pd.DataFrame) else Path(data).parent
    column = table[image].set_axis(numbers)
    looked = looked_at(column, folder, named(data), optional=[empty(cell) for cell in column])
    return table, looked.assign(text=_texts(table[text]).to_numpy())


def _texts(column: pd.Series) -> pd.Series:
    return column.astype(object).map(lambda cell: "" if empty(cell) else str(cell))
