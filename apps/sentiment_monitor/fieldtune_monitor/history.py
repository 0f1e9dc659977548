"""Replays and backtests: a file of history through the monitor, and what the alerts were worth.

A replay is the same loop as `run` over an empty store; alerts are written at the end, whole or not at all.
"""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import text

from fieldtune import outbox
from fieldtune.data.read import read_table
from fieldtune.data.write import written
from fieldtune.errors import InputError
from fieldtune_monitor import runner, store, windows
from fieldtune_monitor.backtest import Alert, Event, placebo_days, rates
from fieldtune_monitor.config import Config
from fieldtune_monitor.monitor import Setup, restore
from fieldtune_monitor.sinks import line_of
from fieldtune_monitor.sources import Cursor, read_file
from fieldtune_monitor.windows import DAY, TIMES, parse_time

DATE_ONLY_END = 2 * DAY  # an event without end is over two days after its start
UTC = ZoneInfo("UTC")
AFTER = 6 * 3600  # an alert this long after an event's end still belongs to it


def replay(
    setup: Setup, source: Path, now: datetime, progress: runner.Progress = runner.silent
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the file through the monitor; returns alert lines in order, and a summary.

    `setup.sinks` must hold one sink; what it would have been sent are the lines. The store is left filled, for charts,
    with nothing to send.

    Raises:
        InputError: nothing in the file can be used.
    """
    monitor = restore(setup, now)
    counts = runner.read_all(monitor, source, now, live=False, final=True, progress=progress)
    runner.check_usable(source, counts)
    runner.close_all(monitor, now, progress)
    with setup.engine.begin() as connection:
        messages = outbox.pending(connection)
        for message in messages:  # the caller takes them: a `run` that goes on from this store must not send them
            outbox.mark_sent(connection, message.key, now)
        totals = store.totals(connection)
        edges = connection.execute(text("SELECT MIN(time), MAX(time) FROM buckets")).one()
    lines = [message.payload for message in messages]
    states = [line["state"] for line in lines]
    summary = {
        **totals, "repeated": counts.rows - counts.documents - counts.broken, "rows": counts.rows, "problems": counts.problems[:3], "from": edges[0], "to": edges[1],
        "topics": len(setup.topics), "alerts": states.count("firing"), "lines": len(lines), "model": setup.model,
    }  # fmt: skip
    return lines, summary


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write an alerts file, whole or not at all."""
    with written(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(line_of(line) + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())


def read_alerts(path: Path, dismissed: frozenset[str] = frozenset()) -> list[Alert]:
    """The incidents of an alerts file: opened at the first line that fires, closed at the last if that resolves.

    Raises:
        InputError: no such file, a line that is no alert.
    """
    try:
        raw = path.read_bytes().splitlines()  # of a text it would also split at line breaks inside titles (U+2028)
    except OSError as error:
        raise InputError("an alerts file written by fieldtune", f"{path}: {error}", "check the path") from error
    found: dict[str, dict[str, Any]] = {}
    for number, text_line in enumerate(raw, 1):
        try:
            line = json.loads(text_line)
            time = parse_time(line["time"], UTC)
            entry = found.setdefault(line["incident"], {"topic": line["topic"], "opened": None, "closed": None})
            if line["state"] == "resolved":
                entry["closed"] = time
            else:  # the same incident may fire again after it was resolved
                first = entry["opened"]
                entry["opened"], entry["closed"] = time if first is None else min(first, time or 0), None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"an alert on every line of {path}", f"line {number}: {error!r}", "write it again"
            ) from error
    return [
        Alert(entry["topic"], entry["opened"], entry["closed"], incident in dismissed)
        for incident, entry in found.items()
        if entry["opened"] is not None
    ]


def read_events(path: Path, config: Config | None = None) -> list[Event]:
    """Dated events: topic, time, optional end; without an end, two days.

    Raises:
        InputError: missing columns, an unusable time, an end before its start.
    """
    table = read_table(path, ["topic", "time"], ["end"], numbered=True)
    zone = config.zone_info() if config else UTC
    events = []
    for number, topic, start, end in zip(table.index, table["topic"], table["time"], table["end"], strict=True):
        first = parse_time(start, zone)
        last = parse_time(end, zone) if end else None if first is None else first + DATE_ONLY_END
        if first is None or last is None or last < first:
            raise InputError(
                f"{TIMES}, and an end after it", f"{start!r}, {end!r} in row {number} of {path}", "correct it"
            )
        events.append(Event(str(topic), first, last))
    return events


def backtest(
    alerts: Sequence[Alert],
    events: Sequence[Event],
    span: tuple[int, int] | None,
    topics: Sequence[str] | None,
    wait: int = 0,
) -> dict[str, Any]:
    """`backtest.rates` with what was watched: given, or as far as alerts and events tell. Events outside it are left out.

    `wait` is of `backtest.match`.
    """
    names = set(topics) if topics else {alert.topic for alert in alerts} | {event.topic for event in events}
    times = [alert.opened for alert in alerts] + [event.start for event in events] + [event.end for event in events]
    first, last = span or (min(times, default=0), max(times, default=0))
    watched, _, _ = sorted_out(events, (first, last), names)
    figures = rates(alerts, watched, len(names), last - first, early=0, late=AFTER, wait=wait)
    return {**figures, "topics": len(names), "from": windows.iso(first), "to": windows.iso(last)}


def sorted_out(
    events: Sequence[Event], span: tuple[int, int] | None, topics: Collection[str] | None
) -> tuple[list[Event], list[Event], list[Event]]:
    """The events that were watched, those of other topics, and those of these topics at another time."""
    watched, strange, outside = [], [], []
    for event in events:
        if topics and event.topic not in topics:
            strange.append(event)
        elif span and (event.end < span[0] or event.start > span[1]):
            outside.append(event)
        else:
            watched.append(event)
    return watched, strange, outside


def left_out(events: Sequence[Event], span: tuple[int, int] | None, topics: Sequence[str] | None) -> list[str]:
    """What :func:`backtest` leaves out of the events, a line for each reason."""
    _, strange, outside = sorted_out(events, span, topics)
    names = ", ".join(sorted({event.topic for event in strange}))
    told = [(len(strange), f"of topics that are not watched: {names}")]
    if span:
        watched = f"{windows.iso(span[0])} to {windows.iso(span[1])}"
        told.append((len(outside), f"outside the time that was watched, {watched}"))
    return [f"note: {count} events left out, {why}" for count, why in told if count]


def watched_span(source: Path, config: Config, now: datetime) -> tuple[int, int]:
    """From the end of learning to the last story of a history, in seconds; stories dated in the future are none.

    Raises:
        InputError: the history is no longer than the learning time.
    """
    zone = config.zone_info()
    times = [_first_seen(row, zone, now) for row in _rows(source)]
    seen = sorted(time for time in times if time is not None)
    first = seen[0] + config.detector().first_learning if seen else 0
    if not seen or first >= seen[-1]:
        raise InputError("a history longer than the learning time", str(source), "give more, or a shorter warmup")
    return first, seen[-1]


def shuffled_days(source: Path, target: Path, config: Config, now: datetime, rng: np.random.Generator) -> None:
    """Write the stories of `source` with their days permuted within weekdays (JSON lines): the placebo's input."""
    zone = config.zone_info()
    rows = _rows(source)
    dated = []
    for row in rows:
        seconds = _first_seen(row, zone, now)
        if seconds is not None:
            day = windows.bucket_of(seconds, DAY, zone)
            dated.append((row, seconds, day))
    moved = placebo_days([date.fromordinal(day) for _, _, day in dated], rng)
    with target.open("w", encoding="utf-8") as file:
        for row, seconds, day in dated:
            shift = (moved[date.fromordinal(day)].toordinal() - day) * DAY
            changed = {**row, "time": windows.iso(seconds + shift), "first_seen": windows.iso(seconds + shift)}
            file.write(json.dumps(changed, ensure_ascii=False) + "\n")


def _first_seen(row: Mapping[str, Any], zone: ZoneInfo, now: datetime) -> int | None:
    """When a replay takes a story to be first seen; None where it cannot use the row's time."""
    seconds = parse_time(row.get("first_seen") or row.get("time"), zone)
    return None if windows.in_future(seconds, int(now.timestamp())) else seconds


def _rows(source: Path) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_file(source, Cursor(), 10**9, final=True).rows]
