"""The demo's monitor: tone and topic learnt, the stream replayed, alerts compared with what was planted, readers heard."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune_sample import news, simulate
from fieldtune_sample.loops import Loop
from fieldtune_sample.place import Place
from fieldtune_sample.size import Size
from fieldtune_sample.steps import command

APP = "monitor"
READ_UNTIL = 2 / 3  # readers correct stories of the first part of the stream; the rest measures
MEASURED = 2_000
SCORED = "stories_scored.csv"
LATE = pd.Timedelta(hours=6)
DRAWS = 200
Span = tuple[pd.Timestamp, pd.Timestamp]


def write(place: Place, seed: int, size: Size) -> None:
    """The stream with its truth, and a configuration beside the model it will use."""
    folder = place.company / "news"
    news.generate(folder, seed, **size.news)
    place.monitor.mkdir(parents=True, exist_ok=True)
    stories = json.dumps(str((folder / "stories.jsonl").resolve()))
    text = (folder / "monitor.toml").read_text(encoding="utf-8").replace('path = "stories.jsonl"', f"path = {stories}")
    place.config.write_text(text, encoding="utf-8")


def build(place: Place, size: Size, seed: int, now: datetime) -> dict[str, Any]:
    """Train, replay, backtest; the charts of one surge and one decoy."""
    folder, model, store = place.company / "news", place.monitor / "model", place.monitor / "monitor"
    trained = command(
        "monitor", "train", "--data", folder / "labelled.csv", "--out", model, "--methods", size.methods,
        "--model", size.encoder, "--max-steps", size.monitor_steps or 1, "--seed", seed, apart=size.apart,
    )  # fmt: skip
    shutil.rmtree(store, ignore_errors=True)  # of a replay that was interrupted
    replayed = command(
        "monitor", "replay", "--config", place.config, "--input", folder / "stories.jsonl", "--alerts", place.alerts,
        "--store", store,
    )  # fmt: skip
    backtest = command(
        "monitor", "backtest", "--alerts", place.alerts, "--events", folder / "events.csv", "--config", place.config,
        "--input", folder / "stories.jsonl",
    )  # fmt: skip
    return {"trained": trained, "replayed": replayed, "backtest": backtest, **judged(place), "charts": charts(place)}


def judged(place: Place) -> dict[str, Any]:
    """Surges and decoys one by one, and how many surges the same alerts would find were they on other days."""
    folder = place.company / "news"
    alerts = opened(place.alerts)
    events, decoys = windows(folder / "events.csv"), windows(folder / "decoys.csv")
    hits = [first_alert(alerts, row["topic"], row["span"]) for row in events]
    inside = {alert for row in events for alert in alerts if within(alert, row["topic"], row["span"])}
    outside = [alert for alert in alerts if alert not in inside]
    return {
        "surges": [
            {"topic": row["topic"], "began": str(row["time"]), "times the usual": row["factor"], "found": hit is not None,
             "hours until the alert": None if hit is None else round((hit - row["span"][0]) / pd.Timedelta(hours=1), 1)}
            for row, hit in zip(events, hits, strict=True)
        ],
        "decoys": [
            {"kind": row["kind"], "topic": row["topic"] or "all", "began": str(row["time"]),
             "alerted": any(within(alert, row["topic"], row["span"]) for alert in outside)}
            for row in decoys
        ],
        "outside": len(outside),
        "found_share": float(np.mean([hit is not None for hit in hits])),
        "found_by_chance": by_chance(alerts, events, place),
    }  # fmt: skip


def opened(path: Path) -> list[tuple[str, pd.Timestamp]]:
    """(topic, time) of every incident at its first line that fires."""
    first: dict[str, tuple[str, pd.Timestamp]] = {}
    for text in path.read_bytes().splitlines():
        line = json.loads(text)
        if line["state"] == "firing":
            first.setdefault(line["incident"], (line["topic"], pd.Timestamp(line["time"])))
    return sorted(first.values(), key=lambda alert: alert[1])


def windows(path: Path) -> list[dict[str, Any]]:
    """Rows of events.csv or decoys.csv with their span."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{**row, "span": (pd.Timestamp(row["time"]), pd.Timestamp(row["end"]))} for row in rows]


def within(alert: tuple[str, pd.Timestamp], topic: str, span: Span) -> bool:
    """Whether an alert opened in a window of its topic (of any topic where it is empty), or six hours after."""
    return (not topic or alert[0] == topic) and bool(span[0] <= alert[1] <= span[1] + LATE)


def first_alert(alerts: Sequence[tuple[str, pd.Timestamp]], topic: str, span: Span) -> pd.Timestamp | None:
    """When the first alert of a window opened."""
    return next((alert[1] for alert in alerts if within(alert, topic, span)), None)


def by_chance(alerts: Sequence[tuple[str, pd.Timestamp]], events: Sequence[dict[str, Any]], place: Place) -> float:
    """Mean share of events found when each is moved to another day between the first event and the last story."""
    rng = np.random.default_rng(0)
    first, last = min(row["span"][0] for row in events), max(row["span"][1] for row in events)
    days = max((last - first).days, 1)
    found = []
    for _ in range(DRAWS):
        for row in events:
            moved = (row["span"][0] - first) / pd.Timedelta(days=1) + float(rng.integers(1, days + 1))
            start = first + pd.Timedelta(days=moved % days)
            found.append(first_alert(alerts, row["topic"], (start, start + (row["span"][1] - row["span"][0]))))
    return float(np.mean([hit is not None for hit in found]))


def charts(place: Place) -> list[dict[str, Any]]:
    """What is usual and what came around the first surge that was found and around the decoy of volume."""
    from fieldtune_monitor import views, wire

    folder = place.company / "news"
    alerts, engine = opened(place.alerts), wire.open_monitor_store(place.monitor / "monitor")
    surges, decoys = windows(folder / "events.csv"), windows(folder / "decoys.csv")
    found = [row for row in surges if first_alert(alerts, row["topic"], row["span"]) is not None] or surges
    loud = [row for row in decoys if row["kind"] == "volume"]
    made = []
    for kind, row in [("surge", found[0])] + [("decoy", row) for row in loud]:
        table = views.trend(engine, row["topic"], 10_000, 6)
        times = pd.to_datetime(table["time"], utc=True)
        near = (times >= row["span"][0] - pd.Timedelta(days=8)) & (times <= row["span"][1] + pd.Timedelta(days=4))
        table = table[near]
        made.append({
            "kind": kind, "topic": row["topic"], "from": str(row["time"]), "to": str(row["end"]),
            "time": [str(time) for time in times[near]],
            **{name: table[name].astype(float).tolist() for name in ("negatives", "documents", "expected", "low", "high")},
            "alerts": [str(time) for topic, time in alerts if topic == row["topic"] and len(table)
                       and times[near].min() <= time <= times[near].max()],
        })  # fmt: skip
    return made


def loop(place: Place, size: Size, seed: int, now: datetime) -> Loop:
    """Readers put right what was misread in the first part of the stream; the last part measures."""
    from fieldtune_monitor import wire

    model = place.monitor / "model"
    early, late = told(place)
    rng = np.random.default_rng([seed, 43])
    misread = [story for story in early if story["tone"] != story["truth"]]
    chosen = [misread[int(n)] for n in np.sort(rng.permutation(len(misread))[: size.corrections])]
    spoken = {story["title"] for story in chosen}
    kept = [story for story in late if story["title"] not in spoken]
    kept = [kept[int(n)] for n in np.sort(rng.permutation(len(kept))[:MEASURED])]
    table = simulate.write_csv(
        place.later / "stories_kept.csv",
        [{"title": story["title"], "language": story["language"], "truth": story["truth"]} for story in kept],
    )

    def speak(random_share: float) -> Counter[str]:
        engine = wire.open_monitor_store(place.monitor / "monitor")
        return simulate.readers(engine, model, chosen, random_share, np.random.default_rng([seed, 44]), now)

    return Loop(
        APP, model, "tone_accuracy", speak, partial(look, model, table), partial(read_rightly, table), apart=size.apart
    )


def told(place: Place) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """First articles of the stories the monitor has read, with its tone and the truth: the first part, and the rest."""
    from sqlalchemy import text

    from fieldtune_monitor import wire

    truth = {row["id"]: row for row in simulate.read_csv(place.company / "news" / "truth.csv")}
    with wire.open_monitor_store(place.monitor / "monitor").begin() as connection:
        rows = connection.execute(
            text(
                """SELECT id, identity, title, language, tone, first_seen FROM documents
                   WHERE story = identity ORDER BY first_seen, identity"""
            )
        ).mappings()
        stories = [
            {**row, "truth": truth[row["id"]]["sentiment"]}
            for row in rows
            if row["id"] in truth and not truth[row["id"]]["broken"]
        ]
    edge = int(len(stories) * READ_UNTIL)
    return stories[:edge], stories[edge:]


def look(model: Path, table: Path) -> tuple[dict[str, Any], bytes]:
    """Figures of the tone of the kept stories as scored now, and the scored table itself."""
    from fieldtune.evaluate.classification import report

    out = table.with_name(SCORED)
    command("monitor", "score", "--model", model, "--data", table, "--out", out)
    rows = simulate.read_csv(out)
    probabilities = np.array([[float(row[f"p_{tone}"]) for tone in simulate.TONES] for row in rows])
    found = report([row["truth"] for row in rows], [row["tone"] for row in rows], probabilities, simulate.TONES)
    shares = {
        f"tone_accuracy_{language}": float(
            np.mean([r["tone"] == r["truth"] for r in rows if r["language"] == language])
        )
        for language in sorted({row["language"] for row in rows})
    }
    figures = {
        "tone_accuracy": found["accuracy"], **shares, "macro_f1": found["macro_f1"], "ece": found["ece"], "n": len(rows)
    }  # fmt: skip
    return figures, out.read_bytes()


def read_rightly(table: Path) -> list[float]:
    """1 or 0 for every kept story as scored last: was its tone read rightly?"""
    return [float(row["tone"] == row["truth"]) for row in simulate.read_csv(table.with_name(SCORED))]


def outputs(place: Place) -> list[Path]:
    """What the build leaves."""
    return [place.monitor / "model", place.alerts]
