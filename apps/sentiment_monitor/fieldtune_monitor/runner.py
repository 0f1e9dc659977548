"""Reads the sources and drives the monitor: once, for ever, or over one file of history.

The only module that decides how far time has come. Live stories close a bucket when the clock has passed it; a
history that is read late is closed up to its newest story.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from fieldtune.errors import InputError
from fieldtune_monitor import store, windows
from fieldtune_monitor.monitor import Monitor, close, ingest
from fieldtune_monitor.sources import read_file

BATCH = 4_000  # rows judged and stored in one transaction
LIVE = 86_400  # a newest story older than this is history, not live

Progress = Callable[[str, int], None]


@dataclass
class Counts:
    """What one look at the sources brought."""

    rows: int = 0
    documents: int = 0
    told: int = 0
    broken: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Add another look to this one; the first problems are kept."""
        self.rows += other.rows
        self.documents += other.documents
        self.told += other.told
        self.broken += other.broken
        self.problems = (self.problems + other.problems)[:5]


def silent(_what: str, _count: int) -> None:
    """No progress."""


def read_all(
    monitor: Monitor,
    path: Path,
    now: datetime,
    *,
    live: bool,
    final: bool,
    progress: Progress = silent,
    batch: int = BATCH,
) -> Counts:
    """Take in everything a file has beyond its cursor, a transaction per batch."""
    counts, name = Counts(), str(path)
    with monitor.setup.engine.begin() as connection:
        cursor = store.read_cursor(connection, name)
    while True:
        reading = read_file(path, cursor, batch, final=final)
        if not reading.rows and not reading.problems and reading.cursor == cursor:
            return counts
        new, problems = ingest(monitor, name, reading.rows, reading.problems, reading.cursor, now, live=live)
        cursor = reading.cursor
        counts.rows += len(reading.rows)
        counts.documents += new
        counts.broken += len(problems)
        counts.problems = (counts.problems + problems)[:5]
        progress("stories read", counts.rows)
        if reading.at_end:
            return counts


def close_due(monitor: Monitor, now: datetime, *, finish: bool, progress: Progress = silent) -> int:
    """Close the buckets that are over; returns how many documents were told.

    Args:
        finish: close the bucket of the newest story too, when the clock has passed it (the history is complete).
    """
    edge = _edge(monitor, int(now.timestamp()), finish)
    told = 0
    if edge is None:
        return told
    for count in close(monitor, edge, now):
        told += count
        progress("stories counted", told)
    return told


def _edge(monitor: Monitor, now: int, finish: bool) -> int | None:
    """First bucket that must stay open; None when there is nothing to close."""
    size, zone = monitor.setup.detector.bucket, monitor.setup.zone
    with monitor.setup.engine.begin() as connection:
        newest = store.newest_waiting(connection)
    present = windows.bucket_of(now, size, zone)
    if newest is None:
        fresh = monitor.last is not None and now - windows.bucket_start(monitor.last + 1, size, zone) <= LIVE
        return present if fresh else None
    seconds = windows.parse_time(newest, zone)
    latest = max(windows.bucket_of(seconds or now, size, zone), -1 if monitor.last is None else monitor.last + 1)
    if finish:
        return latest + 1
    return min(present, latest) if seconds is not None and now - seconds > LIVE else present


def check_usable(path: Path, counts: Counts) -> None:
    """A file of which nothing could be used is an error, not an empty stream.

    Raises:
        InputError: every line was broken, or there was none.
    """
    if counts.documents or counts.rows > counts.broken:
        return
    found = f"{counts.broken} broken lines, e.g. {counts.problems[0]}" if counts.problems else "an empty file"
    raise InputError(f"stories with time and title in {path}", found, "check columns and encoding (UTF-8)")


def check_sources(engine: Engine, files: Sequence[Path]) -> None:
    """A source that never gave anything usable is an error where nobody waits for more.

    Raises:
        InputError: no such file, or `check_usable` over all looks at it.
    """
    for path in files:
        if not path.exists():
            raise InputError("a file with stories", f"nothing at {path}", "check the path of the source")
        with engine.begin() as connection:
            usable, broken, problem = store.source_counts(connection, str(path))
        check_usable(path, Counts(usable + broken, broken=broken, problems=[problem] if problem else []))


def poll(
    monitor: Monitor,
    files: Sequence[Path],
    sizes: Mapping[Path, int],
    now: datetime,
    *,
    final: bool,
    progress: Progress,
) -> Counts:
    """One look at every file, then close what is due. `sizes`: of the last look; a file at rest is taken to its end."""
    total = Counts()
    for path in files:
        try:
            at_rest = final or sizes.get(path) == path.stat().st_size
        except OSError:
            total.problems.append(f"{path.name}: not there")
            continue
        counts = read_all(monitor, path, now, live=True, final=at_rest, progress=progress)
        total.add(counts)
    total.told = close_due(monitor, now, finish=final, progress=progress)
    return total
