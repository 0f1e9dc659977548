"""The loop: rows in, buckets closed, alerts out. One transaction per batch; killed anywhere, it goes on where it was.

Two steps. `ingest` stores and judges what arrived, with the source's cursor. `close` takes every bucket that is over,
in order of time: tells stories from copies, counts, moves the detector and the life cycle, and writes documents, chart
rows, incidents, decisions, outbox and memory together. What closing sees depends only on what was first seen when,
not on how it arrived in batches; that is why a replay, a run, and a run killed ten times send the same alerts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Connection, Engine

from fieldtune import decisions
from fieldtune.errors import ConfigError
from fieldtune.progress import say
from fieldtune.runtime import iso
from fieldtune_monitor import dedupe, lags, sinks, snapshot, store, windows
from fieldtune_monitor.alerting import AlertConfig, Transition
from fieldtune_monitor.classify import Judge
from fieldtune_monitor.dedupe import Stories
from fieldtune_monitor.engine import SILENT, Memory, Tally, advance, begin
from fieldtune_monitor.intake import document
from fieldtune_monitor.lines import alert_line
from fieldtune_monitor.records import Document, RawRow
from fieldtune_monitor.reshaping import Ends, with_model, with_topics
from fieldtune_monitor.sources import Cursor
from fieldtune_monitor.spikes import DetectorConfig, Verdict, standing

APP = "monitor"
RULE = "surge"
CHUNK = 2_000  # documents whose buckets are closed in one transaction


@dataclass(frozen=True)
class Setup:
    """What a monitor is made of; `sinks` are names in the outbox with whether each wants info alerts too."""

    engine: Engine
    judge: Judge
    topics: tuple[str, ...]
    detector: DetectorConfig
    rules: AlertConfig
    zone: ZoneInfo
    sinks: Mapping[str, bool]
    model: str = "none"


@dataclass
class Monitor:
    """Memory of a running monitor. Everything in it can be rebuilt from the store."""

    setup: Setup
    memory: Memory
    stories: Stories
    last: int | None


@dataclass
class _Batch:
    """What one closing transaction will write."""

    told: list[tuple[str, str, bool]] = field(default_factory=list)
    charts: list[dict[str, Any]] = field(default_factory=list)
    happened: list[tuple[Transition, Verdict]] = field(default_factory=list)


def restore(setup: Setup, now: datetime) -> Monitor:
    """A monitor that goes on where the store says it stopped.

    Other topics or another model than the store's change the memory; that, and the end of incidents it brings, is
    written at once and in one transaction.

    Raises:
        ConfigError: the store was made with another bucket.
    """
    with setup.engine.begin() as connection:
        state = store.read_state(connection)
        if state is None:
            return Monitor(setup, begin(setup.topics, setup.detector), Stories(), None)
        memory = _fitted(connection, setup, *state, now)
        edge = windows.bucket_start(state[2] + 1, setup.detector.bucket, setup.zone) - dedupe.MEMORY
        heads = store.recent_heads(connection, windows.iso(edge))
    stories = Stories()
    marks = dedupe.marks([h[1] for h in heads], [h[2] for h in heads], [h[3] for h in heads])
    stories.tell((h[0], mark, dedupe.figures(h[1], h[3]), _seconds(h[4])) for h, mark in zip(heads, marks, strict=True))
    return Monitor(setup, memory, stories, state[2])


def _fitted(connection: Connection, setup: Setup, payload: str, model: str, last: int, now: datetime) -> Memory:
    """The stored memory, fitted to the topics and the model of today."""
    memory = snapshot.load(payload)
    if memory.detector.baseline.profile.shape[1] != setup.detector.slots or model.split(" ")[0] != _bucket(setup):
        raise ConfigError(
            f"the bucket this store was made with ({model.split(' ')[0]} s)",
            f"{_bucket(setup)} s",
            "give another `store`, or restore the bucket in the configuration",
        )
    if memory.detector.topics == setup.topics and model == _version(setup):
        return memory
    before = replace(setup, model=model.partition(" ")[2])
    if memory.detector.topics != setup.topics:
        say("the topics changed: new ones learn first")
        fitted, ends = with_topics(memory, setup.topics, last, setup.detector)
        _announce_ends(connection, before, memory, ends, now)
        memory = fitted
    if model != _version(setup):
        say("the model changed: what is usual is learned anew, alerts wait")
        fitted, ends = with_model(memory, last, setup.detector)
        _announce_ends(connection, before, memory, ends, now)
        memory = fitted
    store.put_state(connection, snapshot.dump(memory), _version(setup), last, iso(now))
    return memory


def _announce_ends(connection: Connection, before: Setup, memory: Memory, ends: Ends, now: datetime) -> None:
    """Tell that incidents ended with the memory they were measured by: that of the old topics and the old model."""
    was = replace(before, topics=memory.detector.topics)
    for change in ends:
        _announce(connection, was, change, standing(memory.detector, was.detector), now)


def _bucket(setup: Setup) -> str:
    return str(setup.detector.bucket)


def _version(setup: Setup) -> str:
    """What the memory was made with: bucket and model."""
    return f"{_bucket(setup)} {setup.model}"


def ingest(
    monitor: Monitor,
    source: str,
    rows: Sequence[RawRow],
    problems: Sequence[str],
    cursor: Cursor,
    now: datetime,
    *,
    live: bool,
) -> tuple[int, list[str]]:
    """Store and judge rows and move the cursor, in one transaction; returns new documents and all problems.

    Args:
        live: rows without `first_seen` were first seen now; in a replay, when they were published.
    """
    setup, seconds = monitor.setup, int(now.timestamp())
    made = [document(row, seconds, setup.zone, arrival=seconds if live else None) for row in rows]
    wrong = [reason for reason in made if isinstance(reason, str)]
    trouble = [*problems, *wrong]
    distinct = {d.identity: d for d in reversed(made) if isinstance(d, Document)}
    with setup.engine.begin() as connection:
        old = store.known(connection, list(distinct))
    fresh = [d for identity, d in sorted(distinct.items()) if identity not in old]
    entries = [_entry(monitor, d, j) for d, j in zip(fresh, setup.judge(fresh), strict=True)] if fresh else []
    with setup.engine.begin() as connection:
        store.add_documents(connection, entries)
        store.put_cursor(connection, source, cursor, len(rows) - len(wrong), trouble, iso(now))
    return len(entries), trouble


def _entry(monitor: Monitor, d: Document, judgement: Any) -> store.Entry:
    bucket = windows.bucket_of(d.first_seen, monitor.setup.detector.bucket, monitor.setup.zone)
    bucket = bucket if monitor.last is None else max(bucket, monitor.last + 1)
    return store.Entry(d, bucket, judgement.topics, judgement.tone, judgement.p_negative, judgement.negative)


def close(monitor: Monitor, before: int, now: datetime) -> Iterator[int]:
    """Close every bucket below `before`, a transaction per chunk; yields the number of documents told in each."""
    while monitor.last is None or monitor.last + 1 < before:  # what is closed is never closed again
        with monitor.setup.engine.begin() as connection:
            rows = store.waiting(connection, before, CHUNK)
        if monitor.last is None and not rows:
            return
        end = int(rows[-1]["bucket"]) + 1 if rows else before
        _close_chunk(monitor, rows, end, now)
        yield len(rows)


def _close_chunk(monitor: Monitor, rows: Sequence[Mapping[str, Any]], end: int, now: datetime) -> None:
    setup, batch, memory = monitor.setup, _Batch(), monitor.memory
    marks = dedupe.marks(*([row[name] for row in rows] for name in ("title", "body", "source")))
    place, bucket = 0, int(rows[0]["bucket"]) if monitor.last is None else monitor.last + 1
    while bucket < end:
        stop = place
        while stop < len(rows) and rows[stop]["bucket"] == bucket:
            stop += 1
        if stop == place and memory.missed > SILENT:  # no data until something arrives again
            bucket = int(rows[place]["bucket"]) if place < len(rows) else end
            continue
        memory = _close_bucket(monitor, memory, bucket, rows[place:stop], marks[place:stop], batch)
        place, bucket = stop, bucket + 1
    with setup.engine.begin() as connection:
        store.close_documents(connection, batch.told)
        store.add_buckets(connection, batch.charts)
        for transition, verdict in batch.happened:
            _announce(connection, setup, transition, verdict, now)
        store.put_state(connection, snapshot.dump(memory), _version(setup), end - 1, iso(now))
    monitor.memory, monitor.last = memory, end - 1


def _close_bucket(
    monitor: Monitor, memory: Memory, bucket: int, rows: Sequence[Mapping[str, Any]], marks: Any, batch: _Batch
) -> Memory:
    """Tell stories, count, and move the memory by one bucket."""
    setup = monitor.setup
    size, zone, number = setup.detector.bucket, setup.zone, {name: k for k, name in enumerate(setup.topics)}
    documents, negatives, copies = (np.zeros(len(setup.topics)) for _ in range(3))
    delays: dict[str, list[float]] = {}
    opened = windows.bucket_start(bucket, size, zone)
    for row, mark in zip(rows, marks, strict=True):
        seen, published = _seconds(row["first_seen"]), _seconds(row["published"])
        head = monitor.stories.story_of(row["identity"], mark, dedupe.figures(row["title"], row["source"]), seen)
        delay = float(max(seen, opened) - published)
        delays.setdefault(row["source"], []).append(delay)
        own = head == row["identity"]
        counted = own and delay <= lags.limit(memory.delays, row["source"], size)
        for topic in (number[name] for name in json.loads(row["topics"]) if name in number):
            documents[topic] += counted
            negatives[topic] += counted and row["negative"]
            copies[topic] += not own
        batch.told.append((row["identity"], head, counted))
    tally = Tally(documents, negatives, len(rows))
    slot = windows.season_slot(bucket, size, zone)
    memory, verdict, happened = advance(memory, bucket, slot, tally, setup.detector, setup.rules)
    if delays:
        memory = replace(memory, delays=lags.learned(memory.delays, delays))
    if verdict is not None:
        batch.charts += _charts(setup, memory, bucket, tally, copies, verdict)
        batch.happened += [(transition, verdict) for transition in happened]
    return memory


def _charts(
    setup: Setup, memory: Memory, bucket: int, tally: Tally, copies: Any, verdict: Verdict
) -> list[dict[str, Any]]:
    time = windows.iso(windows.bucket_start(bucket, setup.detector.bucket, setup.zone))
    level = np.maximum(verdict.count, verdict.share) - verdict.log_threshold
    return [
        {
            "topic": name, "bucket": bucket, "time": time, "documents": int(tally.documents[k]),
            "negatives": int(tally.negatives[k]), "copies": int(copies[k]), "expected": float(verdict.mean[k]),
            "spread": float(verdict.spread[k]), "surprise": float(max(level[k], -99.0)),
            "phase": memory.alerts.topics[k].phase,
        }
        for k, name in enumerate(setup.topics)
    ]  # fmt: skip


def _announce(connection: Connection, setup: Setup, change: Transition, verdict: Verdict, now: datetime) -> None:
    """Incident, decision and outbox rows of one transition; of a silent one the incident alone."""
    first = change.bucket - setup.detector.evidence_buckets + 1
    stories = store.evidence(connection, setup.topics[change.topic], first, change.bucket)
    opened, time = (
        windows.alert_time(bucket, setup.detector.bucket, setup.zone) for bucket in (change.opened, change.bucket)
    )
    line = alert_line(
        RULE, setup.topics[change.topic], change, verdict, setup.detector, opened=opened, time=time, stories=stories
    )
    payload = line.payload()
    store.put_incident(connection, payload, windows.iso(opened))
    if change.silent:
        return
    decisions.record(
        connection, APP, "alert" if change.told else "info", payload, setup.model, now, decision_id=line.key
    )
    for sink, wants_info in setup.sinks.items():
        if change.told or wants_info:
            sinks.enqueue(connection, sink, payload, now)


def _seconds(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
