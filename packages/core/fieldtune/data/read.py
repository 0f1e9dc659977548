"""Read a table or a TOML file from disk; every complaint names the file and the line. Knows no task."""

import codecs
import contextlib
import csv
import gzip
import io
import json
import os
import re
import tomllib
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.filled import filled
from fieldtune.data.halves import mended, said
from fieldtune.errors import ConfigError, InputError
from fieldtune.progress import say

KINDS = (".csv", ".tsv", ".jsonl", ".parquet")
ROWS = 20_000
"""Rows of a table that are written at a time."""
UNPACKED = 2**31
"""Bytes that a ``.gz`` file may unpack to; more than :data:`SMALL` of them only where they are not :data:`RATIO` times its
own: tables of texts are some 3 to 30 times as large as their ``.gz``."""
SMALL, RATIO = 2**25, 100
_PIECE = 2**20
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")
_ZIPPED = b"PK\x03\x04"  # so do workbooks of spreadsheets begin, which are archives
_NAMES = {"utf-8-sig": "UTF-8"}
_SAVE = {".csv": "CSV UTF-8 in the spreadsheet", ".tsv": "UTF-8 text in the spreadsheet"}
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # JSON's way to write a half of a character, or both
_BLANK_LINE = re.compile(r"^[ \t]*\r?\n", re.MULTILINE)
_SAID = re.compile(r"\ufeff?sep=([^\w\s\"]|\t)(?=[\r\n])", re.IGNORECASE)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


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
        every_row: keep empty rows too, for answers that stand beside the rows they are about.
        numbered: let the index be the number of each row as a spreadsheet or an editor shows it, empty rows counted: the
            header of CSV is row 1; of JSON lines it is the line.

    Raises:
        InputError: no such file, unknown extension, unreadable line, missing column, no rows.
    """
    path = Path(path)
    kind = extension(path)
    if kind in _WORKBOOKS:
        raise InputError(f"a table ending in {', '.join(KINDS)}", f"a workbook, {path}", f"save it as {_SAVE['.csv']}")
    if kind == ".json":
        fix = "write it as JSON lines, an object a line, into a file ending in .jsonl"
        raise InputError(f"a table ending in {', '.join(KINDS)}", str(path), fix)
    if kind not in KINDS:
        raise InputError(f"a table ending in {', '.join(KINDS)} (.gz allowed)", str(path), "convert or rename it")
    frame = _frame(path, kind, encoding, numbered)
    if frame.empty:
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
        frame = _without_nulls(_parquet(read_bytes(path), path))
        return frame.set_axis(range(1, len(frame) + 1)) if numbered else frame
    text = decode(read_bytes(path), path, encoding)
    if kind == ".jsonl":
        return _json_lines(text, path)
    return _separated(*separator(text, "\t" if kind == ".tsv" else ""), path, numbered)


def check_once(names: Sequence[Any], where: str) -> None:
    """Raises InputError when a column stands twice: which of the two is meant is not guessed."""
    twice = [str(name) for place, name in enumerate(names) if name in names[:place] and str(name).strip()]
    if twice:
        raise InputError("every column once", f"{', '.join(twice)} again in {where}", "rename or delete one of them")


def check_columns(frame: pd.DataFrame, required: Sequence[str], where: str, hint: str = "") -> None:
    """Raises InputError when a required column is missing: which are there, and how to mend it."""
    missing = [name for name in required if name not in frame]
    if missing:
        raise InputError(
            f"the columns {', '.join(required)}",
            f"{', '.join(map(str, frame.columns))} in {where}",
            f"rename a column to {missing[0]!r}" + (f", or {hint}" if hint else ""),
        )


def extension(path: Path | str) -> str:
    """What a file's name says of its format, ``.gz`` apart; empty where it says nothing."""
    suffixes = [suffix for suffix in Path(path).suffixes if suffix != ".gz"]
    return suffixes[-1] if suffixes else ""


def read_bytes(path: Path) -> bytes:
    """The file's bytes, unpacked when it ends in ``.gz``."""
    try:
        raw = path.read_bytes()
        return _unpacked(raw, path) if path.suffix == ".gz" else raw
    except FileNotFoundError as error:
        raise InputError("a file", f"nothing at {path}", "check the path") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"a readable file at {path}", str(error), "check the file and its permissions") from error


def _unpacked(raw: bytes, path: Path) -> bytes:
    """What a ``.gz`` file holds. It is unpacked once before to count, in pieces, so a bomb costs no memory."""
    most, size = min(UNPACKED, max(SMALL, RATIO * len(raw))), 0
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
        while piece := packed.read(_PIECE):
            size += len(piece)
            if size > most:
                raise InputError(
                    f"a .gz file that unpacks to at most {most:,} bytes",
                    f"more in the {len(raw):,} bytes of {path}",
                    "unpack it yourself if you trust it, and give the plain file",
                )
    return gzip.decompress(raw)


def read_toml(path: Path | str) -> dict[str, Any]:
    """Read a TOML configuration; its complaint names the line.

    Raises:
        InputError: no such file, or no UTF-8. ConfigError: no TOML.
    """
    try:
        return tomllib.loads(decode(read_bytes(Path(path)), Path(path)))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"valid TOML in {path}", str(error), "correct that line") from error


def check_output(path: Path, kinds: Sequence[str] | None = KINDS, *, reads: Iterable[Path] = ()) -> None:
    """Refuse a file that could not be written, before the work whose result it is to hold.

    Args:
        path: the file.
        kinds: extensions it may have; None for any.
        reads: files the work reads, none of which it may replace.

    Raises:
        InputError: another extension, a folder of that name, a file where its folder should be, or one of `reads`.
    """
    if kinds is not None and path.suffix not in kinds:
        raise InputError(f"an output ending in {', '.join(kinds)}", str(path), "choose one of these")
    if path.is_dir():
        raise InputError("a file to write", f"the folder {path}", "name a file in it")
    for place in path.parents:
        if place.exists() and not place.is_dir():
            raise InputError(f"a folder at {path.parent}", f"the file {place}", "choose another --out")
    if any(path.exists() and one.exists() and path.samefile(one) for one in reads):
        raise InputError("an output that is no input", f"{path}, which is read", "name another file to write")


@contextlib.contextmanager
def written(path: Path) -> Iterator[Path]:
    """Yield a hidden file beside ``path``; when the block ends well it becomes ``path``, else nothing is left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table in the format its extension names; the file appears whole or not at all.

    In CSV and TSV a line break inside a cell is a line feed: a lone carriage return, which pandas does not quote, would
    be read as the end of the row. Lists and objects in cells are JSON there.
    """
    write_pieces(in_pieces(frame), path)


def write_pieces(pieces: Iterable[pd.DataFrame], path: Path) -> None:
    """Write a table that comes in pieces, at least one, all of the same columns and kinds; see :func:`write_table`.

    Only a piece at a time is held, but for Parquet.
    """
    check_output(path)
    with written(path) as temporary:
        if path.suffix == ".parquet":
            pd.concat(pieces).to_parquet(temporary, index=False)
            return
        with temporary.open("w", encoding="utf-8", newline="") as handle:
            for number, piece in enumerate(pieces):
                if path.suffix == ".jsonl":
                    piece.to_json(handle, orient="records", lines=True, force_ascii=False)
                else:
                    mark = "\t" if path.suffix == ".tsv" else ","
                    _plain(piece).to_csv(handle, index=False, header=not number, sep=mark)


def in_pieces(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The table in pieces of :data:`ROWS` rows, at least one; whole where it holds times, whose form all of them decide."""
    timed = any(kind.kind in "mM" for kind in frame.dtypes)
    size = len(frame) if timed else ROWS
    for start in range(0, max(len(frame), 1), max(size, 1)):
        yield frame.iloc[start : start + size]


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells as CSV can hold them; a column of objects stays one, whatever a piece of it looks like."""
    kinds = {name: object for name in frame if frame[name].dtype == object}
    return frame.map(_cell).astype(kinds).replace(r"\r\n?", "\n", regex=True)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def decode(raw: bytes, path: Path, encoding: str = "utf-8-sig") -> str:
    """The text of a file read from ``path``.

    Raises:
        InputError: it is in another encoding (which line shows it, and how to convert), or the encoding is unknown.
    """
    if raw.startswith(_ZIPPED):
        raise InputError(f"text in {path}", "a workbook or another zip archive", f"save it as {_SAVE['.csv']}")
    first = raw.partition(b"\n")[0]
    if not encoding.lower().startswith("utf-16") and (b"\0" in first or first.startswith(_UTF16)):
        raise InputError(f"{_NAMES.get(encoding, encoding)} text in {path}", "UTF-16", _as_utf8(path, "utf-16"))
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{_NAMES.get(encoding, encoding)} text in {path}",
            f"another encoding at line {line} (byte {raw[error.start]:#04x})",
            f"{_as_utf8(path, 'cp1252')} (gb18030 for Chinese)",
        ) from error
    except LookupError as error:
        raise InputError("a known encoding", repr(encoding), "try utf-8, gb18030 or latin-1") from error


def _as_utf8(path: Path, found: str) -> str:
    return f"save it as {_SAVE.get(extension(path), 'UTF-8 in the editor')}, or convert it: iconv -f {found} -t utf-8"


def separator(text: str, usual: str = "") -> tuple[str, str]:
    """The text of a table, and the mark between its cells: the one that Excel's first line says (``sep=;``), else
    `usual`, else the one its header has.

    That line is left empty in the text returned, so that the others keep their numbers.
    """
    if said := _SAID.match(text):
        return text[said.end() :], said[1]
    header = text.lstrip("\r\n").partition("\n")[0]
    return text, usual or next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _separated(text: str, mark: str, path: Path, numbered: bool) -> pd.DataFrame:
    if not text.strip():
        raise InputError("a header and at least one row", f"an empty file at {path}", "check that the export worked")
    check_once(_header(text, mark), str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # the first row is longer than the header
            frame = pd.read_csv(
                io.StringIO(text),
                sep=mark,
                dtype=str,
                keep_default_na=False,
                on_bad_lines="error",
                index_col=False,
            )
            return frame.set_axis(_row_numbers(text, mark, len(frame))) if numbered else frame
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        reason = (
            _long_row(text, mark)
            or _open_quote(text, mark)
            or str(error).strip().replace("Error tokenizing data. C error: ", "")
        )
        raise InputError(
            f"a well-formed table in {path}", reason, "correct that line (quotes, separators, a comma at its end)"
        ) from error


def _row_numbers(text: str, mark: str, count: int) -> range | list[int]:
    """What a spreadsheet calls the rows: blank lines, which pandas passes over, count."""
    if _BLANK_LINE.search(text):
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        with contextlib.suppress(csv.Error):
            numbers = [n for n, cells in enumerate(reader, 1) if len(cells) > 1 or (cells and not cells[0].isspace())]
            if len(numbers) == count + 1:
                return numbers[1:]
    return range(2, count + 2)


def _header(text: str, mark: str) -> list[str]:
    """The cells of the first line that has any."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    with contextlib.suppress(csv.Error):
        return next((cells for cells in reader if cells), [])
    return []


def _long_row(text: str, mark: str) -> str:
    """The first row with more cells than the header, with its line; empty when every row is short enough."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    line, header = 1, 0
    with contextlib.suppress(csv.Error):
        for cells in reader:
            if header and len(cells) > header:
                return f"{len(cells)} cells in line {line}, {header} in the header"
            line, header = reader.line_num + 1, header or len(cells)
    return ""


def _open_quote(text: str, mark: str) -> str:
    """Where the quotation mark stands that is never closed; empty where all are."""
    if text.count('"') % 2 == 0:
        return ""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    line = 1
    with contextlib.suppress(csv.Error):
        for _ in reader:
            line = reader.line_num + 1
    return f"a quotation mark in line {line} that is not closed"


def _json_lines(text: str, path: Path) -> pd.DataFrame:
    rows, numbers = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
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
    return _without_nulls(pd.DataFrame(rows, index=numbers))


def _without_nulls(frame: pd.DataFrame) -> pd.DataFrame:
    """Nulls in columns of texts become empty texts, as an empty cell of a CSV file is."""
    for name in frame.columns:
        given = frame[name].dropna()
        if len(given) < len(frame) and given.map(lambda value: isinstance(value, str)).all():
            frame[name] = frame[name].astype(object).where(frame[name].notna(), "")
    return frame


def _parquet(raw: bytes, path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(raw))
    except Exception as error:  # pyarrow raises many kinds; each means the file is no Parquet
        raise InputError(f"a Parquet file at {path}", type(error).__name__, "export it again") from error
