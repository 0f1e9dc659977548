"""Time: three clocks per document, buckets, season slots, and what counts as late (pure).

`published` is what the publisher says, `first_seen` is when we saw it, `processed` is when we judged it. Surge
statistics run on first_seen, charts on published. What was published long before it was first seen is back-fill: it
belongs to charts and baselines, never to a surge. Knows no clock: `processed` comes from the caller.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil import parser as dates  # type: ignore[import-untyped]

DAY = 86_400
LATE = 6 * 3600
FUTURE = 600
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp()
_MARK = datetime(1, 1, 1), datetime(2, 2, 2)


@dataclass(frozen=True)
class Clocks:
    """Published and first seen in seconds, and what was odd: undated, future, late."""

    published: int
    first_seen: int
    flags: tuple[str, ...] = ()


def parse_time(value: Any, zone: ZoneInfo) -> int | None:
    """Seconds since 1970 of an ISO 8601 text (or a common other spelling, or epoch seconds); None if unusable.

    A time without an offset is read in `zone`. Years outside 1990..2100 are unusable.
    """
    if value is None or isinstance(value, bool) or value != value or value == "":
        return None
    try:
        moment = _moment(value)
    except (ValueError, OverflowError, TypeError):
        return None
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        seconds = moment.timestamp()
    except (ValueError, OverflowError):
        return None
    return int(seconds) if _EARLIEST <= seconds < _LATEST else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, int | float):
        return datetime.fromtimestamp(float(value) / (1000 if abs(value) > 1e11 else 1), UTC)
    text = str(value).strip()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if text.replace(".", "", 1).isdigit() and len(text.split(".")[0]) in (9, 10, 13):
        return _moment(float(text))
    first, second = (dates.parse(text, default=mark) for mark in _MARK)
    return first if first == second or first.replace(tzinfo=None).date() == second.replace(tzinfo=None).date() else None


def clocks(published: int | None, first_seen: int) -> Clocks:
    """Apply the late rules: a missing or future publication time becomes first_seen; old news is flagged late."""
    if published is None:
        return Clocks(first_seen, first_seen, ("undated",))
    if published > first_seen + FUTURE:
        return Clocks(first_seen, first_seen, ("future",))
    if published < first_seen - LATE:
        return Clocks(published, first_seen, ("late",))
    return Clocks(published, first_seen)


def bucket_of(seconds: int, size: int, zone: ZoneInfo) -> int:
    """Number of the bucket: UTC seconds / size below a day; the local calendar day (as ordinal) for daily buckets."""
    if size < DAY:
        return seconds // size
    return datetime.fromtimestamp(seconds, zone).date().toordinal()


def bucket_start(index: int, size: int, zone: ZoneInfo) -> int:
    """First second of a bucket."""
    if size < DAY:
        return index * size
    day = date.fromordinal(index)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def alert_time(index: int, size: int, zone: ZoneInfo) -> int:
    """When an alert about a bucket is dated: the end of the bucket; for daily ones the day itself, all they know."""
    return bucket_start(index + 1, size, zone) if size < DAY else bucket_start(index, size, zone)


def season_slot(index: int, size: int, zone: ZoneInfo) -> int:
    """Hour of the local week (0..167, Monday first), or day of the week (0..6) for daily buckets."""
    if size >= DAY:
        return date.fromordinal(index).weekday()
    local = datetime.fromtimestamp(index * size, zone)
    return local.weekday() * 24 + local.hour


def iso(seconds: int) -> str:
    """ISO 8601 in UTC with seconds."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
