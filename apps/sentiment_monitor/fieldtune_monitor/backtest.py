"""Alerts against dated events: how many events were found, how fast, and how many alerts were about nothing (pure).

An alert belongs to an event of its topic when it opens between the event's start (less a tolerance) and its end (plus a
tolerance), or is open when the event starts. The placebo replays the same days in another order, weekday kept: what it
finds is chance. Knows only topics and times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from fieldtune.evaluate.significance import wilson

WEEK = 7 * 86_400


@dataclass(frozen=True)
class Alert:
    """One incident: topic, when it opened and closed (None while open), in seconds."""

    topic: str
    opened: int
    closed: int | None = None
    dismissed: bool = False


@dataclass(frozen=True)
class Event:
    """Something that happened: start and end in seconds."""

    topic: str
    start: int
    end: int


@dataclass(frozen=True)
class Outcome:
    """An event with the seconds until its first alert; None where there was none."""

    event: Event
    delay: int | None


def match(
    alerts: Sequence[Alert], events: Sequence[Event], early: int, late: int, wait: int = 0
) -> tuple[list[Outcome], list[Alert]]:
    """Outcomes of all events, and the alerts outside every event.

    Args:
        early, late: seconds of tolerance before the start and after the end of an event.
        wait: seconds from the date of an alert to when it could be known; they count as delay.
    """
    outcomes = []
    inside: set[int] = set()
    for event in events:
        delays = []
        for place, alert in enumerate(alerts):
            if alert.topic != event.topic:
                continue
            opens = event.start - early <= alert.opened <= event.end + late
            open_then = alert.opened < event.start and (alert.closed is None or alert.closed >= event.start)
            if opens or open_then:
                inside.add(place)
                delays.append(max(alert.opened + wait - event.start, 0))
        outcomes.append(Outcome(event, min(delays, default=None)))
    return outcomes, [alert for place, alert in enumerate(alerts) if place not in inside]


def rates(
    alerts: Sequence[Alert], events: Sequence[Event], topics: int, span: float, *, early: int, late: int, wait: int = 0
) -> dict[str, float | int | None]:
    """The figures of a backtest.

    Args:
        topics: how many were watched; span: watched time in seconds; early, late, wait: of `match`.

    Returns:
        events, found, found_share with its 95 % Wilson interval, median delay in hours, alerts, alerts outside events
        in all, per week (what the budget promises, whichever the topic) and per topic-week with a 95 % Poisson interval,
        and how many alerts users dismissed.
    """
    outcomes, outside = match(alerts, events, early, late, wait)
    delays = [outcome.delay for outcome in outcomes if outcome.delay is not None]
    low, high = wilson(len(delays), len(outcomes))
    weeks = max(topics * span / WEEK, 1e-9)
    few, many = poisson_interval(len(outside))
    return {
        "events": len(outcomes),
        "found": len(delays),
        "found_share": len(delays) / len(outcomes) if outcomes else None,
        "found_low": low,
        "found_high": high,
        "median_delay_hours": float(np.median(delays)) / 3600 if delays else None,
        "alerts": len(alerts),
        "alerts_outside_events": len(outside),
        "alerts_outside_per_week": len(outside) * WEEK / span if span else 0.0,
        "alerts_outside_per_topic_week": len(outside) / weeks,
        "outside_low": few / weeks,
        "outside_high": many / weeks,
        "topic_weeks": weeks,
        "dismissed": sum(alert.dismissed for alert in alerts),
    }


def poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of a Poisson mean (Garwood 1936)."""
    from scipy.special import gammaincinv

    low = float(gammaincinv(count, 0.025)) if count else 0.0
    return low, float(gammaincinv(count + 1, 0.975))


def placebo_days(days: Sequence[date], rng: np.random.Generator) -> Mapping[date, date]:
    """Each day -> the day it is moved to: a permutation within every weekday, so the weekly rhythm stays."""
    moved: dict[date, date] = {}
    for weekday in range(7):
        same = sorted({day for day in days if day.weekday() == weekday})
        order = rng.permutation(len(same))
        moved.update({day: same[int(place)] for day, place in zip(same, order, strict=True)})
    return moved
