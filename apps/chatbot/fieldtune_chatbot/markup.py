"""HTML and CSV as the plain, Markdown-like text that is stored, cut and cited. Pure.

Citations count characters in what these functions return, so a released version must keep giving the same text for
the same file; change the rules only together with the documents' versions.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser

from fieldtune.data.separated import separator
from fieldtune_chatbot.harmless import veiled

_SKIP = {
    "script",
    "style",
    "head",
    "nav",
    "footer",
    "template",
    "noscript",
    "svg",
    "iframe",
    "object",
    "math",
    "textarea",
}
_IN_HEAD = {"html", "head", "title", "meta", "link", "base", "script", "style", "noscript", "template"}
"""Any other tag ends the head (HTML standard, 13.1.2.4: its end tag may be left out)."""
_VOID = set("area base br col embed hr img input link meta param source track wbr".split())
_BLOCKS = set("p div section article main ul ol table tr br blockquote pre dl dd dt".split())
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}


def html_text(source: str) -> str:
    """Visible text of a page: headings as ``#`` lines, list items as ``- ``, table rows as ``name: cell; name: cell``.

    Scripts, styles, navigation, attributes and what a style hides vanish; nothing of the page can be executed or fetched.
    """
    reader = _Reader()
    reader.feed(source)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def html_title(source: str) -> str:
    """The text of ``<title>``, or ""."""
    found = re.search(r"<title[^<>]*>(.{0,1000}?)</title>", source, re.IGNORECASE | re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^<>]+>", "", found.group(1))).split()) if found else ""


def csv_text(source: str) -> str:
    """A table with every row readable on its own: ``name: cell; name: cell``, a blank line between rows."""
    text, mark = separator(source)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=mark) if any(cell.strip() for cell in row)]
    return "\n\n".join(named_cells(rows[0], row) for row in rows[1:]) + "\n" if rows else ""


def named_cells(names: list[str], cells: list[str]) -> str:
    """``name: cell; name: cell`` for the cells that are not empty; surplus cells stand without a name."""
    padded = names + [""] * (len(cells) - len(names))
    pairs = [(name.strip(), " ".join(cell.split())) for name, cell in zip(padded, cells, strict=False)]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


def _veiled(attributes: Mapping[str, str | None]) -> bool:
    return "hidden" in attributes or veiled(attributes.get("style") or "")


class _Table:
    """An open table: the names of its columns, and the row being read, which is None between rows.

    `inside` is False once the present cell turned out to hold more than words: its text stands on its own. `named` says
    whether a row was written with the names, which otherwise stand as a row of their own.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.row: list[str] | None = None
        self.inside = False
        self.header = False
        self.named = False


class _Reader(HTMLParser):
    """Collects text; a table's first row names the columns when it holds ``<th>`` cells.

    End tags that HTML allows to leave out (``</head>``, ``</tr>``, ``</td>``) are not waited for.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._open: list[str] = []
        self._times_open: Counter[str] = Counter()
        self._tables: list[_Table] = []
        self._veil = 0  # how many tags were open when one began that its style hides; 0 outside of such

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body" or (tag not in _IN_HEAD and self._in_head()):
            self._close_through("head")
        if tag not in _VOID:
            self._open.append(tag)
            self._times_open[tag] += 1
            if not self._veil and _veiled(dict(attrs)):
                self._veil = len(self._open)
        if self._hidden():
            return
        table = self._tables[-1] if self._tables else None
        if tag == "table":
            self._say_row(keep=True)  # a table inside a table: the outer one only arranges the page
            self._tables.append(_Table())
        elif table and tag == "tr":
            self._say_row()
            table.row = []
        elif table and tag in ("td", "th"):
            table.header = tag == "th" and (table.header or not table.row)
            table.row, table.inside = [*(table.row or []), ""], True
        elif tag in _HEADINGS:
            self._say_row(keep=True)
            self.parts.append(f"\n\n{_HEADINGS[tag]} ")
        elif self._in_cell():
            self._say(" " if tag in (*_BLOCKS, "li") else "")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in _BLOCKS:
            self.parts.append("\n" if tag == "br" else "\n\n")

    def handle_endtag(self, tag: str) -> None:
        hidden = self._hidden()
        self._close_through(tag)
        if hidden:
            return
        if tag in ("tr", "table"):
            self._say_row()
        if tag == "table" and self._tables:
            self._end_table()
        if tag in _HEADINGS or tag in _BLOCKS:
            self._say(" " if self._in_cell() else "\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_head() and data.strip():
            self._close_through("head")
        if not self._hidden():
            self._say(data if self._in_cell() else data.replace("\n", " "))

    def close(self) -> None:
        super().close()
        while self._tables:
            self._say_row()
            self._end_table()

    def _in_head(self) -> bool:
        return self._open[-1:] == ["head"]

    def _close_through(self, tag: str) -> None:
        """The tag is closed, and with it what was left open inside; nothing when it is not open."""
        closed = ""
        while self._times_open[tag] and closed != tag:
            closed = self._open.pop()
            self._times_open[closed] -= 1
        if len(self._open) < self._veil:
            self._veil = 0

    def _hidden(self) -> bool:
        return self._veil > 0 or any(self._times_open[tag] for tag in _SKIP)

    def _in_cell(self) -> bool:
        return bool(self._tables and self._tables[-1].inside)

    def _say(self, text: str) -> None:
        """Text to where it belongs: the cell being read, or the page."""
        row = self._tables[-1].row if self._in_cell() else None
        if row:
            row[-1] += text
        else:
            self.parts.append(text)

    def _say_row(self, keep: bool = False) -> None:
        """Write down what the open row holds; with `keep` it goes on after its present cell, which is no cell."""
        table = self._tables[-1] if self._tables else None
        if table is None or table.row is None:
            return
        if table.header and table.row and not keep:
            self._say_cells([], [] if table.named else table.names)
            table.names, table.named = table.row, False
        else:
            table.named = True
            self._say_cells(table.names, table.row)
        table.row, table.inside = [""] * len(table.row) if keep else None, False

    def _end_table(self) -> None:
        table = self._tables.pop()
        self._say_cells([], [] if table.named else table.names)

    def _say_cells(self, names: list[str], cells: list[str]) -> None:
        if said := named_cells(names, cells):
            self.parts.append(f"\n\n{said}\n\n")
