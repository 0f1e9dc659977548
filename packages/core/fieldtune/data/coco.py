"""Boxes in COCO's form: one JSON file of pictures, annotations and categories."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldtune.data.raw import read_bytes
from fieldtune.errors import InputError


def coco_rows(path: Path) -> Iterator[dict[str, Any]]:
    """One row a picture: image, boxes [{label, box}]; crowds, which are regions and no objects, are marked ``crowd``.

    Pictures lie where ``file_name`` says from the file's folder, or from a folder ``images`` in or beside it.
    """
    try:
        told = json.loads(read_bytes(path))
        names = {entry["id"]: str(entry["name"]) for entry in told["categories"]}
        boxes: dict[Any, list[dict[str, Any]]] = {entry["id"]: [] for entry in told["images"]}
        for entry in told["annotations"]:
            for known, what, several in ((names, "category", "categories"), (boxes, "image", "images")):
                if entry[f"{what}_id"] not in known:
                    raise ValueError(f"{what} {entry[f'{what}_id']} of an annotation is not among the {several}")
            x, y, width, height = (float(value) for value in entry["bbox"])
            found = {"label": names[entry["category_id"]], "box": [x, y, x + width, y + height]}
            boxes[entry["image_id"]].append(found | ({"crowd": True} if entry.get("iscrowd") else {}))
        files = [(entry["id"], str(entry["file_name"])) for entry in told["images"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"COCO's images, annotations and categories in {path}",
            f"no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}",
            "export it again",
        ) from error
    for key, name in files:
        yield {"image": _picture(path.parent, name), "boxes": boxes[key]}


def _picture(folder: Path, name: str) -> Path:
    for place in (folder / name, folder / "images" / name, folder.parent / "images" / name):
        if place.is_file():
            return place
    return folder / name  # is counted with those that cannot be read
