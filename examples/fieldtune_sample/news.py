"""The news stream of Tidewater: dated stories with planted surges and decoys, and the labelled headlines.

`generate` writes stories.jsonl (no labels), truth.csv, labelled.csv (pool `train`), test_headlines.csv (pool `stream`),
events.csv, decoys.csv and monitor.toml. Everything follows from the seed and the parameters.
"""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.errors import InputError
from fieldtune_sample import news_files, news_noise, news_plan, news_pool
from fieldtune_sample.news_files import ZONE
from fieldtune_sample.news_plan import Window
from fieldtune_sample.news_pool import Pool


def generate(
    out: Path,
    seed: int,
    *,
    stories: int = 60_000,
    days: int = 120,
    surges: int = 8,
    warm_up_days: int = 21,
    start: str = "2026-01-05",
    chinese_share: float = 0.3,
    copy_share: float = 0.2,
    late_share: float = 0.06,
    broken_share: float = 0.01,
    duplicate_share: float = 0.004,
    labelled: int = 4_000,
    test: int = 600,
    budget: float = 2.0,
) -> None:
    """Write the whole stream into `out` (created if missing).

    Args: `stories` lines in all, copies and broken ones included; `start` a Monday (local midnight, UTC+8);
    shares are of all lines; `budget` false alerts a week, for monitor.toml. Raises InputError on impossible values.
    """
    first = _first_hour(start, stories, days)
    pool, rng = news_pool.load(), np.random.default_rng([seed, 1])
    topics = list(pool.topics)
    rate, shares = news_plan.rates(len(topics), days, rng), news_plan.shares(len(topics), rng)
    rate *= stories * (1 - copy_share - duplicate_share) / rate.sum()
    windows = news_plan.plant(rate, shares[:, 0], surges, warm_up_days, rng)
    expected = news_plan.expectation(rate, shares, windows)
    expected *= stories * (1 - copy_share - duplicate_share) / expected.sum()
    counts = news_plan.counts(expected, windows, rng)
    pick = random.Random(int(rng.integers(2**62)))
    rows = _originals(pool, counts, first, chinese_share, pick)
    copied = [window for window in windows if window.kind == "copies"]
    rows += _copies(pool, rows, stories - round(stories * duplicate_share) - len(rows), days, first, copied, rng, pick)
    _arrive(rows, late_share, windows, first, rng)
    rows.sort(key=lambda row: (row["first_seen"], row["story"], row["source"]))
    lines, truth = _lines(rows, round(stories * broken_share), stories - len(rows), pick)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "stories.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    news_files.write_csv(out / "truth.csv", ("id", "topic", "sentiment", "story", "broken"), truth)
    news_files.write_windows(out, windows, topics, first)
    news_files.write_headlines(out / "labelled.csv", pool, labelled, "train", chinese_share, pick)
    news_files.write_headlines(out / "test_headlines.csv", pool, test, "stream", chinese_share, pick)
    (out / "monitor.toml").write_text(news_files.config(pool, budget), encoding="utf-8")


def _first_hour(start: str, stories: int, days: int) -> datetime:
    try:
        first = datetime.fromisoformat(start).replace(tzinfo=ZONE)
    except ValueError:
        raise InputError("start as YYYY-MM-DD", start, "for example 2026-01-05") from None
    if first.weekday():
        raise InputError("start on a Monday", f"{start}, a {first:%A}", "take the Monday before it")
    if stories < days:
        raise InputError("at least one story a day", f"{stories} stories in {days} days", "raise stories")
    return first


def _originals(
    pool: Pool, counts: news_plan.Counts, first: datetime, chinese: float, pick: random.Random
) -> list[dict[str, Any]]:
    """One row per distinct story. Within a topic a (template, company) pair rests for sixty stories."""
    rows: list[dict[str, Any]] = []
    sources = pool.world["sources"]
    for t, topic in enumerate(pool.topics):
        resting: list[tuple[str, str]] = []
        for hour, tone in np.argwhere(counts[t]).tolist():
            for _ in range(int(counts[t, hour, tone])):
                language = "zh" if pick.random() < chinese else "en"
                for _ in range(5):
                    made = news_pool.headline(pool, topic, news_pool.TONES[tone], language, "stream", pick)
                    if (made.template, made.slots["c"]) not in resting:
                        break
                resting = [*resting[-59:], (made.template, made.slots["c"])]
                rows.append({
                    "time": first + timedelta(hours=hour, seconds=pick.randrange(3600)),
                    "title": made.title,
                    "text": news_pool.body(pool, topic, language, made, pick),
                    "source": pick.choice(sources[language]),
                    "language": language, "topic": topic, "sentiment": news_pool.TONES[tone],
                    "story": f"s{len(rows):06d}",
                })  # fmt: skip
    return rows


def _copies(
    pool: Pool, rows: Sequence[dict[str, Any]], wanted: int, days: int, first: datetime,
    decoys: Sequence[Window], rng: np.random.Generator, pick: random.Random,
) -> list[dict[str, Any]]:  # fmt: skip
    """`wanted` repeats by other sources; a few stories are repeated often, most never; the decoy's story 25 times."""
    if wanted < sum(int(window.factor) for window in decoys):
        raise InputError("room for syndicated copies", f"{wanted} lines left for them", "raise copy_share or stories")
    copies: list[dict[str, Any]] = []
    topics = list(pool.topics)
    for window in decoys:
        begin = first + timedelta(hours=window.start)
        original = _decoy_story(rows, topics[window.topic], begin)
        names = pick.sample([name for name in pool.world["sources"][original["language"]]
                             if name != original["source"]], int(window.factor))  # fmt: skip
        minutes = (window.end - window.start) * 50
        copies += [_copy(pool, original, name, pick.uniform(5, minutes), pick) for name in names]
    fame = rng.lognormal(0, 0.8, len(rows))
    times = rng.multinomial(wanted - len(copies), fame / fame.sum())
    last = first + timedelta(days=days)
    for index in np.flatnonzero(times).tolist():
        original = rows[index]
        others = [name for name in pool.world["sources"][original["language"]] if name != original["source"]]
        for name in pick.sample(others, min(int(times[index]), len(others))):
            room = (last - original["time"]).total_seconds() / 60
            copies.append(_copy(pool, original, name, min(pick.lognormvariate(4, 1.2), 36 * 60, room * 0.9), pick))
    return copies


def _decoy_story(rows: Sequence[dict[str, Any]], topic: str, begin: datetime) -> dict[str, Any]:
    """The negative story of `topic` next to `begin`, moved to it."""
    negative = [row for row in rows if row["topic"] == topic and row["sentiment"] == "negative" and row["text"]]
    chosen = min(negative, key=lambda row: abs((row["time"] - begin).total_seconds()))
    chosen["time"] = begin + timedelta(minutes=2)
    return chosen


def _copy(pool: Pool, row: dict[str, Any], source: str, minutes: float, pick: random.Random) -> dict[str, Any]:
    made = news_noise.rewrite(row, source, pool.world["rewrites"][row["language"]], pick)
    return {**made, "time": row["time"] + timedelta(seconds=int(minutes * 60))}


def _arrive(
    rows: list[dict[str, Any]], late: float, windows: Sequence[Window], first: datetime, rng: np.random.Generator
) -> None:
    """Set first_seen: minutes after publication, hours for the late ones, after the end for what an outage held."""
    lag = rng.exponential(180, len(rows))
    tardy = rng.random(len(rows)) < late
    lag[tardy] = rng.exponential(4 * 3600, int(tardy.sum())) + 1800
    holes = [(first + timedelta(hours=w.start), first + timedelta(hours=w.end)) for w in windows if w.kind == "outage"]
    catch_up = rng.uniform(0, 3 * 3600, len(rows))
    for row, seconds, held in zip(rows, lag.tolist(), catch_up.tolist(), strict=True):
        seen = row["time"] + timedelta(seconds=int(seconds))
        for begin, end in holes:
            if begin <= seen < end:
                seen = end + timedelta(seconds=int(held))
        row["first_seen"] = seen


def _lines(
    rows: Sequence[Mapping[str, Any]], broken: int, repeated: int, pick: random.Random
) -> tuple[list[dict[str, Any]], list[tuple[str, ...]]]:
    """The stream in order of arrival with `broken` lines damaged and `repeated` delivered twice, and its truth."""
    damaged, again = set(pick.sample(range(len(rows)), broken)), set(pick.sample(range(len(rows) - 1), repeated))
    lines: list[dict[str, Any]] = []
    truth: list[tuple[str, ...]] = []
    later: list[tuple[int, dict[str, Any]]] = []
    for index, row in enumerate(rows):
        name, when, source = f"n{index:06d}", row["time"], row["source"]
        line = {
            "id": name, "time": news_files.stamp(when, source), "first_seen": news_files.stamp(row["first_seen"]),
            "title": row["title"], "text": row["text"],
            "url": f"https://{news_files.domain(source)}.example/{when:%Y/%m/%d}/{name}", "source": source,
            "language": row["language"],
        }  # fmt: skip
        line, kind = news_noise.damage(line, pick) if index in damaged else (line, "")
        lines.append(line)
        truth.append((name, row["topic"], row["sentiment"], row["story"], kind))
        if index in again:
            later.append((min(index + pick.randrange(1, 400), len(rows) - 1), line))
    for position, line in sorted(later, key=lambda pair: -pair[0]):
        lines.insert(position + 1, {**line, "first_seen": lines[position]["first_seen"]})
    return lines, truth
