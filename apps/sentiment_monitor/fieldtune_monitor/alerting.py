"""Life cycle of an alert: learning, inactive, pending, firing, recovering, resolved (a pure step function).

Two thresholds keep it from flapping: an incident opens when the statistic reaches A and enough distinct stories
support it; it closes after several calm buckets and a quiet wait, both on the counts themselves. Identifiers are hashes
of what the incident is, so a replay names them alike and a sink can drop what it already has.
It does not know who is told, nor how the statistics are made.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fieldtune_monitor.spikes import DetectorConfig, Flags, Verdict

Phase = Literal["learning", "inactive", "pending", "firing", "recovering", "resolved"]
Signal = Literal["tone", "count", "volume-driven"]
OPEN: tuple[Phase, ...] = ("firing", "recovering")


@dataclass(frozen=True)
class AlertConfig:
    """Rules of the life cycle; times in seconds, rounded up to at least one bucket."""

    pending_share: float = 0.1
    calm_buckets: int = 3
    keep_firing: int = 2 * 3600
    cooldown: int = 6 * 3600
    regime_age: int = 72 * 3600
    least_exposure: float = 0.5


@dataclass(frozen=True)
class TopicState:
    """Where one topic stands.

    opened, since, closed and renewed (closed as the new normal) are bucket numbers;
    -1 means never."""

    phase: Phase = "learning"
    since: int = -1
    opened: int = -1
    closed: int = -1
    calm: int = 0
    sequence: int = 0
    signal: Signal = "count"
    renewed: int = -1


@dataclass(frozen=True)
class AlertState:
    """State of all topics, and what the detector must be told with the next bucket."""

    topics: tuple[TopicState, ...]
    reset: Flags


@dataclass(frozen=True)
class Transition:
    """An incident opened, became more serious, or closed. `told` is false for info, see `is_told`; `note` is why it
    closed, where that is not that the news calmed down."""

    topic: int
    state: Literal["firing", "resolved"]
    signal: Signal
    sequence: int
    bucket: int
    opened: int
    told: bool
    note: str = ""


def start(topics: int) -> AlertState:
    """Every topic learning."""
    return AlertState((TopicState(),) * topics, np.zeros(topics, dtype=bool))


def holding(state: AlertState, bucket: int, detector: DetectorConfig) -> Flags:
    """Topics in a surge, or for a while close to one: their baseline must not learn.

    A topic of few stories can stay pending for weeks; held so long it would forget what is usual.
    """
    patience = 2 * detector.guard_buckets
    return np.array([t.phase in OPEN or (t.phase == "pending" and bucket - t.since < patience) for t in state.topics])


def renewing(state: AlertState, bucket: int, detector: DetectorConfig, config: AlertConfig) -> Flags:
    """Topics whose incident is so old that it must be the new normal, and for a learning time after it closed as such:
    their baseline learns again, and fast."""
    return np.array([_is_old(t, bucket, detector, config) or _relearns(t, bucket, detector) for t in state.topics])


def _is_old(topic: TopicState, bucket: int, detector: DetectorConfig, config: AlertConfig) -> bool:
    return topic.phase in OPEN and bucket - topic.opened > max(_buckets(config.regime_age, detector), 14)


def _relearns(topic: TopicState, bucket: int, detector: DetectorConfig) -> bool:
    return topic.renewed >= 0 and (bucket - topic.renewed) * detector.bucket < detector.learning


def step(
    state: AlertState,
    verdict: Verdict,
    bucket: int,
    exposure: float,
    detector: DetectorConfig,
    config: AlertConfig,
) -> tuple[AlertState, tuple[Transition, ...]]:
    """Move every topic by one bucket; returns the new state and what happened, in topic order."""
    level = np.maximum(verdict.count, verdict.share)
    raised = level >= verdict.log_threshold + math.log(config.pending_share)
    topics, happened, reset = list(state.topics), [], np.zeros(len(level), dtype=bool)
    for k, topic in enumerate(topics):
        if topic.phase == "inactive" and not raised[k]:
            continue
        if _relearns(topic, bucket, detector):
            topics[k], reset[k] = replace(topic, phase="learning"), True
            continue
        moved = _next(topic, k, verdict, bool(raised[k]), bucket, exposure, detector, config)
        topics[k] = moved
        transition = _transition(topic, moved, k, bucket, detector, config)
        happened += [transition] if transition else []
        reset[k] = topic.phase in OPEN and moved.phase == "resolved"
    return AlertState(tuple(topics), reset), tuple(happened)


def _next(
    topic: TopicState,
    k: int,
    verdict: Verdict,
    raised: bool,
    bucket: int,
    exposure: float,
    detector: DetectorConfig,
    config: AlertConfig,
) -> TopicState:
    if verdict.learning[k]:
        return topic if topic.phase == "learning" else replace(topic, phase="learning", since=bucket)
    if topic.phase in OPEN:
        return _open_next(topic, k, verdict, bucket, exposure, detector, config)
    if _opens(k, verdict, exposure, config):
        return _opened(topic, _signal(k, verdict, config), bucket, detector, config)
    cooling = topic.phase == "resolved" and bucket - topic.closed <= _buckets(config.cooldown, detector)
    phase: Phase = "pending" if raised else "resolved" if cooling else "inactive"
    return topic if phase == topic.phase else replace(topic, phase=phase, since=bucket)


def _opens(k: int, verdict: Verdict, exposure: float, config: AlertConfig) -> bool:
    count = verdict.count[k] >= verdict.log_threshold and exposure >= config.least_exposure
    return bool((count or verdict.share[k] >= verdict.log_threshold) and verdict.enough[k])


def _signal(k: int, verdict: Verdict, config: AlertConfig) -> Signal:
    """What drives it. Many stories in the usual tone are volume, not bad news: the share test must back the count."""
    if verdict.count[k] < verdict.log_threshold:
        return "tone"
    pending = verdict.log_threshold + math.log(config.pending_share)
    driven = verdict.has_share and verdict.volume[k] >= pending and verdict.share[k] < pending
    return "volume-driven" if driven else "count"


def _opened(
    topic: TopicState, signal: Signal, bucket: int, detector: DetectorConfig, config: AlertConfig
) -> TopicState:
    again = topic.closed >= 0 and bucket - topic.closed <= _buckets(config.cooldown, detector)
    sequence, opened = (topic.sequence, topic.opened) if again else (topic.sequence + 1, bucket)
    worse = again and topic.signal != "volume-driven" and signal == "volume-driven"
    return TopicState("firing", bucket, opened, -1, 0, sequence, topic.signal if worse else signal, topic.renewed)


def _open_next(
    topic: TopicState,
    k: int,
    verdict: Verdict,
    bucket: int,
    exposure: float,
    detector: DetectorConfig,
    config: AlertConfig,
) -> TopicState:
    calm = topic.calm + 1 if verdict.calm[k] else 0
    if not calm:
        signal = _signal(k, verdict, config) if topic.signal == "volume-driven" else topic.signal
        return replace(topic, phase="firing", since=bucket, calm=0, signal=signal)
    if topic.phase == "firing":
        recovers = calm >= config.calm_buckets
        return replace(topic, phase="recovering" if recovers else "firing", since=bucket, calm=calm)
    waited = bucket - topic.since >= _buckets(config.keep_firing, detector)
    if waited and exposure >= config.least_exposure:
        renewed = bucket if _is_old(topic, bucket, detector, config) else topic.renewed
        return replace(topic, phase="resolved", since=bucket, closed=bucket, calm=calm, renewed=renewed)
    return replace(topic, calm=calm)


def _transition(
    old: TopicState, new: TopicState, k: int, bucket: int, detector: DetectorConfig, config: AlertConfig
) -> Transition | None:
    told = is_told(new.signal)
    if new.phase == "resolved" and old.phase in OPEN:
        note = "new normal" if new.renewed == bucket else ""
        return Transition(k, "resolved", new.signal, new.sequence, bucket, new.opened, told, note)
    fresh = new.phase in OPEN and new.sequence != old.sequence
    worse = new.phase in OPEN and old.signal == "volume-driven" and told
    if fresh or worse:
        return Transition(k, "firing", new.signal, new.sequence, bucket, new.opened, told)
    return None


def ended(
    state: AlertState, topics: Iterable[int], bucket: int, note: str
) -> tuple[AlertState, tuple[Transition, ...]]:
    """Close what is open in these topics after `bucket`, because nothing goes on measuring it."""
    moved, happened = list(state.topics), []
    for k in topics:
        topic = moved[k]
        if topic.phase in OPEN:
            moved[k] = replace(topic, phase="resolved", since=bucket, closed=bucket, calm=0)
            told = is_told(topic.signal)
            happened.append(Transition(k, "resolved", topic.signal, topic.sequence, bucket, topic.opened, told, note))
    return replace(state, topics=tuple(moved)), tuple(happened)


def _buckets(seconds: int, detector: DetectorConfig) -> int:
    return max(math.ceil(seconds / detector.bucket), 1)


def is_told(signal: str) -> bool:
    """Whether every sink is told; more news in the usual tone is info, for charts and for sinks that want it."""
    return signal != "volume-driven"


def incident_id(rule: str, topic: str, opened: str, sequence: int) -> str:
    """Name of an incident: the same history gives the same name. `opened` is ISO 8601."""
    return _digest(rule, topic, opened, str(sequence))[:16]


def notice_key(incident: str, signal: str, state: str) -> str:
    """Key under which a sink keeps this notice at most once."""
    return _digest(incident, signal, state)[:32]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
