"""Where nothing may be written: a folder with a manifest holds what that lists, and one file more makes it unreadable.

Knows nothing of what such a folder is.
"""

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


def outside(path: Path) -> None:
    """Refuse a place inside a saved folder.

    Raises:
        InputError: a folder above ``path`` holds a manifest.
    """
    near = path.parent.resolve()
    for folder in (near, *near.parents):
        if (folder / MANIFEST).is_file():
            raise InputError(
                "a place outside of saved models",
                f"{path} inside {folder}, which could not be loaded with one file more",
                "name a place beside it",
            )
