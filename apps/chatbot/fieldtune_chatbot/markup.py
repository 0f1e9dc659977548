"""HTML and CSV as the plain, Markdown-like text that is stored, cut and cited. Pure.

Citations count characters in what these functions return, so a released version must keep giving the same text for
the same file; change the rules only together with the documents' versions.
"""

import csv
import io
import re
from html import unescape
from html.parser import HTMLParser

_SKIP = {"script", "style", "head", "nav", "footer", "template", "noscript", "svg"}
_BLOCKS = {
    "p",
    "div",
    "section",
    "article",
    "main",
    "ul",
    "ol",
    "table",
    "tr",
    "br",
    "blockquote",
    "pre",
    "dl",
    "dd",
    "dt",
}
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}


def html_text(source: str) -> str:
    """Visible text of a page: headings as ``#`` lines, list items as ``- ``, table rows as ``name: cell; name: cell``.

    Scripts, styles, navigation and attributes vanish; nothing of the page can be executed or fetched.
    """
    reader = _Reader()
    reader.feed(source)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def html_title(source: str) -> str:
    """The text of ``<title>``, or ""."""
    found = re.search(r"<title[^>]*>(.*?)</title>", source, re.IGNORECASE | re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", found.group(1))).split()) if found else ""


def csv_text(source: str) -> str:
    """A table with every row readable on its own: ``name: cell; name: cell``, a blank line between rows."""
    rows = [row for row in csv.reader(io.StringIO(source)) if any(cell.strip() for cell in row)]
    return "\n\n".join(named_cells(rows[0], row) for row in rows[1:]) + "\n" if rows else ""


def named_cells(names: list[str], cells: list[str]) -> str:
    """``name: cell; name: cell`` for the cells that are not empty; surplus cells stand without a name."""
    padded = names + [""] * (len(cells) - len(names))
    pairs = [(name.strip(), " ".join(cell.split())) for name, cell in zip(padded, cells, strict=False)]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


class _Reader(HTMLParser):
    """Collects text; a table's first row names the columns when it holds ``<th>`` cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0
        self._names: list[str] = []
        self._cells: list[str] | None = None
        self._header = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIP:
            self._hidden += 1
        elif tag == "tr":
            self._cells, self._header = [], True
        elif tag in ("td", "th") and self._cells is not None:
            self._header = self._header and tag == "th"
            self._cells.append("")
        elif tag in _HEADINGS:
            self.parts.append(f"\n\n{_HEADINGS[tag]} ")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in _BLOCKS and self._cells is None:
            self.parts.append("\n" if tag == "br" else "\n\n")
        if tag == "table":
            self._names = []

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIP:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "tr" and self._cells is not None:
            self._end_row(self._cells)
        elif tag in _HEADINGS or (tag in _BLOCKS and self._cells is None):
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._cells:
            self._cells[-1] += data
        elif self._cells is None:
            self.parts.append(data.replace("\n", " "))

    def _end_row(self, cells: list[str]) -> None:
        self._cells = None
        if self._header and cells:
            self._names = cells
        else:
            self.parts.append(f"\n\n{named_cells(self._names, cells)}\n\n")
