"""What the page shows, read from the store, and what its buttons record. Functions over an engine; no widgets."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from sqlalchemy import Engine, text

from fieldtune import feedback, registry
from fieldtune_monitor import store, windows
from fieldtune_monitor.monitor import APP
from fieldtune_monitor.ratios import interval, variance

UTC = ZoneInfo("UTC")
COUNTS = ("negatives", "documents", "copies")
FILLED = (*COUNTS, "surprise")  # columns of a trend that are zero where no news came


def status(engine: Engine) -> dict[str, Any]:
    """Totals, the span of the charts, phases of the topics in the last bucket, and the sources with their troubles."""
    with engine.begin() as connection:
        totals = store.totals(connection)
        span = connection.execute(text("SELECT MIN(time), MAX(time), MAX(bucket) FROM buckets")).one()
        phases = connection.execute(
            text("SELECT topic, phase FROM buckets WHERE bucket = :last ORDER BY topic"), {"last": span[2]}
        ).all()
        sources = connection.execute(
            text("SELECT source, row_count, broken, problem, polled_at FROM sources ORDER BY source")
        ).mappings()
        return {
            **totals, "from": span[0], "to": span[1], "phases": dict(map(tuple, phases)),
            "sources": [dict(row) for row in sources],
        }  # fmt: skip


def trend(
    engine: Engine, topic: str, days: int, step_hours: int, zone: ZoneInfo = UTC, bucket: int = 3600
) -> pd.DataFrame:
    """Negative stories of a topic against what is usual, in steps without a gap: where no news came at all, nothing did.

    A first step of which only the end is there is left out; a last one that is not over is marked.

    Args:
        days: how far back from the last bucket; step_hours: length of one point of the chart, a bucket at least.
        zone: whose midnight begins a day, as for daily buckets; bucket: of the configuration, in seconds.

    Returns:
        time, negatives, documents, copies, expected, low, high (90 % of what is usual), surprise, whole.
    """
    with engine.begin() as connection:
        last = connection.execute(text("SELECT MAX(time) FROM buckets WHERE topic = :topic"), {"topic": topic}).scalar()
        rows = connection.execute(
            text(
                """SELECT bucket, time, documents, negatives, copies, expected, spread, surprise FROM buckets
                   WHERE topic = :topic AND time > :since ORDER BY bucket"""
            ),
            {"topic": topic, "since": _back(last, days)},
        ).mappings()
        table = pd.DataFrame([dict(row) for row in rows])
    if table.empty:
        return pd.DataFrame(columns=["time", *FILLED, "expected", "low", "high", "whole"])
    hours = max(step_hours, bucket // 3600)
    edges = [int(table["bucket"].iloc[0]) - 1, int(table["bucket"].iloc[-1]) + 1]
    before, after = _steps(pd.Series([windows.iso(windows.bucket_start(n, bucket, zone)) for n in edges]), hours, zone)
    table["time"] = _steps(table["time"], hours, zone)
    table["variance"] = variance(table["expected"].to_numpy(), table["spread"].to_numpy())
    grouped = table.groupby("time").agg(
        negatives=("negatives", "sum"), documents=("documents", "sum"), copies=("copies", "sum"),
        expected=("expected", "sum"), variance=("variance", "sum"), surprise=("surprise", "max"),
    )  # fmt: skip
    if grouped.index[0] == before:
        grouped = grouped.iloc[1:] if len(grouped) > 1 else grouped
    grouped = _without_gaps(grouped, hours)
    bands = [interval(*moments) for moments in zip(grouped["expected"], grouped["variance"], strict=True)]
    grouped["low"], grouped["high"] = [low for low, _ in bands], [high for _, high in bands]
    grouped["whole"] = grouped.index != after
    grouped = grouped.reset_index(names="time").drop(columns="variance")
    grouped["time"] = _moments(grouped["time"], zone)
    return grouped


def _steps(times: pd.Series, hours: int, zone: ZoneInfo) -> pd.Series:
    """The last multiple of `hours` since local midnight, as wall time."""
    wall = pd.to_datetime(times, utc=True).dt.tz_convert(zone).dt.tz_localize(None)
    steps: pd.Series = wall.dt.floor(f"{hours}h")
    return steps


def _without_gaps(grouped: pd.DataFrame, hours: int) -> pd.DataFrame:
    """Every step of wall time from the first to the last; in those without news, what was usual before still is."""
    whole = grouped.reindex(pd.date_range(grouped.index[0], grouped.index[-1], freq=f"{hours}h"))
    whole = whole.fillna(dict.fromkeys(FILLED, 0))
    return whole.ffill().astype(dict.fromkeys(COUNTS, int))


def _moments(wall: pd.Series, zone: ZoneInfo) -> pd.Series:
    """Wall times as moments. One that the clocks skip is the first one after."""
    first = np.ones(len(wall), dtype=bool)  # of two equal wall times, the one in summer time
    moments: pd.Series = wall.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return moments


def local(time: str, zone: ZoneInfo, *, day: bool = False) -> str:
    """A stored time as people of the zone write it, to the minute; `day`: the day alone."""
    moment = pd.Timestamp(time).tz_convert(zone)
    return str(moment.strftime("%Y-%m-%d" if day else "%Y-%m-%d %H:%M"))


def _back(last: str | None, days: int) -> str:
    if last is None:
        return ""
    moment = pd.Timestamp(last) - pd.Timedelta(days=days)
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def incidents(engine: Engine, limit: int = 20, info: bool = False) -> list[dict[str, Any]]:
    """Incidents, the newest first, with the line that fired and its evidence stories."""
    with engine.begin() as connection:
        rows = connection.execute(
            text(
                """SELECT id, topic, signal, state, opened, changed, line FROM incidents
                   WHERE :info = 1 OR signal != 'volume-driven' ORDER BY opened DESC, id LIMIT :limit"""
            ),
            {"limit": limit, "info": int(info)},
        ).mappings()
        found = []
        for row in rows:
            line = json.loads(row["line"])
            found.append({**row, "line": line, "stories": _stories(connection, line["topic"], line["evidence"])})
        return found


def _stories(connection: Any, topic: str, ids: list[str]) -> list[dict[str, Any]]:
    """The stories behind a line. Two sources may use one id: as many stories have it as the line names it."""
    found = []
    for given, mentions in Counter(ids).items():
        rows = connection.execute(
            text(
                """SELECT identity, id, title, url, source, first_seen, tone, p_negative, language, topics
                   FROM documents WHERE id = :id AND counted = 1 AND negative = 1 AND topics LIKE :topic
                   ORDER BY first_seen DESC, identity LIMIT :mentions"""
            ),
            {"id": given, "topic": _named(topic), "mentions": mentions},
        ).mappings()
        found += [dict(row) for row in rows]
    return found


def _named(topic: str) -> str:
    """A pattern for the column `topics`, a JSON list."""
    return f"%{json.dumps(topic, ensure_ascii=False)}%"


def latest(engine: Engine, topic: str, limit: int = 30) -> list[dict[str, Any]]:
    """The stories of a topic that arrived last, as they were published: one line each, with the number of its copies."""
    with engine.begin() as connection:
        rows = connection.execute(
            text(
                """SELECT d.id, d.title, d.url, d.source, d.published, d.first_seen, d.tone, d.p_negative, d.language, d.topics,
                   (SELECT COUNT(*) - 1 FROM documents c WHERE c.story = d.identity AND c.bucket >= d.bucket) AS copies
                   FROM documents d WHERE d.story = d.identity AND d.topics LIKE :topic
                   ORDER BY d.bucket DESC, d.first_seen DESC, d.identity LIMIT :limit"""
            ),
            {"topic": _named(topic), "limit": limit},
        ).mappings()
        return sorted((dict(row) for row in rows), key=lambda story: str(story["published"]), reverse=True)


def said(kind: str) -> dict[str, tuple[str, str]]:
    """Subject -> what was said last, and by whom ("" where nobody gave a name).

    What is said: "confirmed" or "dismissed" of incidents, the corrected tone of stories.
    """
    with registry.open_home().begin() as connection:
        rows = [row for row in feedback.rows(connection, APP) if (row.kind == "tone") == (kind == "tone")]
    return {
        row.subject: (
            str(row.payload.get("sentiment", row.kind)) if kind == "tone" else row.kind,
            "" if row.user == feedback.ANONYMOUS else row.user,
        )
        for row in rows
    }


def judge_incident(incident: dict[str, Any], verdict: str, user: str, origin: str, now: datetime) -> None:
    """Record "confirmed" or "dismissed"; the later word replaces the earlier (`feedback.record` sees to it)."""
    line = incident["line"]
    payload = {
        "topic": incident["topic"], "signal": incident["signal"], "opened": incident["opened"],
        "evidence": line["evidence"], "origin": origin,
    }  # fmt: skip
    with registry.open_home().begin() as connection:
        feedback.record(connection, feedback.Feedback(APP, incident["id"], verdict, user, payload=payload), now)


def correct_tone(story: Mapping[str, Any], tone: str, user: str, origin: str, now: datetime) -> None:
    """Record the right tone of a story; `fieldtune feedback retrain monitor` learns from it.

    Its identity is the subject: a source's own id may be another source's too.
    """
    payload = {
        "title": story["title"], "source": story.get("source", ""), "sentiment": tone, "was": story["tone"],
        "origin": origin,
    }  # fmt: skip
    row = feedback.Feedback(APP, story["identity"], "tone", user, story["language"], payload=payload)
    with registry.open_home().begin() as connection:
        feedback.record(connection, row, now)
