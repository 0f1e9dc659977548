"""One page that shows what was measured: paragraphs, tables, pictures, as HTML, JSON and Markdown.

Knows nothing of what the figures mean. Everything given to it is text, never markup.
"""

import base64
import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fieldtune.errors import naming
from fieldtune.evaluate.significance import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class _Block(NamedTuple):
    """A part of the page: exactly one of text (heading, paragraph), rows (table), image (PNG)."""

    kind: str
    text: str
    rows: tuple[Mapping[str, Any], ...] = ()
    image: bytes = b""
    width: int = 0


class Report:
    """Collects blocks in order, then writes them; each method returns the report, so calls can be chained."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._blocks: list[_Block] = []

    def heading(self, text: str) -> "Report":
        """A section begins."""
        return self._add(_Block("heading", text))

    def paragraph(self, text: str) -> "Report":
        """Plain text; a blank line separates paragraphs."""
        return self._add(_Block("paragraph", text))

    def table(self, rows: Sequence[Mapping[str, Any]], caption: str = "") -> "Report":
        """One row per mapping; columns are all keys in order of first appearance, a missing one is blank."""
        return self._add(_Block("table", caption, tuple(dict(row) for row in rows)))

    def picture(self, figure: "Figure", caption: str = "") -> "Report":
        """A figure, drawn now: later changes to it do not show. See `fieldtune.evaluate.pictures`."""
        from fieldtune.evaluate.pictures import png

        width = round(figure.get_figwidth() * 96)
        return self._add(_Block("picture", caption, image=png(figure), width=width))

    def write(self, folder: Path | str) -> Path:
        """Write report.html (self-contained), report.json, report.md and its pictures report-N.png.

        The folder is made; older files of the same names are replaced, each at once. Returns the path of
        report.html.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        names = {id(block): f"report-{n}.png" for n, block in enumerate(self._pictures(), start=1)}
        for block in self._pictures():
            _replace(place / names[id(block)], block.image)
        parts = [_markdown(block, names.get(id(block), "")) for block in self._blocks]
        _replace(place / "report.md", ("\n\n".join([f"# {_plain(self.title)}", *parts]) + "\n").encode())
        told = {"title": self.title, "blocks": [_told(b, names.get(id(b), "")) for b in self._blocks]}
        as_json = json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False)
        _replace(place / "report.json", as_json.encode())
        body = "\n".join(_html(block) for block in self._blocks)
        page = _PAGE.format(title=html.escape(self.title), style=_STYLE, body=body)
        _replace(place / "report.html", page.encode())
        return place / "report.html"

    def _add(self, block: _Block) -> "Report":
        self._blocks.append(block)
        return self

    def _pictures(self) -> list[_Block]:
        return [block for block in self._blocks if block.kind == "picture"]


def _replace(path: Path, content: bytes) -> None:
    staged = path.with_name(path.name + ".part")
    try:
        with naming(path):
            staged.write_bytes(content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(name) for row in rows for name in row))


def _cell(value: Any) -> str:
    """A value as people read it: four significant digits, thousands apart, nothing for nothing."""
    value = value.item() if isinstance(value, np.generic) else value
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Interval():
            return f"{value.mean:.4g} [{value.low:.4g}, {value.high:.4g}]"
        case int():
            return f"{value:,}"
        case float() if math.isnan(value):
            return "–"
        case float() if math.isfinite(value) and abs(value) >= 1000:
            return f"{value:,.0f}"
        case float():
            return f"{value:.4g}"
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number, Interval)) and not isinstance(value, bool)


def _html(block: _Block) -> str:
    text = html.escape(block.text)
    if block.kind == "heading":
        return f"<h2>{text}</h2>"
    if block.kind == "paragraph":
        return "\n".join(f"<p>{part}</p>" for part in re.split(r"\n\s*\n", text))
    if block.kind == "picture":
        data = base64.b64encode(block.image).decode()
        image = f'<img src="data:image/png;base64,{data}" width="{block.width}" alt="{text}">'
        return f"<figure>{image}<figcaption>{text}</figcaption></figure>"
    names = _columns(block.rows)
    head = "".join(f"<th{_aligned(block.rows, name)}>{html.escape(name)}</th>" for name in names)
    body = "\n".join(f"<tr>{_cells(row, names)}</tr>" for row in block.rows)
    caption = f"<figcaption>{text}</figcaption>" if text else ""
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return f'<figure>{caption}<div class="wide">{table}</div></figure>'


def _cells(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return "".join(f"<td{_aligned([row], n)}>{html.escape(_cell(row.get(n)))}</td>" for n in names)


def _aligned(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    values = [row[name] for row in rows if row.get(name) is not None]
    return ' class="n"' if values and all(map(_is_number, values)) else ""


def _markdown(block: _Block, file: str) -> str:
    text = _plain(block.text)
    if block.kind == "heading":
        return f"## {text}"
    if block.kind == "paragraph":
        return "\n\n".join(_plain(part) for part in re.split(r"\n\s*\n", block.text))
    if block.kind == "picture":
        return f"![{text}]({file})\n\n*{text}*" if text else f"![]({file})"
    names = _columns(block.rows)
    if not names:
        return text
    lines = [
        _line([_plain(name) for name in names]),
        _line(["---:" if _aligned(block.rows, name) else "---" for name in names]),
    ]
    lines += [_line([_plain(_cell(row.get(name))) for name in names]) for row in block.rows]
    return (f"{text}\n\n" if text else "") + "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _told(block: _Block, file: str) -> dict[str, Any]:
    """A block for JSON."""
    if block.kind == "table":
        return {"kind": "table", "caption": block.text, "rows": [_value(row) for row in block.rows]}
    if block.kind == "picture":
        return {"kind": "picture", "caption": block.text, "file": file}
    return {"kind": block.kind, "text": block.text}


def _value(value: Any) -> Any:
    """JSON's own types: NaN and infinities become null, an Interval an object, the unknown its text."""
    value = value.item() if isinstance(value, np.generic) else value
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Interval():
            return {name: _value(part) for name, part in value._asdict().items()}
        case Mapping():
            return {str(name): _value(part) for name, part in value.items()}
        case list() | tuple() | np.ndarray():
            return [_value(part) for part in value]
    return str(value)


_PAGE = """<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #1e293b; --soft: #64748b; --line: #e2e8f0; --ground: #ffffff;
  --raised: #f8fafc; --mark: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e2e8f0; --soft: #94a3b8; --line: #334155;
  --ground: #0f172a; --raised: #1e293b; --mark: #60a5fa; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.6 system-ui, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei",
  sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.25; margin: 0 0 1.5rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: 0 0 1rem; white-space: pre-line; overflow-wrap: anywhere; }
figure { margin: 1.5rem 0 2rem; }
figcaption { color: var(--soft); font-size: .9rem; margin: .4rem 0 .5rem; max-width: 46rem; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; }
.wide::-webkit-scrollbar { height: .7rem; }
.wide::-webkit-scrollbar-thumb { background: var(--soft); border-radius: 10px; border: 3px solid var(--raised); }
.wide::-webkit-scrollbar-track { background: var(--raised); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { padding: .5rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { background: var(--raised); font-weight: 600; vertical-align: bottom; }
tbody tr:last-child td { border-bottom: 0; }
tbody tr:hover { background: var(--raised); }
.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n { white-space: nowrap; }
img { max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line); border-radius: 10px;
  padding: .6rem; }
@media print { main { max-width: none; } .wide { overflow-x: visible; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
"""
