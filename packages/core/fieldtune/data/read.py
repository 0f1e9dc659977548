"""Read a table or a TOML file from disk; every complaint names the file and the line. Knows no task."""

import io
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.filled import filled
from fieldtune.data.halves import mended, said
from fieldtune.data.raw import SAVE, decode, extension, most_of, once, read_bytes
from fieldtune.data.separated import separated, separator
from fieldtune.errors import ConfigError, InputError
from fieldtune.progress import say

KINDS = (".csv", ".tsv", ".jsonl", ".parquet")
_AT_ONCE = 4096  # rows of a Parquet file that are unpacked to be counted
_SMALL = 2**27  # bytes of its cells that need no proportion to the file: millions of equal labels take next to none
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # JSON's way to write a half of a character, or both


def read_table(
    path: Path | str,
    required: Sequence[str] = (),
    optional: Sequence[str] = (),
    *,
    encoding: str = "utf-8-sig",
    hint: str = "",
    every_row: bool = False,
    numbered: bool = False,
) -> pd.DataFrame:
    """Read CSV, TSV, JSON lines or Parquet, by extension; ``.gz`` allowed.

    A CSV file whose header has semicolons or tabs and no comma is separated by these, as spreadsheets of half the
    world write it; Excel's first line that says so (``sep=;``) is passed over.
    Text stays text: ``007`` keeps its zeros, and an empty cell or a null in a column of texts is an empty string.
    Rows with nothing in any cell are left out and counted on stderr.

    Args:
        path: the file.
        required: columns that must be there.
        optional: columns to add as empty text when missing.
        encoding: of CSV, TSV and JSON lines.
        hint: what else than renaming mends a missing column, e.g. ``"name it with --text COLUMN"``.
        every_row: keep empty rows too, for answers that stand beside the rows they are about, nulls as they are, and a
            table without rows.
        numbered: let the index be the number of each row as a spreadsheet or an editor shows it, empty rows counted: the
            header of CSV is row 1; of JSON lines it is the line.

    Raises:
        InputError: no such file, unknown extension, unreadable line, missing column, no rows.
    """
    path = Path(path)
    kind = extension(path)
    if kind in _WORKBOOKS:
        raise InputError(f"a table ending in {', '.join(KINDS)}", f"a workbook, {path}", f"save it as {SAVE['.csv']}")
    if kind == ".json":
        fix = "write it as JSON lines, an object a line, into a file ending in .jsonl"
        raise InputError(f"a table ending in {', '.join(KINDS)}", str(path), fix)
    if kind not in KINDS:
        raise InputError(f"a table ending in {', '.join(KINDS)} (.gz allowed)", str(path), "convert or rename it")
    frame = _frame(path, kind, encoding, numbered)
    if not every_row:
        frame = _without_nulls(frame)
    if frame.empty and not (every_row and len(frame.columns)):
        raise InputError("at least one row", f"none in {path}", "check that the export worked")
    check_columns(frame, required, str(path), hint)
    if not every_row:
        frame = filled(frame, str(path), renumbered=not numbered)
        if frame.empty:
            raise InputError("a row with anything in it", f"only empty ones in {path}", "check that the export worked")
    if not numbered and not (every_row and kind == ".parquet"):
        frame = frame.reset_index(drop=True)
    for name in optional:
        if name not in frame:
            frame[name] = ""
    return frame


def _frame(path: Path, kind: str, encoding: str, numbered: bool) -> pd.DataFrame:
    """All rows of a file; of JSON lines the index is always the line."""
    if kind == ".parquet":
        frame = _parquet(read_bytes(path), path)
        return frame.set_axis(range(1, len(frame) + 1)) if numbered else frame
    text = decode(read_bytes(path), path, encoding)
    if kind == ".jsonl":
        return _json_lines(text, path)
    return separated(*separator(text, "\t" if kind == ".tsv" else ""), path, numbered)


def check_columns(frame: pd.DataFrame, required: Sequence[str], where: str, hint: str = "") -> None:
    """Raises InputError when a required column is missing: which are there, and how to mend it."""
    # of names of several levels, "text" alone may stand for several columns
    missing = [name for name in required if name not in frame or frame[name].ndim > 1]
    if missing:
        fix = f"rename a column to {missing[0]!r}" + (f", or {hint}" if hint else "")
        written = where.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
        alone = str(frame.columns[0]) if written and len(frame.columns) == 1 else ""
        if mark := next((mark for mark in ",;|" if mark in alone), ""):
            fix = f"where {mark} stands between the cells, write the line sep={mark} above the header; or {fix}"
        raise InputError(
            f"the columns {', '.join(required)}", f"{', '.join(map(_seen, frame.columns))} in {where}", fix
        )


def _seen(name: Any) -> str:
    """A column's name; in quotation marks where blanks around it would not be seen."""
    return repr(name) if isinstance(name, str) and name != name.strip() else str(name)


def check_named(frame: pd.DataFrame, rename: Mapping[str, str], ours: Sequence[str], where: str) -> None:
    """Raises InputError when a column is missing that the user names for one of ours: it would be passed over."""
    check_columns(frame, [rename[name] for name in ours if rename.get(name, name) != name], where)


def read_toml(path: Path | str) -> dict[str, Any]:
    """Read a TOML configuration; its complaint names the line.

    Raises:
        InputError: no such file, or no UTF-8. ConfigError: no TOML.
    """
    try:
        return tomllib.loads(decode(read_bytes(Path(path)), Path(path)))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"valid TOML in {path}", str(error), "correct that line") from error


def _json_lines(text: str, path: Path) -> pd.DataFrame:
    rows, numbers = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=once)
        except (ValueError, RecursionError) as error:
            raise InputError(f"JSON on every line of {path}", f"line {number}: {error}", "correct that line") from error
        if not isinstance(row, dict):
            fix = "write the objects of the list one a line" if isinstance(row, list) else "correct that line"
            raise InputError(f"a JSON object on every line of {path}", f"line {number}: {type(row).__name__}", fix)
        rows.append(row)
        numbers.append(number)
    if _HALF.search(text):
        rows, count = mended(rows)
        if count:
            say(said(count, str(path)))
    return _whole_numbers(pd.DataFrame(rows, index=numbers), rows)


def _whole_numbers(frame: pd.DataFrame, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Whole numbers beside empty cells stay what they are: pandas makes floats of them, in which long ids run together."""
    for name in frame.select_dtypes("float64").columns:
        cells = [math.nan if (cell := row.get(name)) is None else cell for row in rows]
        given = [cell for cell in cells if cell == cell]  # NaN is not itself
        if all(isinstance(cell, int) for cell in given) or any(cell != float(cell) for cell in given):
            frame[name] = pd.Series(cells, index=frame.index, dtype=object)
    return frame


def _without_nulls(frame: pd.DataFrame) -> pd.DataFrame:
    """Nulls in columns of texts become empty texts, as an empty cell of a CSV file is."""
    for name in frame.columns:
        given = frame[name].dropna()
        if len(given) < len(frame) and given.map(lambda value: isinstance(value, str)).all():
            frame[name] = frame[name].astype(object).where(frame[name].notna(), "")
    return frame


def _parquet(raw: bytes, path: Path) -> pd.DataFrame:
    try:
        most = most_of(len(raw), _SMALL)
        frame = _unpacked(raw) if _unpacked_size(raw, most) <= most else None
    except Exception as error:  # pyarrow raises many kinds; each means the file is no Parquet
        raise InputError(f"a Parquet file at {path}", type(error).__name__, "export it again") from error
    if frame is None:
        raise InputError(
            f"a Parquet file whose cells take at most {most:,} bytes",
            f"more in the {len(raw):,} bytes of {path}",
            "save it as CSV if you trust it",
        )
    return frame.astype(
        dict.fromkeys(frame.select_dtypes("category").columns, object)
    )  # cells as other files give them


def _unpacked(raw: bytes) -> pd.DataFrame:
    """By Arrow itself: pandas before 3 cannot be told to keep whole numbers beside empty cells, as in JSON lines."""
    from pyarrow.parquet import read_table as unpacked

    frame: pd.DataFrame = unpacked(io.BytesIO(raw)).to_pandas(integer_object_nulls=True)
    for name, kind in frame.dtypes.items():  # of texts, a null of pandas' own is no truth value
        if pd.api.types.is_string_dtype(kind) and getattr(kind, "na_value", None) is pd.NA:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    names = list(frame.index.names)
    keys = [name for name in names if name is not None and name not in frame and names.count(name) == 1]
    return frame.reset_index(keys) if keys else frame  # an index with a name is a column of the file


def _unpacked_size(raw: bytes, most: int) -> int:
    """Bytes that the cells of a Parquet file take, counted in pieces until they are more than ``most``: equal cells take no
    room in the file, and its own word for its size is of them packed. Texts stay packed meanwhile, one of each."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    kinds = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    texts = [field.name for field in ParquetFile(io.BytesIO(raw)).schema_arrow if field.type in kinds]
    size = 0
    for piece in ParquetFile(io.BytesIO(raw), read_dictionary=texts).iter_batches(_AT_ONCE):
        size += sum(map(_cells_size, piece.columns))
        if size > most:
            break
    return size


def _cells_size(column: Any) -> int:
    """Bytes of an Arrow array's cells; of one that is packed, once it is not."""
    import pyarrow as pa
    from pyarrow import compute

    if not isinstance(column, pa.DictionaryArray) or not pa.types.is_string(column.type.value_type):
        return int(column.nbytes)
    lengths = compute.binary_length(column.dictionary).cast(pa.int64())
    return int(column.indices.nbytes) + int(compute.sum(lengths.take(column.indices)).as_py() or 0)
