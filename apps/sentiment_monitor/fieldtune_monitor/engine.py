"""One bucket through the monitor's memory: counts -> statistic -> life cycle (pure).

Also tells silence from quiet: when nothing at all arrives although nine stories were due, the buckets are no data;
they neither resolve an alert nor teach a baseline. Knows no stories, only counts per topic.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from fieldtune_monitor import alerting, lags, spikes
from fieldtune_monitor.alerting import AlertConfig, AlertState, Transition
from fieldtune_monitor.baseline import Array, forecast
from fieldtune_monitor.spikes import DetectorConfig, DetectorState, Verdict

SILENT = 9.0  # stories missed before silence means "no data"; P(0 | 9) = 1.2e-4


@dataclass(frozen=True)
class Memory:
    """Everything the monitor remembers between buckets. `missed`: stories due since anything last arrived."""

    detector: DetectorState
    alerts: AlertState
    delays: lags.Lags = field(default_factory=dict)
    missed: float = 0.0


@dataclass(frozen=True)
class Tally:
    """Counts of one bucket per topic [K]: distinct fresh stories, the negative ones, and what arrived in all."""

    documents: Array
    negatives: Array
    arrived: int


def begin(topics: tuple[str, ...], config: DetectorConfig) -> Memory:
    """Memory before the first bucket."""
    return Memory(spikes.start(topics, config), alerting.start(len(topics)))


def advance(
    memory: Memory, index: int, slot: int, tally: Tally, config: DetectorConfig, rules: AlertConfig
) -> tuple[Memory, Verdict | None, tuple[Transition, ...]]:
    """Take one bucket; the verdict is None where the bucket is no data."""
    if tally.arrived == 0:
        due = float(forecast(memory.detector.baseline, slot, 1.0).volume_mean.sum())
        memory = replace(memory, missed=memory.missed + due)
        if memory.missed > SILENT:
            return _masked(memory), None, ()
    else:
        memory = replace(memory, missed=0.0)
    return observe(memory, index, slot, tally.documents, tally.negatives, config, rules)


def _masked(memory: Memory) -> Memory:
    """Buckets of a silence recognised too late: the last ones without a story must not be learned."""
    recent = memory.detector.recent
    heard = np.flatnonzero(recent.documents.sum(axis=1) > 0)
    usable = recent.usable.copy()
    usable[heard[-1] + 1 if len(heard) else 0 :] = False
    return replace(memory, detector=replace(memory.detector, recent=replace(recent, usable=usable)))


def observe(
    memory: Memory,
    index: int,
    slot: int,
    documents: Array,
    negatives: Array,
    config: DetectorConfig,
    rules: AlertConfig,
) -> tuple[Memory, Verdict, tuple[Transition, ...]]:
    """Detector and life cycle on one bucket of counts [K]."""
    alerts = memory.alerts
    bucket = spikes.Bucket(
        index=index,
        slot=slot,
        documents=documents,
        negatives=negatives,
        exposure=1.0,
        hold=alerting.holding(alerts, index, config),
        renew=alerting.renewing(alerts, index, config, rules),
        reset=alerts.reset,
    )
    detector, verdict = spikes.step(memory.detector, bucket, config)
    moved, transitions = alerting.step(alerts, verdict, index, 1.0, config, rules)
    return replace(memory, detector=detector, alerts=moved), verdict, transitions
