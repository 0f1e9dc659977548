"""The text of a CSV or TSV file -> a table; every complaint names the line. Knows no task."""

import contextlib
import csv
import io
import re
import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.errors import InputError

UNNAMED = "unnamed"
"""Attribute of a table: which of its columns have no name in the file, where pandas gives them one."""
_BLANK_LINE = re.compile(r"^[ \t]*\r?\n", re.MULTILINE)
_BLANK_LINES = re.compile(r"\A(?:[ \t]*(?:\r\n|\n|\r))+")
_BREAK = re.compile(r"\r\n|\n|\r")
_QUOTED = r'"[^"]*+(?:""[^"]*+)*+"'
_FIRST = 50
"""Rows that tell which of two marks in a header parts the cells."""
_ASIDE = re.compile(rf"{_QUOTED}|\([^()]*\)|\[[^][]*\]")
"""What of a header parts no cells: quoted names, and what stands in brackets, as in "scores (low;high)"."""
_SAID = re.compile(r"\ufeff?sep=([^\w\s\"]|\t)(?=[\r\n])", re.IGNORECASE)


def separator(text: str, usual: str = "") -> tuple[str, str]:
    """The text of a table, and the mark between its cells: the one that Excel's first line says (``sep=;``), else
    `usual`, else the one of those in its header that parts the first rows most, all of them alike. Of two that part them
    as much, or not alike, it is the one that leaves all quotes closed, then one that no space follows: "price, EUR" is a name.

    That line is left empty in the text returned, so that the others keep their numbers.
    """
    if said := _SAID.match(text):
        return text[said.end() :], said[1]
    header = text.lstrip("\r\n").partition("\n")[0]
    marks = _within(_ASIDE.sub("", header)) or _within(header) or [","]
    if usual or len(marks) == 1:
        return text, usual or marks[0]
    tight = _within(re.sub(r"[,;] ", "", header))
    return text, max(marks, key=lambda mark: (_width(text, mark), _width(text, mark, strict=True) > 0, mark in tight))


def _within(header: str) -> list[str]:
    return [mark for mark in (",", ";", "\t") if mark in header]


def _width(text: str, mark: str, strict: bool = False) -> int:
    """Cells of a row by this mark, 0 where the first rows that hold anything differ, or, if `strict`, have cells whose quotes
    are not closed rightly."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=strict)
    try:
        widths = {len(cells) for cells in islice(rows, _FIRST) if any(cell.strip() for cell in cells)}
    except csv.Error:
        return 0
    return widths.pop() if len(widths) == 1 else 0


def separated(text: str, mark: str, path: Path, numbered: bool) -> pd.DataFrame:
    if not text.strip():
        raise InputError("a header and at least one row", f"an empty file at {path}", "check that the export worked")
    header = _header(text, mark)
    check_once(header, str(path))
    if line := _run_on(text, mark):
        raise InputError(
            f"a well-formed table in {path}",
            f"a quotation mark in line {line} that is closed on a later line, inside of a cell",
            "correct that line: a quotation mark that is part of a cell is written twice, and the cell in quotes",
        )
    lone = len(header) == 1  # of a single column, a blank line is a row with an empty cell
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # the first row is longer than the header
            frame = pd.read_csv(
                io.StringIO(_BLANK_LINES.sub("", text, count=1) if lone else text),
                sep=mark,
                dtype=str,
                keep_default_na=False,
                on_bad_lines="error",
                index_col=False,
                skip_blank_lines=not lone,
            )
            frame.attrs[UNNAMED] = [name for name, said in zip(frame, header, strict=False) if not said]
            return frame.set_axis(_row_numbers(text, mark, len(frame), lone)) if numbered else frame
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        reason = (
            _long_row(text, mark)
            or _open_quote(text, mark)
            or str(error).strip().replace("Error tokenizing data. C error: ", "")
        )
        raise InputError(
            f"a well-formed table in {path}", reason, "correct that line (quotes, separators, a comma at its end)"
        ) from error


def check_once(names: Sequence[Any], where: str) -> None:
    """Raises InputError when a column stands twice: which of the two is meant is not guessed."""
    twice = [str(name) for place, name in enumerate(names) if name in names[:place] and str(name).strip()]
    if twice:
        raise InputError("every column once", f"{', '.join(twice)} again in {where}", "rename or delete one of them")


def _row_numbers(text: str, mark: str, count: int, lone: bool) -> range | list[int]:
    """What a spreadsheet calls the rows: blank lines, which pandas passes over, count; in a `lone` column they are rows."""
    if _BLANK_LINE.search(text):
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        with contextlib.suppress(csv.Error):
            numbers = [n for n, cells in enumerate(reader, 1) if len(cells) > 1 or (cells and not cells[0].isspace())]
            if len(numbers) == count + 1:
                return numbers[1:]
            if lone and numbers:
                return range(numbers[0] + 1, numbers[0] + 1 + count)
    return range(2, count + 2)


def _header(text: str, mark: str) -> list[str]:
    """The cells of the first line that has any; blanks alone are none."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    with contextlib.suppress(csv.Error):
        return next((cells for cells in reader if cells and not (len(cells) == 1 and cells[0].isspace())), [])
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


def _run_on(text: str, mark: str) -> int:
    """The line of a cell in quotes that runs on over others until a quotation mark in the middle of one; 0 without.

    It would swallow these lines without a word. What follows a closing mark on the line it was opened on is let pass, as are
    blanks after any. Cells may be of any length: ``csv`` reads none beyond its limit.
    """
    if '"' not in text:
        return 0
    end = f"[^{re.escape(mark)}\\r\\n]"
    sound = re.compile(rf'(?:{_QUOTED}(?!{end})|(?!"){end}++|[{re.escape(mark)}\r\n]++)*+')
    odd = re.compile(rf"({_QUOTED})({end}*+)")
    place = 0
    while cell := odd.match(text, sound.match(text, place).end()):  # type: ignore[union-attr]  # matches nothing at least
        if _BREAK.search(cell[1]) and cell[2].strip():
            return 1 + len(_BREAK.findall(text, 0, cell.start()))
        place = cell.end()
    return 0


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
