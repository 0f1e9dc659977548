"""File sources: CSV, TSV or JSON lines that may still grow, read from where the last reading stopped.

A broken line is counted and skipped, never fatal; a file whose columns or encoding are wrong as a whole is an error.
Knows nothing of what the rows mean.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from fieldtune.errors import InputError
from fieldtune_monitor.records import RawRow

KINDS = {".jsonl": "jsonl", ".csv": ",", ".tsv": "\t"}
csv.field_size_limit(10_000_000)


@dataclass(frozen=True)
class Cursor:
    """Where to go on reading: byte offset, lines before it, and the header of a CSV file."""

    offset: int = 0
    line: int = 0
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """Rows read, problems with lines, the cursor after them, and whether the end was reached."""

    rows: tuple[RawRow, ...]
    problems: tuple[str, ...]
    cursor: Cursor
    at_end: bool


@dataclass
class _Lines:
    """Whole lines of a binary file with their offsets; an unfinished last line is left for later unless `final`."""

    file: BinaryIO
    offset: int
    line: int
    final: bool
    at_end: bool = False
    pending: list[bytes] = field(default_factory=list)

    def __iter__(self) -> Iterator[bytes]:
        for raw in self.file:
            if not raw.endswith(b"\n") and not self.final:
                break
            self.offset += len(raw)
            self.line += 1
            yield raw
        self.at_end = True


def read_file(path: Path, cursor: Cursor, limit: int, *, final: bool) -> Reading:
    """Read at most `limit` rows after `cursor`.

    Args:
        path: the file, .gz allowed.
        cursor: of the last reading; a file that has become shorter is read from its beginning.
        final: take a last line without line end too (the writer is done).

    Raises:
        InputError: no such file, unknown kind, empty file, missing columns.
    """
    kind = _kind(path)
    try:
        size = path.stat().st_size
        cursor = Cursor() if path.suffix != ".gz" and cursor.offset > size else cursor
        with cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
            file.seek(cursor.offset)
            lines = _Lines(file, cursor.offset, cursor.line, final)
            return _json(path, lines, limit) if kind == "jsonl" else _table(path, lines, cursor.header, kind, limit)
    except FileNotFoundError as error:
        raise InputError("a file with stories", f"nothing at {path}", "check the path") from error
    except (OSError, EOFError) as error:
        raise InputError(f"a readable file at {path}", str(error), "check the file and its permissions") from error


def _kind(path: Path) -> str:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in KINDS:
        raise InputError(
            f"stories in a file ending in {', '.join(KINDS)} (.gz allowed)", str(path), "convert or rename it"
        )
    return KINDS[suffix]


def _json(path: Path, lines: _Lines, limit: int) -> Reading:
    rows: list[RawRow] = []
    problems: list[str] = []
    for raw in lines:
        place = f"{path.name} line {lines.line}"
        if raw.strip():
            try:
                values = json.loads(raw.decode("utf-8-sig"))
                if not isinstance(values, dict):
                    raise ValueError("no JSON object")
                rows.append(RawRow(values, place))
            except (ValueError, RecursionError) as error:
                problems.append(f"{place}: {type(error).__name__}: {str(error)[:80]}")
        if len(rows) + len(problems) >= limit:
            break
    return Reading(tuple(rows), tuple(problems), Cursor(lines.offset, lines.line), lines.at_end)


def _table(path: Path, lines: _Lines, header: tuple[str, ...], separator: str, limit: int) -> Reading:
    rows: list[RawRow] = []
    problems: list[str] = []
    done = Cursor(lines.offset, lines.line, header)
    for place, cells in _records(path, lines, separator, problems):
        if not header:
            header = tuple(name.strip().lstrip("\ufeff") for name in cells)
            if "title" not in header:
                raise InputError(f"a column 'title' in {path}", ", ".join(header), "rename the column of the headlines")
        elif len(cells) == len(header):
            rows.append(RawRow(dict(zip(header, cells, strict=True)), place))
        elif cells:
            problems.append(f"{place}: {len(cells)} cells under {len(header)} columns")
        done = Cursor(lines.offset, lines.line, header)
        if len(rows) + len(problems) >= limit:
            break
    return Reading(tuple(rows), tuple(problems), done, lines.at_end)


def _records(path: Path, lines: _Lines, separator: str, problems: list[str]) -> Iterator[tuple[str, list[str]]]:
    """CSV records, which may span lines; the cursor moves only past whole records."""
    buffer, first = "", 0
    for raw in lines:
        first = first or lines.line
        try:
            buffer += raw.decode("utf-8")
        except UnicodeDecodeError:
            problems.append(f"{path.name} line {lines.line}: not UTF-8")
            buffer, first = "", 0
            continue
        if buffer.count('"') % 2 and not (lines.final and _last(lines)):
            continue
        for cells in csv.reader(io.StringIO(buffer, newline=""), delimiter=separator):
            yield f"{path.name} line {first}", cells
        buffer, first = "", 0


def _last(lines: _Lines) -> bool:
    position = lines.file.tell()
    more = lines.file.read(1)
    lines.file.seek(position)
    return not more
