"""File sources: CSV, TSV or JSON lines that may still grow, read from where the last reading stopped.

A broken line is counted and skipped, never fatal; a file whose columns or encoding are wrong as a whole is an error.
Other bytes before the cursor mean another file, which is read from its beginning. Knows nothing of what the rows mean.
"""

import contextlib
import csv
import gzip
import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from fieldtune.data.separated import separator
from fieldtune.errors import InputError
from fieldtune_monitor.records import RawRow

KINDS = {".jsonl": "jsonl", ".csv": ",", ".tsv": "\t"}
END = 4096  # bytes at either end of what was read, by which a file is known again
RECORD_LINES, RECORD_BYTES = 200, 10_000_000  # a CSV record beyond either has a quote that nobody closed
csv.field_size_limit(RECORD_BYTES)


@dataclass(frozen=True)
class Cursor:
    """Where to go on reading: byte offset, lines before it, the header of a CSV file.

    mark: hash of the first and the last bytes before the offset. An inode would not do: copying tools renew it with
    every copy of the same growing file, and an export that overwrites a file in place keeps it.
    """

    offset: int = 0
    line: int = 0
    header: tuple[str, ...] = ()
    mark: str = ""


@dataclass(frozen=True)
class Reading:
    """Rows read, problems with lines, the cursor after them, whether the end was reached, and whether a last line
    without line end was left there."""

    rows: tuple[RawRow, ...]
    problems: tuple[str, ...]
    cursor: Cursor
    at_end: bool
    waits: bool = False


@dataclass(frozen=True)
class _Line:
    """A line with its number and the offset of the byte after it."""

    raw: bytes
    number: int
    end: int


class _Lines:
    """Whole lines of a binary file; an unfinished last line is left for later unless `final`.

    With `objects` it is taken where it is a JSON object: no part of an object is one.
    """

    def __init__(self, file: BinaryIO, cursor: Cursor, final: bool, objects: bool) -> None:
        self.final, self.objects = final, objects
        self._file, self._number, self._end = file, cursor.line, cursor.offset
        self._back: deque[_Line] = deque()
        self._ended = False
        self.waits = False

    @property
    def at_end(self) -> bool:
        return self._ended and not self._back

    def __iter__(self) -> Iterator[_Line]:
        return self

    def __next__(self) -> _Line:
        if self._back:
            return self._back.popleft()
        raw = b"" if self._ended else self._file.readline()
        if not raw or not (self.final or raw.endswith(b"\n") or (self.objects and _is_object(raw))):
            self._ended, self.waits = True, bool(raw)
            raise StopIteration
        self._number, self._end = self._number + 1, self._end + len(raw)
        return _Line(raw, self._number, self._end)

    def back(self, lines: Sequence[_Line]) -> None:
        """Read these lines again next."""
        self._back.extendleft(reversed(lines))


def _is_object(raw: bytes) -> bool:
    try:
        return isinstance(json.loads(raw), dict)
    except (ValueError, RecursionError):
        return False


def read_file(path: Path, cursor: Cursor, limit: int, *, final: bool, whole: bool = False) -> Reading:
    """Read at most `limit` rows after `cursor`.

    Args:
        path: the file, .gz allowed.
        cursor: of the last reading; another file under the same name is read from its beginning.
        final: take a last line without line end too, and a CSV record with an open quote for broken (the writer is
            done).
        whole: take a last line without line end where it is surely whole. Of JSON that can be seen; half a CSV record
            may look like a whole one.

    Raises:
        InputError: no such file, unknown kind, empty file, missing columns.
    """
    kind = _kind(path)
    try:
        with cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
            cursor = cursor if _mark(file, cursor.offset) == cursor.mark else Cursor()
            mark, said = _separator(file, kind)
            file.seek(cursor.offset)
            lines = _Lines(file, cursor, final, whole and kind == "jsonl")
            if said and not cursor.offset and (first := next(lines, None)):
                cursor = Cursor(first.end, first.number)
            reading = _json(path, lines, cursor, limit) if kind == "jsonl" else _table(path, lines, cursor, mark, limit)
            known = _mark(file, reading.cursor.offset)
            return replace(reading, cursor=replace(reading.cursor, mark=known), waits=lines.waits)
    except FileNotFoundError as error:
        raise InputError("a file with stories", f"nothing at {path}", "check the path") from error
    except (OSError, EOFError) as error:
        raise InputError(f"a readable file at {path}", str(error), "check the file and its permissions") from error


def _mark(file: BinaryIO, offset: int) -> str:
    """Hash of the bytes at both ends of the part before `offset`; a file that is shorter has another one."""
    if offset == 0:
        return ""
    file.seek(0)
    first = file.read(min(END, offset))
    file.seek(max(offset - END, 0))
    return hashlib.sha256(first + file.read(min(END, offset))).hexdigest()


def _separator(file: BinaryIO, kind: str) -> tuple[str, bool]:
    """The mark between the cells, and whether a first line of its own says it (Excel's ``sep=;``): as for any table, but that
    one of the names must be title."""
    if kind == "jsonl":
        return "", False
    file.seek(0)
    # By its first line alone: of a file that is written to, the first look may see no row, and all looks must tell the same.
    head = file.readline(RECORD_BYTES).decode("utf-8-sig", errors="replace")
    text, mark = separator(head, "" if kind == "," else kind)
    if text == head and kind == ",":
        mark = next((one for one in (mark, ",", ";", "\t") if "title" in _names(head, one)), mark)
    return mark, text != head


def _names(head: str, mark: str) -> list[str]:
    with contextlib.suppress(csv.Error):
        return [name.strip() for name in next(csv.reader([head], delimiter=mark), [])]
    return []


def _kind(path: Path) -> str:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in KINDS:
        raise InputError(
            f"stories in a file ending in {', '.join(KINDS)} (.gz allowed)", str(path), "convert or rename it"
        )
    return KINDS[suffix]


def _json(path: Path, lines: _Lines, cursor: Cursor, limit: int) -> Reading:
    rows: list[RawRow] = []
    problems: list[str] = []
    for line in lines:
        place = f"{path.name} line {line.number}"
        if line.raw.strip():
            try:
                values = json.loads(line.raw.decode("utf-8-sig"))
                if not isinstance(values, dict):
                    raise ValueError("no JSON object")
                rows.append(RawRow(values, place))
            except (ValueError, RecursionError) as error:
                problems.append(f"{place}: {type(error).__name__}: {str(error)[:80]}")
        cursor = Cursor(line.end, line.number)
        if len(rows) + len(problems) >= limit:
            break
    return Reading(tuple(rows), tuple(problems), cursor, lines.at_end)


def _table(path: Path, lines: _Lines, cursor: Cursor, mark: str, limit: int) -> Reading:
    """CSV rows. Of a broken record only the first line is given up: a stray quote swallows good rows after it."""
    rows: list[RawRow] = []
    problems: list[str] = []
    header = cursor.header
    while len(rows) + len(problems) < limit:
        taken, cells, wrong = _record(lines, mark)
        if not taken:
            break
        place = f"{path.name} line {taken[0].number}"
        if not header:
            header = _header(path, cells, wrong)
        elif cells and len(cells) != len(header):
            wrong = f"{len(cells)} cells under {len(header)} columns"
        elif cells:
            rows.append(RawRow(dict(zip(header, cells, strict=True)), place))
        if wrong:
            problems.append(f"{place}: {wrong}")
            lines.back(taken[1:])
            taken = taken[:1]
        cursor = Cursor(taken[-1].end, taken[-1].number, header)
    return Reading(tuple(rows), tuple(problems), cursor, lines.at_end)


def _header(path: Path, cells: Sequence[str], wrong: str) -> tuple[str, ...]:
    header = tuple(name.strip() for name in cells)
    if "title" not in header:
        raise InputError(
            f"a column 'title' in {path}",
            wrong or ", ".join(header) or "an empty line",
            "rename the column of the headlines",
        )
    return header


def _record(lines: _Lines, mark: str) -> tuple[list[_Line], list[str], str]:
    """The lines of the next CSV record, its cells, and what is wrong with it; no line while its end is not there yet.

    The reader asks for another line only inside quotes, so each is looked at once and a quote within a word is text.
    Text right after a closing quote is forgiven within one line; over several it shows that the first quote was stray.
    """
    taken: list[_Line] = []

    def texts() -> Iterator[str]:
        size = 0
        for line in lines:
            taken.append(line)
            text = line.raw.decode("utf-8-sig" if line.number == 1 else "utf-8")
            size += len(line.raw)
            if len(taken) > RECORD_LINES or size > RECORD_BYTES:
                raise csv.Error(f"a quote is not closed within {RECORD_LINES} lines or {RECORD_BYTES:,} bytes")
            yield text

    try:
        return taken, next(csv.reader(texts(), delimiter=mark, strict=True), []), ""
    except UnicodeDecodeError:
        return taken, [], "not UTF-8"
    except csv.Error as error:
        if lines.at_end and not lines.final:
            return [], [], ""
        return (taken, *_forgiving(taken[0], mark)) if len(taken) == 1 else (taken, [], str(error))


def _forgiving(line: _Line, mark: str) -> tuple[list[str], str]:
    try:
        return next(csv.reader([line.raw.decode("utf-8-sig")], delimiter=mark)), ""
    except csv.Error as error:
        return [], str(error)
