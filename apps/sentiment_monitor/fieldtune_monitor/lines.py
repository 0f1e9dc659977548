"""A transition and what the detector found -> the line that an alerts file, the page and the outbox hold (pure).

Every figure of it can be computed again from the counts. Knows no store: stories are given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fieldtune_monitor.alerting import Transition, incident_id, notice_key
from fieldtune_monitor.ratios import interval
from fieldtune_monitor.records import Line
from fieldtune_monitor.spikes import DetectorConfig, Verdict
from fieldtune_monitor.windows import iso

EVIDENCE = 5


def alert_line(
    rule: str,
    topic: str,
    change: Transition,
    verdict: Verdict,
    config: DetectorConfig,
    *,
    opened: int,
    time: int,
    stories: Sequence[Mapping[str, Any]] = (),
) -> Line:
    """The line of one transition.

    Args:
        rule, topic: names; with `opened` they make the incident's.
        opened, time: when the incident opened and when this happened, in seconds.
        stories: evidence as of `store.evidence`, surest first.
    """
    k, start = change.topic, iso(opened)
    incident = incident_id(rule, topic, start, change.sequence)
    expected = float(verdict.expected[k])
    low, high = interval(expected, float(verdict.variance[k]))
    return Line(
        incident=incident,
        key=notice_key(incident, change.signal, change.state, change.reopened),
        topic=topic,
        signal=change.signal,
        state=change.recorded,
        time=iso(time),
        observed=int(verdict.observed[k]),
        expected=round(expected, 3),
        low=low,
        high=high,
        weeks_between_false_alarms=round(_weeks(verdict, k, config), 3),
        evidence=tuple(story["id"] for story in stories[:EVIDENCE]),
        sources=len({source for story in stories for source in story["sources"]}),
        copies=sum(story["copies"] for story in stories),
        note=change.note,
    )


def _weeks(verdict: Verdict, k: int, config: DetectorConfig) -> float:
    """Mean time between false alarms as strong as this one, whatever their topic and signal; at the threshold it is
    1 / budget. R is the mean number of buckets between those of one topic and signal."""
    buckets = float(np.exp(max(verdict.count[k], verdict.share[k])))
    return buckets / (config.watched(len(verdict.count)) * config.buckets_per_week)
