"""Life cycle of an alert: learning, inactive, pending, firing, recovering, resolved (a pure step function).

Two thresholds keep it from flapping: an incident opens when the statistic reaches A and enough distinct stories
support it; it closes after several calm buckets and a quiet wait, both on the counts themselves. One that fires again
soon after is the same incident, open again at once, but told again only when it lasts. Identifiers are hashes of what
the incident is, so a replay names them alike and a sink can drop what it already has.
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
State = Literal["firing", "resolved"]
Change = Literal["firing", "resolved", "reopened", "lapsed"]
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

    opened, since, closed, renewed (closed as the new normal) and reopened (fired again within the cooldown) are bucket
    numbers; -1 means never. announced: what is open, or was last, has been told."""

    phase: Phase = "learning"
    since: int = -1
    opened: int = -1
    closed: int = -1
    calm: int = 0
    sequence: int = 0
    signal: Signal = "count"
    renewed: int = -1
    reopened: int = -1
    announced: bool = True


@dataclass(frozen=True)
class AlertState:
    """State of all topics, and what the detector must be told with the next bucket."""

    topics: tuple[TopicState, ...]
    reset: Flags


@dataclass(frozen=True)
class Transition:
    """An incident opened, became more serious, or closed. `told` is false for info, see `is_told`; `note` is why it
    closed, where that is not that the news calmed down.

    A closed one that fires again within the cooldown is first `reopened`, for the record only; if it lasts, it is
    `firing` again; if not, it has `lapsed`, for the record only too. `reopened`: the bucket of that, or -1.
    """

    topic: int
    state: Change
    signal: Signal
    sequence: int
    bucket: int
    opened: int
    told: bool
    note: str = ""
    reopened: int = -1

    @property
    def recorded(self) -> State:
        """The state of the incident from now on."""
        return "firing" if self.state in ("firing", "reopened") else "resolved"

    @property
    def silent(self) -> bool:
        """Whether it is for the record only: nobody is told, not even who wants info."""
        return self.state != self.recorded


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
    if not again:
        return TopicState("firing", bucket, bucket, -1, 0, topic.sequence + 1, signal, topic.renewed)
    worse = is_told(signal) and not is_told(topic.signal)
    signal = topic.signal if is_told(topic.signal) and not is_told(signal) else signal
    return replace(
        topic, phase="firing", since=bucket, closed=-1, calm=0, signal=signal, reopened=bucket, announced=worse
    )


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
        signal = topic.signal if is_told(topic.signal) else _signal(k, verdict, config)
        lasts = bucket - topic.reopened >= _buckets(config.keep_firing, detector)
        announced = topic.announced or lasts or signal != topic.signal
        return replace(topic, phase="firing", since=bucket, calm=0, signal=signal, announced=announced)
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
    if new.phase == "resolved" and old.phase in OPEN:
        return _closing(new, k, bucket, "new normal" if new.renewed == bucket else "")
    opens = new.phase in OPEN and old.phase not in OPEN
    more = new.phase in OPEN and (is_told(new.signal) > is_told(old.signal) or new.announced > old.announced)
    if not (opens or more):
        return None
    return _change(new, k, "firing" if new.announced else "reopened", bucket)


def _change(topic: TopicState, k: int, state: Change, bucket: int, note: str = "") -> Transition:
    told = is_told(topic.signal) and topic.announced
    return Transition(k, state, topic.signal, topic.sequence, bucket, topic.opened, told, note, topic.reopened)


def _closing(topic: TopicState, k: int, bucket: int, note: str) -> Transition:
    return _change(topic, k, "resolved" if topic.announced else "lapsed", bucket, note)


def ended(
    state: AlertState, topics: Iterable[int], bucket: int, note: str
) -> tuple[AlertState, tuple[Transition, ...]]:
    """Close what is open in these topics after `bucket`, because nothing goes on measuring it."""
    moved, happened = list(state.topics), []
    for k in topics:
        topic = moved[k]
        if topic.phase in OPEN:
            moved[k] = replace(topic, phase="resolved", since=bucket, closed=bucket, calm=0)
            happened.append(_closing(topic, k, bucket, note))
    return replace(state, topics=tuple(moved)), tuple(happened)


def _buckets(seconds: int, detector: DetectorConfig) -> int:
    return max(math.ceil(seconds / detector.bucket), 1)


def is_told(signal: str) -> bool:
    """Whether every sink is told; more news in the usual tone is info, for charts and for sinks that want it."""
    return signal != "volume-driven"


def incident_id(rule: str, topic: str, opened: str, sequence: int) -> str:
    """Name of an incident: the same history gives the same name. `opened` is ISO 8601."""
    return _digest(rule, topic, opened, str(sequence))[:16]


def notice_key(incident: str, signal: str, state: str, reopened: int = -1) -> str:
    """Key under which a sink keeps this notice at most once; another one for each time the incident was reopened."""
    return _digest(incident, signal, state, *([str(reopened)] if reopened >= 0 else []))[:32]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
