"""report: one page that holds everything, and nothing given to it becomes markup."""

import base64
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fieldtune.evaluate.pictures import bars, png
from fieldtune.evaluate.report import Report
from fieldtune.evaluate.significance import Interval

HOSTILE = '<script>alert("x")</script> & | `*_[a](b)'


class Page(HTMLParser):
    """Tags with their attributes, and the text of every table cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self._open in ("td", "th"):
            self.cells[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def test_one_self_contained_page(tmp_path: Path) -> None:
    figure = bars({"ours": 0.9, "theirs": 0.8}, "ours", "accuracy")
    path = Report("Tidewater 潮汐").heading("Quality").picture(figure, "beside rivals").write(tmp_path / "new")
    page = Page(path.read_text(encoding="utf-8"))
    images = [attrs["src"] or "" for tag, attrs in page.tags if tag == "img"]
    assert base64.b64decode(images[0].removeprefix("data:image/png;base64,")) == png(figure)
    links = [value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")]
    assert links == images
    assert {"script", "link"}.isdisjoint(tag for tag, _ in page.tags)
    assert (tmp_path / "new/report-1.png").read_bytes() == png(figure)
    assert "![beside rivals](report-1.png)" in (tmp_path / "new/report.md").read_text(encoding="utf-8")
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "report-1.png",
        "report.html",
        "report.json",
        "report.md",
    ]


def test_nothing_becomes_markup(tmp_path: Path) -> None:
    report = Report(HOSTILE).heading(HOSTILE).paragraph(HOSTILE).table([{HOSTILE: HOSTILE}], HOSTILE)
    path = report.picture(bars({HOSTILE: 1.0}, "", ""), HOSTILE).write(tmp_path)
    page = Page(path.read_text(encoding="utf-8"))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.cells == [HOSTILE, HOSTILE]
    assert next(attrs["alt"] for tag, attrs in page.tags if tag == "img") == HOSTILE
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "<script>" not in markdown.replace("\\<", "")
    row = [line for line in markdown.splitlines() if line.startswith("| ")][-1]
    assert row.replace("\\|", "").count("|") == 2


def test_cells(tmp_path: Path) -> None:
    rows = [
        {
            "model": "a",
            "accuracy": np.float32(0.5),
            "n": 12345,
            "gain": Interval(0.1, -0.05, 0.25),
            "ok": True,
        },
        {"model": "b", "accuracy": float("nan"), "seconds": 1234.5678, "n": None},
    ]
    path = Report("r").table(rows).write(tmp_path)
    cells = Page(path.read_text(encoding="utf-8")).cells
    assert cells[:6] == ["model", "accuracy", "n", "gain", "ok", "seconds"]
    assert cells[6:12] == ["a", "0.5", "12,345", "0.1 [-0.05, 0.25]", "yes", ""]
    assert cells[12:] == ["b", "–", "", "", "", "1,235"]
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert told["blocks"][0]["rows"] == [
        {
            "model": "a",
            "accuracy": 0.5,
            "n": 12345,
            "gain": {"mean": 0.1, "low": -0.05, "high": 0.25},
            "ok": True,
        },
        {"model": "b", "accuracy": None, "seconds": 1234.5678, "n": None},
    ]


def test_paragraphs_and_empty_tables(tmp_path: Path) -> None:
    path = Report("r").paragraph("one\n\ntwo").table([], "nothing found").write(tmp_path)
    page = Page(path.read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.tags].count("p") == 2
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == "# r\n\none\n\ntwo\n\nnothing found\n"


def test_written_again_it_is_replaced_and_the_same(tmp_path: Path) -> None:
    report = Report("r").paragraph("text")
    first = report.write(tmp_path).read_bytes()
    assert report.write(str(tmp_path)).read_bytes() == first


@pytest.mark.skipif(not shutil.which("chromium"), reason="no browser to draw the page")
def test_a_table_with_long_headings_stays_in_its_box(tmp_path: Path) -> None:
    long = dict.fromkeys(("careless users refused", "rollback gives the same bytes", "promoted by the gate"), "yes")
    row = {"application": "chatbot", "figure": "answered with the right source " * 3, "before": 0.6, **long}
    counts = {"correct_first": 0.7123, "answered_wrong": 0.1123, "unanswerable_answered": 0.3123, "mrr@10": 0.7123}
    page = (
        Report("r").table([row]).table([{"language": "en", "coverage": 0.7123, **counts, "recall@1": 0.8123, "n": 310}])
    )
    file = page.write(tmp_path)
    measure = "[...document.querySelectorAll('.wide')].map(box => box.scrollWidth - box.clientWidth)"
    script = f"<script>document.title = 'over ' + {measure}</script></body>"
    file.write_text(file.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}"]
    drawn = subprocess.run(
        [*browser, "--window-size=1200,900", "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=120
    )
    assert "<title>over 0,0</title>" in drawn.stdout
