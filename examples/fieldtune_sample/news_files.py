"""The files of the news stream: times, addresses, CSV, the labelled headlines and monitor.toml.

It does not decide anything: what happens in the stream is settled in `news_plan` and `news`.
"""

import csv
import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from fieldtune_sample import news_pool
from fieldtune_sample.news_plan import Window
from fieldtune_sample.news_pool import Pool, Split

ZONE, ZONE_NAME = timezone(timedelta(hours=8)), "Asia/Shanghai"
LOCAL_TIME_SOURCES = ("翠鸟港日报", "Halcyon Wire")  # they stamp local time with its offset; the others UTC


def stamp(moment: datetime, source: str = "") -> str:
    if source in LOCAL_TIME_SOURCES:
        return moment.isoformat()
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def domain(source: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in source.lower())
    return plain.strip("-") or "s" + source.encode().hex()[:12]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_windows(out: Path, windows: Sequence[Window], topics: Sequence[str], first: datetime) -> None:
    """events.csv (the surges) and decoys.csv; times are publication times, UTC. An outage ends with its catch-up."""
    rows = []
    for window in sorted(windows, key=lambda window: window.start):
        end = window.end + (3 if window.kind == "outage" else 0)
        moments = [stamp(first + timedelta(hours=hour)) for hour in (window.start, end)]
        rows.append((window.kind, topics[window.topic] if window.topic >= 0 else "", *moments, f"{window.factor:g}"))
    surges = [row[1:] for row in rows if row[0] == "surge"]
    write_csv(out / "events.csv", ("topic", "time", "end", "factor"), surges)
    decoys = [row for row in rows if row[0] != "surge"]
    write_csv(out / "decoys.csv", ("kind", "topic", "time", "end", "factor"), decoys)


def write_headlines(path: Path, pool: Pool, wanted: int, split: Split, chinese: float, pick: random.Random) -> None:
    """`wanted` distinct labelled titles, topics equally often, tones nearly so."""
    rows: dict[str, tuple[str, str, str, str]] = {}
    topics = list(pool.topics)
    while len(rows) < wanted:
        language = "zh" if pick.random() < chinese else "en"
        topic, tone = pick.choice(topics), pick.choices(news_pool.TONES, (0.33, 0.37, 0.30))[0]
        title = news_pool.headline(pool, topic, tone, language, split, pick).title
        rows[title] = (title, topic, tone, language)
    write_csv(path, ("title", "topic", "sentiment", "language"), rows.values())


def quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def config(pool: Pool, budget: float) -> str:
    """monitor.toml; JSON strings and lists of strings are valid TOML."""
    parts = [f'budget = {budget}\nbucket = "1h"\ntimezone = "{ZONE_NAME}"\nmodel = "model"\n']
    for topic in pool.topics.values():
        parts.append(f"[[topics]]\nname = {quoted(topic.name)}\ndescription = {quoted(topic.description)}\n"
                     f"keywords = {quoted(list(topic.keywords))}\n")  # fmt: skip
    parts.append('[[sources]]\nkind = "file"\npath = "stories.jsonl"\n')
    parts.append('[[sinks]]\nkind = "jsonl"\npath = "alerts.jsonl"\n')
    return "\n".join(parts)
