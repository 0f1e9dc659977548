"""Where the past ends: a stable time order and cuts that no later event can move.

Every figure of the recommender rests on this file: a random split flatters by a factor of five and turns the
order of the models round. Knows nothing of what the events mean.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from fieldtune import runtime
from fieldtune.errors import InputError
from fieldtune_recommender.records import Log, Times

HELD_OUT_SHARE = 0.2
RANKER_SHARE = 0.1
STRAY_SHARE = 0.01
TEN_YEARS = 10 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class Windows:
    """Three windows of one log: base [.., ranker), ranker-train [ranker, test), test [test, ..)."""

    ranker: float
    test: float


def stable_order(times: Times) -> NDArray[np.intp]:
    """Row numbers sorted by (time, original row): ties keep their order, on every machine."""
    return np.argsort(times, kind="stable")


def beyond(times: Times) -> float:
    """From when on times are far beyond the rest, as of an event in 2099 in a log that ends today; infinity where none is.

    It takes a gap longer than all that lies before it, and than ten years, with at most one event in a hundred after it.
    No clock is asked: a log of other days than ours is one too.
    """
    ordered = np.sort(times)
    for place in range(max(len(ordered) - int(STRAY_SHARE * len(ordered)), 1), len(ordered)):
        if ordered[place] - ordered[place - 1] > max(ordered[place - 1] - ordered[0], TEN_YEARS):
            return float(ordered[place])
    return float("inf")


def _said(time: float) -> str:
    """A time for a person: a date, or the number where it counts something else than seconds since 1970."""
    return runtime.iso(datetime.fromtimestamp(time, UTC)) if 1e8 <= time < 1e11 else f"{time:g}"


def before(log: Log, t: float) -> Log:
    """The events strictly before `t`; equal times are the future."""
    return log.rows(slice(0, int(np.searchsorted(log.times, t, side="left"))))


def between(log: Log, start: float, end: float) -> Log:
    """The events with start <= time < end."""
    low, high = np.searchsorted(log.times, [start, end], side="left")
    return log.rows(slice(int(low), int(high)))


def windows(log: Log, held_out: float = HELD_OUT_SHARE, ranker: float = RANKER_SHARE) -> Windows:
    """Cut a log in time order into base, ranker-train and test.

    Args:
        log: events in ascending time.
        held_out: share of the rows after the test cut.
        ranker: share of the rows between the two cuts.

    Raises:
        InputError: the log is too short, or so many rows share one time that a window is empty.
    """
    n = len(log)
    first, second = int(n * (1.0 - held_out - ranker) + 1e-9), int(n * (1.0 - held_out) + 1e-9)
    if n < 10 or not 0 < first < second < n:
        raise InputError("a log of at least 10 events", f"{n} events", "give a longer log")
    cuts = Windows(float(log.times[first]), float(log.times[second]))
    if not log.times[0] < cuts.ranker < cuts.test:
        raise InputError(
            "events spread over time, so that the last fifth can be held out",
            f"{n} events between {_said(float(log.times[0]))} and {_said(float(log.times[-1]))}, many with the same time",
            "give the real times, or leave the column out so that row order stands for time",
        )
    return cuts
