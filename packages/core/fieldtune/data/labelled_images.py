"""Pictures with one label each -> a table: a file of paths, a folder a class, or arrays in an ``.npz``."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.given import named, with_numbers
from fieldtune.data.images import KINDS
from fieldtune.data.parts import PART, official, parts_named
from fieldtune.data.raw import RATIO
from fieldtune.data.read import check_columns
from fieldtune.data.tables import NAME_OTHERS, check_labelled, task_columns
from fieldtune.data.unreadable import looked_at, marked, pictures_of, say_gone
from fieldtune.errors import InputError

TASK = "image-classification"
_LARGEST, _SMALL = 2**32, 2**28
"""Bytes of arrays once unpacked; more than the second only where they are not :data:`RATIO` times the file's own."""


def image_table(
    data: pd.DataFrame | Path | str,
    *,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The pictures of ``data``: columns image, label and, for a set with official parts, part.

    Args:
        data: a table of paths and labels, in memory or in a file (paths count from the file's folder); a folder with
            one folder a class, perhaps inside folders train, val and test; or an ``.npz`` of MedMNIST's form,
            ``train_images``, ``train_labels`` and so on, or ``images``, ``labels``.
        rename: column wanted -> the user's name for it.
        labels: label in the data -> label wanted.

    Returns:
        Cells of ``image`` are paths, arrays uint8, or the bytes of a file. Pictures that are not there or cannot be read
        are left out and counted on stderr, and labels that go with them are named.

    Raises:
        InputError: a table or folder that cannot be read, or no picture of it; a row without label.
    """
    where = named(data)
    table = parts_named(task_columns(_rows(data, rename), TASK, rename=rename, labels=labels), where)
    check_labelled(table["label"], where)
    table["image"], lost = pictures_of(table["image"], _beside(data), where, "left out")
    kept = table[table["image"].notna()]
    say_gone(table["label"], kept["label"], where)
    return marked(kept, lost)


def unlabelled_images(
    data: pd.DataFrame | Path | str, rename: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What to predict on: the table as it is kept, and beside it the column ``image``.

    Of an ``.npz`` these are the pictures of its test part (all, where it has none); of a folder, all pictures below it,
    whatever part or class their folders name, by their paths through it. Where some cannot be read, a column ``unreadable`` beside them says why.
    """
    if isinstance(data, (str, Path)) and Path(data).suffix == ".npz":
        parts = _arrays(Path(data))
        name = next((key for key in parts if official(key) == "test"), next(iter(parts)))
        pictures = list(parts[name][0])
        return pd.DataFrame({"row": range(len(pictures))}), pd.DataFrame({"image": pd.Series(pictures, dtype=object)})
    if isinstance(data, (str, Path)) and Path(data).is_dir():
        files = pictures_below(Path(data))
        return pd.DataFrame({"image": [file.as_posix() for file in files]}), looked_at(
            pd.Series(files, dtype=object), Path(), str(data)
        )
    table, numbers = with_numbers(data)
    image = (rename or {}).get("image", "image")
    check_columns(table, [image], named(data), NAME_OTHERS)
    return table, looked_at(table[image].set_axis(numbers), _beside(data), named(data))


def pictures_below(folder: Path) -> list[Path]:
    """All pictures in a folder and its folders, in order; hidden ones left out.

    Raises:
        InputError: there is none.
    """
    found = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in KINDS and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not found:
        raise InputError(f"pictures ({', '.join(KINDS)})", f"none below {folder}", "check the folder")
    return found


def _rows(data: pd.DataFrame | Path | str, rename: Mapping[str, str] | None) -> pd.DataFrame | Path | str:
    if isinstance(data, (str, Path)) and Path(data).is_dir():
        return _renamed(_folders(Path(data)), rename)
    if isinstance(data, (str, Path)) and Path(data).suffix == ".npz":
        return _renamed(_labelled_arrays(Path(data)), rename)
    return data


def _renamed(table: pd.DataFrame, rename: Mapping[str, str] | None) -> pd.DataFrame:
    """Our own names as the user's: what is renamed afterwards is found."""
    return table.rename(columns=dict(rename or {}))


def _beside(data: pd.DataFrame | Path | str) -> Path:
    return Path() if isinstance(data, pd.DataFrame) or Path(data).is_dir() else Path(data).parent


def _folders(folder: Path) -> pd.DataFrame:
    rows = []
    for file in pictures_below(folder):
        above = file.relative_to(folder).parts[:-1]
        part = official(above[0]) if len(above) > 1 else None
        above = above[1:] if part else above
        if not above:
            raise InputError(
                "a folder a class", f"{file.name} in {folder} itself", "sort the pictures into folders, or give a table"
            )
        rows.append({"image": file.resolve(), "label": above[0], PART: part or ""})
    table = pd.DataFrame(rows)
    return table if table[PART].any() else table.drop(columns=PART)


def _labelled_arrays(path: Path) -> pd.DataFrame:
    tables = []
    for name, (pictures, labels) in _arrays(path).items():
        if labels is None or len(labels) != len(pictures) or labels.size != len(pictures):
            raise InputError(
                f"one label a picture in {path}",
                f"{'none' if labels is None else labels.shape} for {pictures.shape} {name}",
                "add them as NAME_labels",
            )
        table = pd.DataFrame({"image": pd.Series(list(pictures), dtype=object), "label": labels.ravel().astype(str)})
        part = official(name)
        tables.append(table.assign(part=part) if part else table)
    return pd.concat(tables, ignore_index=True)


def _arrays(path: Path) -> dict[str, tuple[NDArray[Any], NDArray[Any] | None]]:
    """Name of a part -> pictures and labels; the name is "" where there are no parts."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        packed = path.stat().st_size
        most = min(_LARGEST, max(_SMALL, RATIO * packed))
        if unpacked > most:
            found = f"{unpacked:,} in the {packed:,} bytes of {path}"
            raise InputError(f"arrays of at most {most:,} bytes", found, "give the pictures as files")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name.endswith(("images", "labels"))}
    except FileNotFoundError as error:
        raise InputError("a file", f"nothing at {path}", "check the path") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise InputError(f"arrays without pickles in {path}", str(error), "save them with numpy.savez") from error
    parts = [name.removesuffix("images").removesuffix("_") for name in arrays if name.endswith("images")]
    if not parts:
        raise InputError(
            "arrays train_images, train_labels, ...", f"{', '.join(arrays) or 'none'} in {path}", "rename them"
        )
    return {
        part: (arrays[f"{part}_images" if part else "images"], arrays.get(f"{part}_labels" if part else "labels"))
        for part in parts
    }
