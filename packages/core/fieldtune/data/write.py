"""Write a table, whole or not at all, in the format that the name of its file tells. Knows no task."""

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
import pandas as pd

from fieldtune.data.halves import mended, said
from fieldtune.data.places import outside
from fieldtune.data.read import KINDS
from fieldtune.data.separated import UNNAMED
from fieldtune.errors import InputError, naming
from fieldtune.evaluate.figures import without_nan
from fieldtune.progress import say

ROWS = 20_000
"""Rows of a table that are written at a time."""


def check_output(path: Path, kinds: Sequence[str] | None = KINDS, *, reads: Iterable[Path] = ()) -> None:
    """Refuse a file that could not be written, before the work whose result it is to hold.

    Args:
        path: the file.
        kinds: extensions it may have; None for any.
        reads: files the work reads, none of which it may replace.

    Raises:
        InputError: another extension, a folder of that name, a file where its folder should be, one of `reads`, or a place
            inside a saved model.
    """
    if kinds is not None and path.suffix not in kinds:
        raise InputError(f"an output ending in {', '.join(kinds)}", str(path), "choose one of these")
    if path.is_dir():
        raise InputError("a file to write", f"the folder {path}", "name a file in it")
    for place in path.parents:
        if place.exists() and not place.is_dir():
            raise InputError(f"a folder at {path.parent}", f"the file {place}", "choose another --out")
    outside(path)
    if any(_same(path, one) for one in reads):
        raise InputError("an output that is no input", f"{path}, which is read", "name another file to write")


def _same(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, there or not yet: what a command makes and reads is lost as well."""
    return path.resolve() == other.resolve() or (path.exists() and other.exists() and path.samefile(other))


@contextlib.contextmanager
def written(path: Path) -> Iterator[Path]:
    """Yield a hidden file beside ``path``; when the block ends well it becomes ``path``, else nothing is left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with naming(path):
            yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table in the format its extension names; the file appears whole or not at all.

    In CSV and TSV lists and objects in cells are JSON, and columns that had no name in such a file have none again.
    """
    write_pieces(in_pieces(frame), path)


def write_pieces(pieces: Iterable[pd.DataFrame], path: Path) -> None:
    """Write a table that comes in pieces, at least one, all of the same columns and kinds; see :func:`write_table`.

    Only a piece at a time is held, but for Parquet.
    """
    check_output(path)
    pieces = _whole(pieces, path)
    with written(path) as temporary:
        if path.suffix == ".parquet":
            _columnar(pd.concat(pieces), path).to_parquet(temporary, index=False)
            return
        with temporary.open("w", encoding="utf-8", newline="") as handle:
            for number, piece in enumerate(pieces):
                if path.suffix == ".jsonl":
                    handle.writelines(_lines(piece))
                else:
                    _separated(piece, handle, "\t" if path.suffix == ".tsv" else ",", header=not number)


def in_pieces(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The table in pieces of :data:`ROWS` rows, at least one; whole where it holds times, whose form all of them decide."""
    timed = any(kind.kind in "mM" for kind in frame.dtypes)
    size = len(frame) if timed else ROWS
    for start in range(0, max(len(frame), 1), max(size, 1)):
        yield frame.iloc[start : start + size]


def _whole(pieces: Iterable[pd.DataFrame], path: Path) -> Iterator[pd.DataFrame]:
    """The pieces without halves of characters, which no file holds; said once."""
    count = 0
    for piece in pieces:
        for name in [name for name in piece if piece[name].dtype == object]:
            cells, found = mended(piece[name])
            if found:
                piece = piece.copy(deep=False)
                piece[name] = pd.Series(cells, index=piece.index, dtype=object)
                count += found
        yield piece
    if count:
        say(said(count, str(path)))


def _columnar(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Every column of one kind, as Parquet has them; what no kind holds is written as text, and that is said."""
    frame = frame.copy(deep=False)
    for name in [name for name in frame if frame[name].dtype == object]:
        frame[name] = _whole_numbers(frame[name])
        if frame[name].dtype == object and not _fits(frame[[name]]):
            say(f"note: no kind of column in Parquet holds all cells of {name}; it is written as text ({path})")
            texts = [None if _missing(cell) else str(_cell(cell)) for cell in frame[name]]
            frame[name] = pd.Series(texts, index=frame.index, dtype=object)
    return frame


def _whole_numbers(cells: pd.Series) -> pd.Series:
    """Whole numbers beside empty cells, as reading keeps them, of a kind that holds each in full; others as they are."""
    if pd.api.types.infer_dtype(cells, skipna=True) == "integer":
        for kind in ("Int64", "UInt64"):
            with contextlib.suppress(OverflowError, TypeError, ValueError):
                return cells.astype(kind)
    return cells


def _fits(column: pd.DataFrame) -> bool:
    """Whether Parquet takes it."""
    import pyarrow as pa

    try:
        column.to_parquet(io.BytesIO())
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return False
    return True


def _missing(cell: Any) -> bool:
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def _separated(frame: pd.DataFrame, handle: TextIO, mark: str, *, header: bool) -> None:
    names = ["" if name in frame.attrs.get(UNNAMED, ()) else str(name) for name in frame]
    plain = _plain(frame)
    # Python before 3.13 quotes no lone carriage return, which would be read as the end of the row.
    returns = any("\r" in cell for cell in [*names, *plain.to_numpy().flat] if isinstance(cell, str))
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    plain.to_csv(handle, index=False, header=names if header else False, sep=mark, quoting=quoting)


def _lines(frame: pd.DataFrame) -> Iterator[str]:
    """Rows as JSON, every number in full and times as ISO 8601 writes them; pandas rounds the ones and counts the others."""
    frame = frame.copy(deep=False)
    for name in frame.select_dtypes("float32").columns:
        frame[name] = frame[name].astype(str).astype(float)  # .1 as .1
    for row in frame.to_dict("records"):
        line = json.dumps(without_nan(row), ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_json)
        yield line + "\n"


def _json(value: Any) -> Any:
    """What JSON has no form for."""
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells as CSV can hold them; a column of objects stays one, whatever a piece of it looks like."""
    frame = frame.copy(deep=False)
    for name in [name for name in frame if frame[name].dtype == object]:
        frame[name] = pd.Series([_cell(cell) for cell in frame[name]], index=frame.index, dtype=object)
    return frame


def _cell(value: Any) -> Any:
    if not isinstance(value, (list, dict, np.ndarray)):
        return value
    return json.dumps(without_nan(value), ensure_ascii=False, allow_nan=False, default=str)
