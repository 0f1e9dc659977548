"""A small stream of our own: a few topics, hourly counts, one surge; titles that carry their tone in a column."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

START = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())  # a Monday
TOPICS = ("ferries", "banks", "tea")
CONFIG = """budget = 2.0
bucket = "1h"
timezone = "UTC"
warmup = "7d"
[[topics]]
name = "ferries"
keywords = ["ferry", "渡轮"]
[[topics]]
name = "banks"
keywords = ["bank", "银行"]
[[topics]]
name = "tea"
keywords = ["tea", "茶"]
[[sources]]
kind = "file"
path = "stories.jsonl"
[[sinks]]
kind = "jsonl"
path = "alerts.jsonl"
"""

Row = dict[str, object]


def stories(seed: int = 0, days: int = 24, surge_day: int = 18, rate: float = 1.2) -> list[Row]:
    """Dated stories of three topics; from 09:00 of `surge_day`, twelve hours of bad news about ferries."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for hour in range(days * 24):
        for k, topic in enumerate(TOPICS):
            n = rng.poisson(rate)
            bad = rng.binomial(n, 0.2)
            extra = rng.poisson(4) if k == 0 and 0 <= hour - surge_day * 24 - 9 < 12 else 0
            for place in range(n + extra):
                at = START + hour * 3600 + int(rng.integers(3600))
                tone = "negative" if place < bad or place >= n else "neutral"
                rows.append(_row(len(rows), topic, tone, at, rng))
    return sorted(rows, key=lambda row: str(row["first_seen"]))


def _row(number: int, topic: str, tone: str, at: int, rng: np.random.Generator) -> Row:
    words = " ".join("".join(rng.choice(list("abcdefghijklmnop"), 7)) for _ in range(6))
    name = {"ferries": "ferry", "banks": "bank", "tea": "tea"}[topic]
    return {
        "id": f"r{number:05d}",
        "time": iso(at),
        "first_seen": iso(at + 60),
        "title": f"{name} {words}",
        "source": f"source {number % 5}",
        "url": f"https://example.org/{number}",
        "sentiment": tone,
    }


def iso(seconds: int) -> str:
    """UTC text of a time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """The stream."""
    return stories()


@pytest.fixture
def place(tmp_path: Path, rows: list[Row]) -> Path:
    """A folder with monitor.toml and stories.jsonl."""
    write_rows(tmp_path / "stories.jsonl", rows)
    (tmp_path / "monitor.toml").write_text(CONFIG)
    return tmp_path


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def write() -> Callable[[Path, list[Row]], None]:
    """`write_rows` for tests."""
    return write_rows


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of its own."""
    monkeypatch.setenv("FIELDTUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
