"""What the commands do with tables: score titles, detect in counts, compare alerts with events."""

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from fieldtune import registry
from fieldtune.data.read import read_table
from fieldtune.data.write import check_output, write_table
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.runtime import generator
from fieldtune.text.language import detect, known
from fieldtune_monitor import counts, history, runner, wire
from fieldtune_monitor.classify import load_bundle, probability_columns
from fieldtune_monitor.config import ALERTS, ZONE, detector_settings, read_config, seconds
from fieldtune_monitor.dedupe import bare_title
from fieldtune_monitor.intake import MAX_TITLE, plain
from fieldtune_monitor.monitor import APP
from fieldtune_monitor.windows import TIMES, hindsight, parse_time


def score_table(model: Path, data: Path, out: Path) -> dict[str, Any]:
    """Write `data` with topic, topic_in_scope, tone, negative, p_negative, p_neutral, p_positive added.

    Input columns stay as they are, in their order; where one has such a name, what is added is called `predicted_...`,
    or `predicted_..._2` and so on where that is taken too, as in the table of an earlier scoring.
    A row without words gets no topic, no tone and no probabilities.

    Raises:
        InputError: no title or text column, an unknown language. ArtefactError: a damaged model.
    """
    check_output(out, reads=[data])
    table = read_table(data, every_row=True, numbered=True)
    column = next((name for name in ("title", "text") if name in table), None)
    if column is None:
        raise InputError("a column title or text", f"{', '.join(map(str, table.columns))} in {data}", "rename a column")
    sources = table["source"].fillna("").astype(str) if "source" in table else [""] * len(table)
    titles = [bare_title(plain(title, MAX_TITLE), source) for title, source in zip(table[column], sources, strict=True)]
    languages = _languages(table, titles, data)
    filled = [place for place, title in enumerate(titles) if title.strip()]
    judge = load_bundle(registry.serving(APP, model))
    opinions = judge([titles[place] for place in filled], [languages[place] for place in filled])
    added: dict[str, Any] = {
        "topic": [opinion.topic for opinion in opinions],
        "topic_in_scope": [str(opinion.in_scope).lower() for opinion in opinions],
        "tone": [opinion.tone for opinion in opinions],
        "negative": pd.array([int(opinion.negative) for opinion in opinions], "Int64"),
        **{name: np.round(values, 6) for name, values in probability_columns(opinions).items()},
    }
    for name, values in added.items():
        whole = pd.Series(values, index=table.index[filled]).reindex(table.index)
        table[_free(name, table)] = whole if is_numeric_dtype(whole) else whole.fillna("")
    write_table(table, out)
    told = {"rows": len(table), "without_words": len(table) - len(filled)}
    return {"out": str(out), **told, "tones": dict(pd.Series(added["tone"], dtype=object).value_counts())}


def _free(name: str, table: pd.DataFrame) -> str:
    """A name for a new column that no column has."""
    wanted, number = name, 1
    while wanted in table:
        wanted = f"predicted_{name}" if number == 1 else f"predicted_{name}_{number}"
        number += 1
    return wanted


def _languages(table: pd.DataFrame, titles: list[str], path: Path) -> list[str]:
    """The language of every title, by the table's own column where it says so."""
    tags = table["language"].fillna("").astype(str) if "language" in table else [""] * len(titles)
    return [
        known(tag, f"row {number} of {path}") or detect(title)
        for number, tag, title in zip(table.index, tags, titles, strict=True)
    ]


def detect_table(path: Path, alerts: Path, budget: float, warmup: str, zone: float, *, info: bool) -> dict[str, Any]:
    """The detector on a counts file; writes the alerts and returns a summary.

    Raises:
        InputError: missing columns, an unusable time or count, a bad duration, budget or zone.
    """
    if not 0 < budget < np.inf:
        raise InputError("a finite --budget above 0", str(budget), "for example --budget 1")
    if not ZONE[0] <= zone < ZONE[1]:
        raise InputError(f"--zone from {ZONE[0]} to below {ZONE[1]}", str(zone), "for example --zone 1.3")
    check_output(alerts, None, reads=[path])
    table = read_table(path, ["time", "topic", "documents"], numbered=True)
    parsed = {value: parse_time(value, counts.UTC) for value in table["time"].unique()}
    times = [parsed[value] for value in table["time"]]
    if None in times:
        number = table.index[times.index(None)]
        raise InputError(TIMES, f"{table['time'][number]!r} in row {number} of {path}", "correct it")
    documents = _numbers(table, "documents", path)
    share = "negative" in table
    negatives = _numbers(table, "negative", path) if share else documents
    topics = table["topic"].astype(str).tolist()
    grid = counts.grid([t for t in times if t is not None], topics, documents, negatives, table.index.tolist())
    if not 0 < grid.bucket <= 86_400:
        raise InputError("a time step of a day or less", f"{grid.bucket} seconds", "aggregate to days or finer")
    learning = _duration(warmup) if warmup else None
    settings = detector_settings(grid.bucket, budget, zone, learning, share)
    lines = [line.payload() for line in counts.detect(grid, settings, ALERTS, info=info)]
    history.write_lines(alerts, lines)
    fired = sum(line["state"] == "firing" for line in lines)
    return {
        "alerts_file": str(alerts), "alerts": fired, "lines": len(lines), "topics": len(grid.topics),
        "buckets": len(grid.times), "bucket_seconds": grid.bucket, "signals": 2 if share else 1,
        "learning_days": settings.first_learning / 86_400,
        "weeks_between_false_alarms_per_signal": round(
            float(np.exp(settings.log_threshold(len(grid.topics)))) / settings.buckets_per_week, 3
        ),
    }  # fmt: skip


def _numbers(table: pd.DataFrame, name: str, path: Path) -> Any:
    values = pd.to_numeric(table[name], errors="coerce")
    if values.isna().any():
        number = table.index[values.isna()][0]
        raise InputError(f"numbers in '{name}'", f"{table[name][number]!r} in row {number} of {path}", "correct it")
    return values.to_numpy(dtype=np.float64)


def _duration(text: str) -> int:
    try:
        return seconds(text)
    except ValueError as error:
        raise InputError(str(error), repr(text), "for example --warmup 56d") from None


def backtest_files(
    alerts: Path,
    events: Path,
    config: Path | None,
    source: Path | None,
    placebo: int,
    now: datetime,
    progress: runner.Progress,
) -> dict[str, Any]:
    """Figures of an alerts file against an events file; with `placebo`, of that many shuffled replays too.

    Raises:
        InputError: a file is missing or wrong, or a placebo without configuration and input.
    """
    if placebo and (config is None or source is None):
        raise InputError("--config and --input for a placebo", "not both", "give them")
    settings = read_config(config) if config else None
    topics = [topic.name for topic in settings.topics] if settings else None
    happened = history.read_events(events, settings)
    span = history.watched_span(source, settings, now) if source and settings else None
    for note in history.left_out(happened, span, topics):
        say(note)
    wait = hindsight(settings.bucket) if settings else 0  # an alerts file does not say how long its buckets are
    figures = history.backtest(history.read_alerts(alerts, wire.dismissed_incidents()), happened, span, topics, wait)
    if not placebo or settings is None or source is None:
        return figures
    found = [_placebo(settings, source, seed, happened, span, now, progress) for seed in range(placebo)]
    return {**figures, "placebo": _mean(found)}


def _placebo(
    settings: Any, source: Path, seed: int, happened: Any, span: Any, now: datetime, progress: runner.Progress
) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        shuffled, written = Path(folder) / "stories.jsonl", Path(folder) / "alerts.jsonl"
        history.shuffled_days(source, shuffled, settings, now, generator(seed))
        with wire.replay_store(None) as engine:
            made = wire.setup(settings, engine, {"replay": False})
            lines, _ = history.replay(made, shuffled, now, progress)
        history.write_lines(written, lines)
        return history.backtest(history.read_alerts(written), happened, span, [topic.name for topic in settings.topics])


def _mean(found: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Chance level: what is found and raised when events and news have nothing to do with each other."""
    weeks = found[0]["topic_weeks"]
    return {
        "replays": len(found),
        "found_share": float(np.mean([f["found_share"] or 0.0 for f in found])),
        "alerts_per_topic_week": float(np.mean([f["alerts"] / weeks for f in found])),
        "alerts": [f["alerts"] for f in found],
    }
