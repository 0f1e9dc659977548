"""Pictures with boxes -> a table; boxes that cannot be right are clipped or left out, and counted on stderr.

A box is ``{"label": ..., "box": [x0, y0, x1, y1]}`` in pixels from the top left corner of the picture as it is seen.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.coco import coco_rows
from fieldtune.data.filled import empty
from fieldtune.data.given import given, named
from fieldtune.data.images import height_width
from fieldtune.data.labelled_images import unlabelled_images
from fieldtune.data.parts import PART, parts_named
from fieldtune.data.read import check_columns
from fieldtune.data.tables import NAME_OTHERS, renamed
from fieldtune.data.unreadable import looked_at, marked, pictures_of, say_gone
from fieldtune.data.voc import voc_rows
from fieldtune.errors import InputError
from fieldtune.progress import say

_REPAIRS = {
    "outside": "boxes that lie outside their picture left out",
    "empty": "boxes without area left out",
    "crowd": "crowds left out",
    "clipped": "boxes that reach beyond their picture clipped",
}


def box_table(
    data: pd.DataFrame | Path | str,
    *,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The pictures of ``data`` with their boxes: columns image, boxes and, for a set with official parts, part.

    Args:
        data: a VOC folder or one of its lists (``ImageSets/Main/train.txt``), a COCO ``.json``, or a table with the
            columns image and boxes, where boxes are as ``predict`` writes them.
        rename: of the columns of a table.
        labels: label in the data -> label wanted.

    Pictures that are not there or cannot be read are left out and counted on stderr.

    Raises:
        InputError: a table that cannot be read, or no picture of it; an unknown label in ``labels``; boxes in shares of the
            picture instead of pixels.
    """
    where = named(data)
    table = _rows(data, rename or {}, where)
    table["image"], lost = pictures_of(table["image"], Path(), where, "left out")
    kept = table["image"].notna()
    say_gone(_names(table["boxes"], labels or {}), _names(table["boxes"][kept], labels or {}), where)
    table = marked(table[kept], lost)
    _in_pixels(table["boxes"], where)
    counts: Counter[str] = Counter()
    table["boxes"] = pd.Series(
        [
            _repaired(boxes, height_width(picture), labels, counts, where)
            for picture, boxes in zip(table["image"], table["boxes"], strict=True)
        ],
        dtype=object,
    )
    for kind, what in _REPAIRS.items():
        if counts[kind]:
            say(f"note: {counts[kind]} {what} ({where})")
    return table


def unboxed_images(
    data: pd.DataFrame | Path | str, rename: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What to predict on: the table as it is kept, and beside it the column ``image``; of a set in parts, the test part."""
    if isinstance(data, pd.DataFrame):
        return unlabelled_images(data, rename)
    path = Path(data)
    if path.suffix == ".json" or _is_voc(path):
        table = _rows(path, {}, str(path))
        if PART in table and (table[PART] == "test").any():
            table = table[table[PART] == "test"].reset_index(drop=True)
        names = [Path(picture).as_posix() for picture in table["image"]]
        return pd.DataFrame({"image": names}), looked_at(table["image"], Path(), str(path))
    return unlabelled_images(path, rename)


def _is_voc(path: Path) -> bool:
    return path.suffix == ".txt" or (path.is_dir() and next(path.rglob("*.xml"), None) is not None)


def _rows(data: pd.DataFrame | Path | str, rename: Mapping[str, str], where: str) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame) or not (
        Path(data).suffix == ".json" or Path(data).is_dir() or _is_voc(Path(data))
    ):
        return _given(data, rename, where)
    path = Path(data)
    if not path.exists():
        raise InputError("a file or a folder", f"nothing at {path}", "check the path")
    table = pd.DataFrame(list(coco_rows(path) if path.suffix == ".json" else voc_rows(path)))
    if table.empty:
        raise InputError("at least one picture", f"none in {path}", "check that the export worked")
    return table if PART in table and table[PART].any() else table.drop(columns=PART, errors="ignore")


def _given(data: pd.DataFrame | Path | str, rename: Mapping[str, str], where: str) -> pd.DataFrame:
    frame = renamed(given(data), rename, ("image", "boxes", PART), where, needed=("image", "boxes"))
    check_columns(frame, ("image", "boxes"), where, NAME_OTHERS)
    table = frame[[name for name in ("image", "boxes", PART) if name in frame]].copy()
    folder = Path() if isinstance(data, pd.DataFrame) else Path(data).parent
    paths = [folder / cell if isinstance(cell, str) and cell.strip() else cell for cell in table["image"]]
    table["image"] = pd.Series(paths, index=table.index, dtype=object)
    table["boxes"] = pd.Series(
        [_decoded(cell, row, where) for row, cell in table["boxes"].items()], index=table.index, dtype=object
    )
    return parts_named(table, where)


def _names(column: pd.Series, labels: Mapping[str, str]) -> set[str]:
    """The labels of all boxes, under the names that are wanted."""
    return {labels.get(entry["label"], entry["label"]) for boxes in column for entry in boxes}


def _decoded(cell: Any, row: Any, where: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(cell) if isinstance(cell, str) and cell.strip() else cell
        found = [] if empty(found) else list(found)  # Parquet gives an array
        names = ["" if empty(entry["label"]) else str(entry["label"]) for entry in found]
        return [{"label": name, "box": _four(entry["box"])} for name, entry in zip(names, found, strict=True)]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            'boxes as [{"label": ..., "box": [x0, y0, x1, y1]}]',
            f"{str(cell)[:60]!r} in row {row} of {where}",
            "correct it",
        ) from error


def _four(box: Any) -> list[float]:
    x0, y0, x1, y1 = box
    return [float(x0), float(y0), float(x1), float(y1)]


def _in_pixels(column: pd.Series, where: str) -> None:
    """Refuse boxes that are all smaller than two pixels: they are shares of width and height, as YOLO writes them."""
    sides = [
        abs(box[end] - box[end - 2]) for boxes in column for box in (entry["box"] for entry in boxes) for end in (2, 3)
    ]
    if sides and max(sides) < 2:
        raise InputError(
            "boxes in pixels, [x0, y0, x1, y1]",
            f"none of two pixels or more in {where}",
            "multiply shares of a picture by its width and height",
        )


def _repaired(
    boxes: list[dict[str, Any]],
    size: tuple[int, int],
    labels: Mapping[str, str] | None,
    counts: Counter[str],
    where: str,
) -> list[dict[str, Any]]:
    kept = []
    for entry in boxes:
        box, kind = _clipped(entry, size)
        counts[kind] += 1
        if box:
            kept.append({"label": _label(str(entry["label"]).strip(), labels, where), "box": box})
    return kept


def _clipped(entry: dict[str, Any], size: tuple[int, int]) -> tuple[list[float] | None, str]:
    """The box inside its picture, or None; and what was done."""
    if entry.get("crowd"):
        return None, "crowd"
    given: list[float] = entry["box"]
    if not all(map(math.isfinite, given)) or given[2] <= given[0] or given[3] <= given[1]:
        return None, "empty"
    height, width = size
    limits = (width, height, width, height)
    inside = [min(max(value, 0.0), float(limit)) for value, limit in zip(given, limits, strict=True)]
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        return None, "outside"
    return inside, "whole" if inside == given else "clipped"


def _label(name: str, labels: Mapping[str, str] | None, where: str) -> str:
    if not name:
        raise InputError("a label for every box", f"an empty one in {where}", "fill it, or delete the box")
    if labels and name not in labels:
        raise InputError(f"labels out of {', '.join(labels)}", f"{name!r} in {where}", f"--map ...,{name}=LABEL")
    return labels[name] if labels else name
