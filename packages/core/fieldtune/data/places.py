"""Where nothing may be written: a folder with a manifest holds what that lists, and one file more makes it unreadable.

Knows nothing of what such a folder is.
"""

import json
import os
from pathlib import Path
from typing import Any

from fieldtune.errors import InputError

MANIFEST = "MANIFEST.json"
"""What every saved folder holds: each of its files with its digest, see :mod:`fieldtune.models.folder`."""


def path_of(place: Any) -> Path:
    """What names a place, as a path.

    Raises:
        InputError: a number, None or the like.
    """
    if isinstance(place, (str, os.PathLike)):
        return Path(place)
    raise InputError("the path of a folder", repr(place), "give a text or a pathlib.Path")


def saved(folder: Path) -> bool:
    """Whether a folder holds a manifest of ours: other programs give files of their own that name."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all({"sha256", "bytes"} <= facts.keys() for facts in files.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def around(path: Path) -> Path | None:
    """The nearest saved folder that ``path`` lies in; None where it lies in none."""
    near = path.parent.resolve()
    return next((folder for folder in (near, *near.parents) if saved(folder)), None)


def outside(path: Path) -> None:
    """Refuse a place inside a saved folder.

    Raises:
        InputError: a folder above ``path`` holds a manifest of ours.
    """
    if folder := around(path):
        raise InputError(
            "a place outside of saved models",
            f"{path} inside {folder}, which could not be loaded with one file more",
            "name a place beside it",
        )
