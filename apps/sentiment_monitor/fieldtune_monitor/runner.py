"""Reads the sources and drives the monitor: once, for ever, or over one file of history.

The only module that decides how far time has come. Live stories close a bucket when the clock has passed it; a
history that is read late is closed up to its newest story. Only a replay goes by its stories alone.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from fieldtune.errors import FieldtuneError, InputError
from fieldtune.runtime import iso
from fieldtune_monitor import store, windows
from fieldtune_monitor.monitor import Monitor, close, ingest
from fieldtune_monitor.records import RawRow
from fieldtune_monitor.sources import Cursor, read_file

BATCH = 4_000  # rows judged and stored in one transaction
LIVE = 86_400  # a newest story older than this is history, not live; a file untouched for as long is finished

Progress = Callable[[str, int], None]


@dataclass
class Counts:
    """What one look at the sources brought; `failed` is the first error of a source that could not be read at all.

    waiting: files whose last line is left there until it has a line break.
    """

    rows: int = 0
    documents: int = 0
    told: int = 0
    broken: int = 0
    problems: list[str] = field(default_factory=list)
    waiting: set[Path] = field(default_factory=set)
    failed: FieldtuneError | None = None

    def add(self, other: "Counts") -> None:
        """Add another look to this one; the first problems are kept."""
        self.rows += other.rows
        self.documents += other.documents
        self.told += other.told
        self.broken += other.broken
        self.problems = (self.problems + other.problems)[:5]
        self.waiting |= other.waiting


@dataclass
class Schedule:
    """When each source is looked at: `pauses` in seconds. One that is late is looked at once, not once per pause missed.

    Times are seconds of any clock that never goes back.
    """

    pauses: Mapping[Path, int]
    _due: dict[Path, float] = field(default_factory=dict)

    def take(self, now: float) -> list[Path]:
        """The sources due by now, each planned anew."""
        ready = [path for path in self.pauses if self._due.get(path, now) <= now]
        self._due.update({path: now + self.pauses[path] for path in ready})
        return ready

    def wait(self, now: float) -> float:
        """Seconds until the next source is due."""
        return max(min(self._due.values(), default=now) - now, 0.0)


def silent(_what: str, _count: int) -> None:
    """No progress."""


def read_all(
    monitor: Monitor,
    path: Path,
    now: datetime,
    *,
    live: bool,
    final: bool,
    whole: bool = False,
    progress: Progress = silent,
    batch: int = BATCH,
) -> Counts:
    """Take in everything a file has beyond its cursor, a transaction per batch; final and whole are of `read_file`."""
    counts, name = Counts(), str(path)
    with monitor.setup.engine.begin() as connection:
        cursor = store.read_cursor(connection, name)
    while True:
        reading = read_file(path, cursor, batch, final=final, whole=whole)
        if whole and reading.waits:
            counts.waiting = {path}
            counts.problems = [f"{path.name}: its last line has no line break, and waits for it", *counts.problems][:5]
        if not reading.rows and not reading.problems and reading.cursor == cursor:
            return counts
        new, problems = ingest(monitor, name, reading.rows, reading.problems, reading.cursor, now, live=live)
        cursor = reading.cursor
        counts.rows += len(reading.rows) + len(reading.problems)
        counts.documents += new
        counts.broken += len(problems)
        counts.problems = (counts.problems + problems)[:5]
        progress("stories read", counts.rows)
        if reading.at_end:
            return counts


def close_due(monitor: Monitor, now: datetime, *, finish: bool, progress: Progress = silent) -> int:
    """Close the buckets that are over by the clock; returns how many documents were told.

    Args:
        finish: of a history, the bucket of the newest story too: nobody looks again soon.
    """
    return _close_below(monitor, _edge(monitor, int(now.timestamp()), finish), now, progress)


def close_all(monitor: Monitor, now: datetime, progress: Progress = silent) -> int:
    """Close every bucket up to the newest story, whatever the clock says; returns how many documents were told."""
    return _close_below(monitor, _edge(monitor, None, True), now, progress)


def _close_below(monitor: Monitor, edge: int | None, now: datetime, progress: Progress) -> int:
    told = 0
    if edge is None:
        return told
    for count in close(monitor, edge, now):
        told += count
        progress("stories counted", told)
    return told


def _edge(monitor: Monitor, now: int | None, finish: bool) -> int | None:
    """First bucket that must stay open, never above that of `now`; None when there is nothing to close.

    Without `now` only the stories say what time it is.
    """
    size, zone = monitor.setup.detector.bucket, monitor.setup.zone
    with monitor.setup.engine.begin() as connection:
        waits = store.newest_waiting(connection)
    newest = None if waits is None else windows.parse_time(waits, zone)
    after = -1 if monitor.last is None else monitor.last + 1
    latest = None if newest is None else max(windows.bucket_of(newest, size, zone), after) + finish
    if now is None:
        return latest
    present = windows.bucket_of(now, size, zone)
    if newest is None or latest is None:
        fresh = monitor.last is not None and now - windows.bucket_start(after, size, zone) <= LIVE
        return present if fresh else None
    return min(present, latest) if now - newest > LIVE else present


def check_usable(path: Path, counts: Counts) -> None:
    """A file of which nothing could be used is an error, not an empty stream.

    Raises:
        InputError: every line was broken, or there was none.
    """
    if counts.documents or counts.rows > counts.broken:
        return
    if path in counts.waiting and not counts.broken:
        found = "only a last line that waits for its line break"
        raise InputError(f"stories with time and title in {path}", found, "end the line with a line break")
    found = f"{counts.broken} broken lines, e.g. {counts.problems[0]}" if counts.problems else "an empty file"
    raise InputError(f"stories with time and title in {path}", found, "check columns and encoding (UTF-8)")


def check_sources(engine: Engine, files: Sequence[Path], waiting: Collection[Path] = ()) -> None:
    """A source that never gave anything usable is an error where nobody waits for more. `waiting` is of `Counts`.

    Raises:
        InputError: from `check_usable` over all looks at it.
    """
    for path in files:
        with engine.begin() as connection:
            usable, broken, problem = store.source_counts(connection, str(path))
        problems = [problem] if problem else []
        check_usable(path, Counts(usable + broken, broken=broken, problems=problems, waiting={*waiting}))


def old_news(path: Path, zone: ZoneInfo, now: datetime) -> str:
    """What is found where a file holds mostly old news that nobody saw arrive (no `first_seen`); "" of a live one.

    A first look would take all of it as seen now: too late to count, and nothing to learn from.
    """
    cursor, rows, old = Cursor(), 0, list[int]()
    while True:
        reading = read_file(path, cursor, BATCH, final=False)
        times = [windows.parse_time(row.values.get("time"), zone) for row in reading.rows if _unseen(row)]
        old += [time for time in times if time is not None and time < now.timestamp() - LIVE]
        rows, cursor = rows + len(reading.rows), reading.cursor
        if reading.at_end or not (reading.rows or reading.problems):
            break
    if 2 * len(old) <= rows:
        return ""
    return f"{len(old)} of {rows} rows in {path} from {windows.iso(min(old))} to {windows.iso(max(old))}"


def _unseen(row: RawRow) -> bool:
    return not row.values.get("first_seen")


def poll(
    monitor: Monitor, files: Sequence[Path], now: datetime, *, once: bool = False, progress: Progress = silent
) -> Counts:
    """One look at every file, then close what is due. A source that cannot be read does not stop the others.

    Args:
        once: nobody looks again soon: take a last line without line end too, where it is surely whole, and close a
            history up to its newest story.
    """
    total = Counts()
    for path in files:
        final = once and _is_finished(path, now)
        try:
            total.add(read_all(monitor, path, now, live=True, final=final, whole=once, progress=progress))
        except FieldtuneError as error:
            total.failed = total.failed or error
            total.add(Counts(problems=[f"{path.name}: {error}"]))
            with monitor.setup.engine.begin() as connection:
                store.put_problem(connection, str(path), str(error), iso(now))
    total.told = close_due(monitor, now, finish=once, progress=progress)
    return total


def _is_finished(path: Path, now: datetime) -> bool:
    """Whether nobody writes to a file any more. A writer's buffer may hold the rest of a line back for hours."""
    try:
        return now.timestamp() - path.stat().st_mtime > LIVE
    except OSError:
        return False  # reading it says why
