"""The news stream: what the truth files say is in the stream, and the two pools share nothing that carries tone."""

import csv
import json
import tomllib
from collections import Counter
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from fieldtune.errors import InputError
from fieldtune_sample import news, news_plan, news_pool
from fieldtune_sample.news_files import ZONE

SMALL = {"stories": 24_000, "days": 84, "surges": 4, "labelled": 900, "test": 300}


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("news")
    news.generate(out, 3, **SMALL)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "stories.jsonl").read_text(encoding="utf-8").splitlines()]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def originals(stream: Path) -> list[dict[str, str]]:
    """The first line of every distinct, unbroken story with its truth; time in UTC."""
    truth = {row["id"]: row for row in rows(stream / "truth.csv")}
    found: dict[str, dict[str, str]] = {}
    for line in sorted(
        (line for line in lines(stream) if not truth[line["id"]]["broken"]), key=lambda line: at(line["time"])
    ):
        found.setdefault(truth[line["id"]]["story"], {**line, **truth[line["id"]]})
    return list(found.values())


def in_window(found: list[dict[str, str]], window: dict[str, str], tone: str | None = None) -> list[dict[str, str]]:
    begin, end = at(window["time"]), at(window["end"])
    return [
        row for row in found
        if begin <= at(row["time"]) < end and row["topic"] == window["topic"] and tone in (None, row["sentiment"])
    ]  # fmt: skip


def usual(found: list[dict[str, str]], window: dict[str, str], tone: str | None = None) -> float:
    """Mean count in the same hours of the week in the other weeks."""
    counts = []
    for week in range(-11, 12):
        shift = timedelta(weeks=week)
        moved = {**window, **{key: (at(window[key]) + shift).isoformat() for key in ("time", "end")}}
        first, last = at(found[0]["time"]), at(found[-1]["time"])
        if week and first <= at(moved["time"]) and at(moved["end"]) <= last:
            counts.append(len(in_window(found, moved, tone)))
    return float(np.mean(counts))


def test_same_seed_same_bytes_other_seed_other_stream(stream: Path, tmp_path: Path) -> None:
    news.generate(tmp_path / "again", 3, **SMALL)
    news.generate(tmp_path / "other", 4, **SMALL)
    names = sorted(path.name for path in stream.iterdir())
    assert names == sorted(
        ["stories.jsonl", "truth.csv", "labelled.csv", "test_headlines.csv", "events.csv", "decoys.csv", "monitor.toml"]
    )
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (stream / name).read_bytes()
    assert (tmp_path / "other" / "stories.jsonl").read_bytes() != (stream / "stories.jsonl").read_bytes()


def test_counts_languages_and_order(stream: Path) -> None:
    found = lines(stream)
    truth = rows(stream / "truth.csv")
    assert len(found) == SMALL["stories"]
    assert {line["id"] for line in found} == {row["id"] for row in truth} and len(truth) < len(found)
    assert not {"topic", "sentiment"} & set().union(*found)
    assert 0.65 < np.mean([line["language"] == "en" for line in found]) < 0.75
    seen = [at(line["first_seen"]) for line in found]
    assert seen == sorted(seen)
    assert len({row["topic"] for row in truth}) == 12
    per_topic = Counter(row["topic"] for row in truth)
    assert max(per_topic.values()) > 5 * min(per_topic.values())
    for topic in per_topic:
        tones = Counter(row["sentiment"] for row in truth if row["topic"] == topic)
        assert 0.10 < tones["negative"] / per_topic[topic] < 0.30


def test_broken_late_and_copied_items_are_there(stream: Path) -> None:
    found, truth = lines(stream), rows(stream / "truth.csv")
    kinds = Counter(row["broken"] for row in truth)
    assert set(kinds) == {"", "missing_title", "bad_date", "year_1513", "future", "html", "error_page"}
    good = {row["id"] for row in truth if not row["broken"]}
    lag = [(at(line["first_seen"]) - at(line["time"])).total_seconds() / 3600 for line in found if line["id"] in good]
    assert min(lag) >= 0 and 0.03 < np.mean(np.array(lag) > 1) < 0.12
    copies = Counter(row["story"] for row in truth)
    assert 0.15 < 1 - len(copies) / len(truth) < 0.25


def test_every_surge_is_where_the_truth_says(stream: Path, originals: list[dict[str, str]]) -> None:
    events = rows(stream / "events.csv")
    assert len(events) == SMALL["surges"] == len({event["topic"] for event in events})
    warm = at(originals[0]["time"]) + timedelta(days=20)
    for event in events:
        hours = (at(event["end"]) - at(event["time"])) / timedelta(hours=1)
        assert 8 <= hours <= 24 and 4 <= float(event["factor"]) <= 8 and at(event["time"]) > warm
        times = sorted(at(row["time"]) for row in in_window(originals, event, "negative"))
        assert any(times[i + 2] - times[i] <= timedelta(hours=6) for i in range(len(times) - 2))
        assert len(times) > 2.5 * usual(originals, event, "negative")
        calm = len(in_window(originals, event, "neutral"))
        assert calm < 2 * usual(originals, event, "neutral") + 5
    starts = sorted(at(event["time"]) for event in events)
    assert all(later - earlier > timedelta(days=2) for earlier, later in pairwise(starts))


def test_every_decoy_is_what_it_says(stream: Path, originals: list[dict[str, str]]) -> None:
    decoys = {row["kind"]: row for row in rows(stream / "decoys.csv")}
    assert set(decoys) == {"volume", "copies", "drift", "outage"}
    volume = in_window(originals, decoys["volume"])
    assert len(volume) > 3 * usual(originals, decoys["volume"])
    assert np.mean([row["sentiment"] == "negative" for row in volume]) < 0.3
    truth = {row["id"]: row for row in rows(stream / "truth.csv")}
    begin, end = at(decoys["copies"]["time"]), at(decoys["copies"]["end"])
    spread = Counter(
        truth[line["id"]]["story"] for line in lines(stream)
        if truth[line["id"]]["topic"] == decoys["copies"]["topic"] and not truth[line["id"]]["broken"]
        and begin <= at(line["time"]) <= end
    )  # fmt: skip
    story, copies = spread.most_common(1)[0]
    assert copies >= 22  # 26 lines, less the broken ones
    assert {row["sentiment"] for row in truth.values() if row["story"] == story} == {"negative"}
    quiet, back = at(decoys["outage"]["time"]), at(decoys["outage"]["end"])
    seen = [at(line["first_seen"]) for line in lines(stream)]
    assert not any(quiet <= moment < back - timedelta(hours=3) for moment in seen)
    assert sum(back - timedelta(hours=3) <= moment < back for moment in seen) > 50
    assert any(quiet <= at(row["time"]) < quiet + timedelta(hours=5) for row in originals)


def test_weekday_and_hour_pattern(originals: list[dict[str, str]]) -> None:
    hours = Counter(
        (at(row["time"]).astimezone(ZONE).weekday(), at(row["time"]).astimezone(ZONE).hour) for row in originals
    )
    busy, quiet = hours[(1, 10)], np.mean([hours[(6, hour)] for hour in (2, 3, 4)])
    assert 8 < busy / quiet < 45
    week = news_plan.profile(7)
    assert week.mean() == pytest.approx(1) and 10 < week.max() / week.min() < 21


def test_training_and_stream_pools_share_no_template_nor_a_near_one() -> None:
    pool = news_pool.load()
    for name, topic in pool.topics.items():
        for language in news_pool.LANGUAGES:
            for kind in ("headwind", "tailwind", *news_pool.TONES):
                sides = [list(topic.phrases[split][language][kind]) for split in ("train", "stream")]
                if kind in news_pool.TONES:
                    for side, split in zip(sides, ("train", "stream"), strict=True):
                        side += pool.shared[split][language][kind]
                    assert len(set(sides[0])) >= 8 and len(set(sides[1])) >= 4
                near = [
                    (known, new) for known, new in product(*sides)
                    if SequenceMatcher(None, known.lower(), new.lower(), False).ratio() > 0.86
                ]  # fmt: skip
                assert not near, (name, language, kind)


def test_labelled_and_test_headlines(stream: Path) -> None:
    training, held_out = rows(stream / "labelled.csv"), rows(stream / "test_headlines.csv")
    assert len(training) == SMALL["labelled"] and len(held_out) == SMALL["test"]
    assert not {row["title"] for row in training} & {row["title"] for row in held_out}
    for found in (training, held_out):
        assert len({(row["topic"], row["sentiment"]) for row in found}) == 36
    stream_titles = {line.get("title") for line in lines(stream)}
    assert not {row["title"] for row in training} & stream_titles


def test_monitor_configuration_parses_and_names_all_topics(stream: Path) -> None:
    config = tomllib.loads((stream / "monitor.toml").read_text(encoding="utf-8"))
    assert set(config) == {"topics", "sources", "sinks", "budget", "bucket", "timezone", "model"}
    assert {topic["name"] for topic in config["topics"]} == {row["topic"] for row in rows(stream / "truth.csv")}
    assert config["sources"] == [{"kind": "file", "path": "stories.jsonl"}]
    assert config["sinks"] == [{"kind": "jsonl", "path": "alerts.jsonl"}]


def test_impossible_parameters_are_refused(tmp_path: Path) -> None:
    for wrong in ({"start": "2026-01-06"}, {"start": "soon"}, {"days": 40}, {"surges": 12}, {"stories": 5},
                  {"copy_share": 0.0}):  # fmt: skip
        with pytest.raises(InputError):
            news.generate(tmp_path / "never", 1, **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "never").exists()


def test_negative_share_noise_keeps_the_mean() -> None:
    rng = np.random.default_rng(0)
    expected = np.broadcast_to(np.array([0.5, 1.5, 1.0]), (40, 500, 3))
    drawn = news_plan.draw(expected, rng).reshape(-1, 3)
    assert drawn.mean(axis=0) == pytest.approx([0.5, 1.5, 1.0], rel=0.05)
    total = drawn.sum(axis=1)
    assert total.var() / total.mean() == pytest.approx(1 + 0.15 * 3, rel=0.1)  # negative-binomial: mean + phi mean^2


def test_times_are_utc_or_carry_an_offset(stream: Path) -> None:
    good = {row["id"] for row in rows(stream / "truth.csv") if not row["broken"]}
    assert all(at(line["first_seen"]).tzinfo == UTC for line in lines(stream))
    assert {at(line["time"]).utcoffset() for line in lines(stream) if line["id"] in good} == {
        timedelta(0),
        timedelta(hours=8),
    }
