"""Time: three clocks per document, buckets, season slots, and what counts as late (pure).

`published` is what the publisher says, `first_seen` is when we saw it, `processed` is when we judged it. Surge
statistics run on first_seen, charts on published. What was published long before it was first seen is back-fill: it
belongs to charts and baselines, never to a surge. Knows no clock: `processed` comes from the caller.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from fieldtune import runtime

DAY = 86_400
LATE = 6 * 3600
FUTURE = 600
SKEW = DAY  # the most by which a clock, or a time zone left out, is wrong
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp()
_MILLISECONDS = 1e11  # epoch numbers from here on are milliseconds: as seconds they would lie after the year 5000
_EPOCH = re.compile(r"\d{9,13}(\.\d{1,9})?")
_RFC_2822 = re.compile(
    r"((mon|tue|wed|thu|fri|sat|sun), *)?\d{1,2} (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec) \d{4} "
    r"\d\d:\d\d(:\d\d)? ([+-]\d{4}|utc?|gmt|z|[ecmp][sd]t)",
    re.IGNORECASE,
)
TIMES = "a time in ISO 8601, RFC 2822, epoch seconds or milliseconds, from 1990 to 2099"


@dataclass(frozen=True)
class Clocks:
    """Published and first seen in seconds, and what was odd: undated, future, late."""

    published: int
    first_seen: int
    flags: tuple[str, ...] = ()


def parse_time(value: Any, zone: ZoneInfo) -> int | None:
    """Seconds since 1970 of a time as `TIMES` says; None for anything else.

    Nothing is guessed: 05/01/2026 is one day in London and another in New York. ISO 8601 without an offset is read in
    `zone`. Numbers, and texts of digits, are epoch seconds or, from 1e11 on, milliseconds.
    """
    try:
        moment = _moment(value)
        if moment is None:
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return None
    return int(seconds) if _EARLIEST <= seconds < _LATEST else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / (1000 if value >= _MILLISECONDS else 1), UTC)
    text = str(value).strip()
    if _EPOCH.fullmatch(text):
        return _moment(float(text))
    if _RFC_2822.fullmatch(text):
        moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # -0000: UTC, of an unknown place
    return datetime.fromisoformat(text)


def in_future(moment: int | None, now: int) -> bool:
    """Whether nothing can have happened then yet, however wrong the clock that says so goes.

    Asked of the time that puts a story in its bucket: `first_seen`, or `time` where there is none. A wrong `time` beside
    a right `first_seen` moves nothing, and is only flagged by `clocks`.
    """
    return moment is not None and moment > now + SKEW


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


def hindsight(size: int) -> int:
    """Seconds from the date of an alert to the end of its bucket, before which nobody can know of it."""
    return DAY if size >= DAY else 0


def season_slot(index: int, size: int, zone: ZoneInfo) -> int:
    """Hour of the local week (0..167, Monday first), or day of the week (0..6) for daily buckets."""
    if size >= DAY:
        return date.fromordinal(index).weekday()
    local = datetime.fromtimestamp(index * size, zone)
    return local.weekday() * 24 + local.hour


def iso(seconds: int) -> str:
    """Text of a time in seconds, as every table stores it."""
    return runtime.iso(datetime.fromtimestamp(seconds, UTC))
