"""The surge detector: is bad news about a topic more than usual, in number or in share? (pure, vectorised over topics)

Shiryaev-Roberts statistics R <- (1 + R) * likelihood ratio, averaged over several effect sizes, against a null that
includes everything up to `zone` times the learned baseline. Under any such null R_t - t is a martingale (or falls), so
"alarm when R >= A" has a mean time to false alarm of at least A buckets: the threshold is the false-alarm budget.
Counts are negative binomial, shares beta-binomial. It does not know what a story is, what time it is, or who is told.
Source: Shiryaev 1963, Roberts 1966, Pollak 1985 (mixtures); the budget holds as far as the baseline is right up to
`zone`, which the tests check by rate.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune_monitor.baseline import Array, Baseline, Forecast, Keep, absorb, empty, forecast, refreshed
from fieldtune_monitor.ratios import calm, count_ratio, mixture, share_ratio, variance

Flags = NDArray[np.bool_]
LOG_CAP = math.log(1e9)  # buckets; keeps the statistic finite through long surges
DAY = 86_400


@dataclass(frozen=True)
class DetectorConfig:
    """Settings of the detector. Times in seconds unless named otherwise.

    `budget` is false alerts per week over all topics and signals together. `zone` and `share_zone` bound what still
    counts as normal (rate and odds relative to the baseline); 1.3 suits news, 2.0 raw social volume.
    """

    bucket: int = 900
    budget: float = 1.0
    zone: float = 1.3
    share_zone: float = 1.25
    effects: tuple[float, ...] = (2.5, 4.0, 8.0)
    share_signal: bool = True
    learning: int = 3 * DAY
    first_learning: int = 7 * DAY
    guard: int = 12 * 3600
    evidence_window: int = 6 * 3600
    evidence: int = 3
    half_life: float = 10 * DAY
    long_half_life: float = 365 * DAY
    share_half_life: float = 28 * DAY
    season_half_life: float = 56 * DAY
    renewal_half_life: float = 1 * DAY
    concentration: float = 40.0

    @property
    def slots(self) -> int:
        return 168 if self.bucket < DAY else 7

    @property
    def buckets_per_week(self) -> float:
        return 7 * DAY / self.bucket

    @property
    def evidence_buckets(self) -> int:
        return max(math.ceil(self.evidence_window / self.bucket), 3)

    @property
    def guard_buckets(self) -> int:
        return max(math.ceil(self.guard / self.bucket), 1)

    def log_threshold(self, topics: int) -> float:
        """ln A, where A is the mean number of buckets between false alarms of one topic and signal."""
        return math.log(max(self.watched(topics) / self.budget * self.buckets_per_week, 2.0))

    def watched(self, topics: int) -> int:
        """Statistics that may raise a false alarm: topics times signals."""
        return topics * (2 if self.share_signal else 1)


@dataclass(frozen=True)
class Bucket:
    """Input of one step. `exposure` is the share (0..1) of usual volume carried by sources that answered.

    hold: topics in a surge, learn nothing; renew: topics whose surge became the new normal, learn fast;
    reset: topics whose incident just closed, start the statistics afresh. All [K].
    """

    index: int
    slot: int
    documents: Array
    negatives: Array
    exposure: float
    hold: Flags
    renew: Flags
    reset: Flags


@dataclass(frozen=True)
class Recent:
    """Buckets kept for the guard gap and the evidence window, oldest first. G rows; `learned` marks absorbed ones."""

    index: NDArray[np.int64]
    slot: NDArray[np.int64]
    exposure: Array
    documents: Array
    negatives: Array
    expected: Array
    variance: Array
    usable: Flags
    learned: Flags


@dataclass(frozen=True)
class DetectorState:
    """Everything the detector remembers; `topics` fixes the order of all arrays."""

    topics: tuple[str, ...]
    first: NDArray[np.int64]
    last: int
    day: int
    baseline: Baseline
    recent: Recent
    log_count: Array
    log_share: Array
    log_volume: Array


@dataclass(frozen=True)
class Verdict:
    """Output of one step, per topic [K]. count, share, volume are ln R averaged over effects.

    observed, expected and variance (of what is usual) are of negatives within the evidence window, mean and spread of
    this bucket; enough: sufficiently many to alert; calm: the count lies below the 90 % quantile of what is still
    normal; learning: the topic is too young to alert.
    """

    count: Array
    share: Array
    volume: Array
    log_threshold: float
    has_share: bool
    learning: Flags
    calm: Flags
    observed: Array
    enough: Flags
    expected: Array
    variance: Array
    mean: Array
    spread: Array


def start(topics: tuple[str, ...], config: DetectorConfig) -> DetectorState:
    """State before the first bucket."""
    k, m = len(topics), len(config.effects)
    none, rows = np.zeros(0, dtype=np.int64), np.zeros((0, k))
    recent = Recent(none, none, np.zeros(0), rows, rows, rows, rows, rows.astype(bool), np.zeros(0, dtype=bool))
    quiet = np.full((k, m), -np.inf)
    first = np.full(k, -1, dtype=np.int64)
    return DetectorState(topics, first, -1, -1, empty(k, config.slots), recent, quiet, quiet, quiet)


def step(state: DetectorState, bucket: Bucket, config: DetectorConfig) -> tuple[DetectorState, Verdict]:
    """Learn what is old enough, compare the new bucket with the forecast, and move the statistics.

    Returns the new state and, per topic, how surprising the bucket and its recent past are.
    """
    day = bucket.index * config.bucket // DAY
    base = refreshed(state.baseline) if day != state.day else state.baseline
    base, recent = _learn(base, state, bucket, config)
    first = np.where(state.first < 0, bucket.index, state.first)
    system = int(first.min())
    ready = np.where(first == system, max(config.first_learning, config.learning), config.learning)
    learning = (bucket.index - first) * config.bucket < ready
    ahead = forecast(base, bucket.slot, bucket.exposure)
    recent = _remember(recent, bucket, ahead, config)
    moved = _statistics(state, bucket, ahead, learning | bucket.reset, _ceiling(recent, bucket, config), config)
    verdict = _verdict(moved, learning, recent, bucket, ahead, config)
    return DetectorState(state.topics, first, bucket.index, day, base, recent, *moved), verdict


def standing(state: DetectorState, config: DetectorConfig) -> Verdict:
    """What `step` found in the last bucket, from the state alone; `learning` is not told."""
    recent, none = state.recent, np.zeros(len(state.topics), dtype=bool)
    documents, negatives = recent.documents[-1], recent.negatives[-1]
    slot, exposure = int(recent.slot[-1]), float(recent.exposure[-1])
    bucket = Bucket(int(recent.index[-1]), slot, documents, negatives, exposure, none, none, none)
    ahead = forecast(state.baseline, slot, exposure)
    return _verdict((state.log_count, state.log_share, state.log_volume), none, recent, bucket, ahead, config)


def _learn(base: Baseline, state: DetectorState, bucket: Bucket, config: DetectorConfig) -> tuple[Baseline, Recent]:
    """Absorb the buckets that have left the guard gap; a topic in a surge, or that bucket of it, is left out."""
    recent = state.recent
    due = np.flatnonzero(~recent.learned & (recent.index <= bucket.index - config.guard_buckets))
    for row in due:
        may = recent.usable[row] & ~bucket.hold | bucket.renew
        young = (recent.index[row] - state.first) * config.bucket < config.learning
        lives = config.half_life, config.long_half_life, config.share_half_life
        rate, long, share = (
            _keep(config.bucket, np.where(bucket.renew, config.renewal_half_life, life), may) for life in lives
        )
        keep = Keep(rate, long, share, 0.5 ** (config.bucket * config.slots / config.season_half_life))
        counts = recent.negatives[row], recent.documents[row], int(recent.slot[row]), float(recent.exposure[row])
        base = absorb(base, *counts, keep, ~(young | bucket.renew))
    learned = recent.learned.copy()
    learned[due] = True
    return base, replace(recent, learned=learned)


def _keep(bucket: int, half_life: Array, may: Flags) -> Array:
    return np.where(may, 0.5 ** (bucket / half_life), 1.0)


def _ceiling(recent: Recent, bucket: Bucket, config: DetectorConfig) -> Array:
    """Highest ln R per topic [K]: a topic with too few stories to alert waits at A, so that old evidence wears off."""
    window = recent.index > bucket.index - config.evidence_buckets
    enough = recent.negatives[window].sum(axis=0) >= config.evidence
    return np.where(enough, LOG_CAP, config.log_threshold(len(enough)))


def _statistics(
    state: DetectorState, bucket: Bucket, ahead: Forecast, mute: Flags, top: Array, config: DetectorConfig
) -> tuple[Array, Array, Array]:
    effects, zone = config.effects, config.zone
    count = count_ratio(bucket.negatives, ahead.negative_mean, ahead.negative_spread, effects, zone)
    moved = _advance(state.log_count, count, mute, top)
    if not config.share_signal:
        return moved, state.log_share, moved
    volume = count_ratio(bucket.documents, ahead.volume_mean, ahead.volume_spread, effects, zone)
    seen = bucket.negatives, bucket.documents, ahead.share, ahead.share_evidence
    share = share_ratio(*seen, effects, config.share_zone, config.concentration)
    top_volume = np.full(len(top), LOG_CAP)
    return moved, _advance(state.log_share, share, mute, top), _advance(state.log_volume, volume, mute, top_volume)


def _advance(log_r: Array, log_ratio: Array, mute: Flags, top: Array) -> Array:
    """ln((1 + R) * LR), at most `top`, kept at R = 0 where muted. [K, M]"""
    moved = np.minimum(np.logaddexp(0.0, log_r) + log_ratio, top[:, None])
    return np.where(mute[:, None], -np.inf, moved)


def _remember(recent: Recent, bucket: Bucket, ahead: Forecast, config: DetectorConfig) -> Recent:
    size = max(config.guard_buckets + 1, config.evidence_buckets)
    old = int(np.searchsorted(recent.index, bucket.index - size, side="right"))

    def push(rows: NDArray[Any], new: object) -> NDArray[Any]:
        return np.concatenate([rows[old:], np.asarray(new, dtype=rows.dtype)[None]])

    return Recent(
        push(recent.index, bucket.index),
        push(recent.slot, bucket.slot),
        push(recent.exposure, bucket.exposure),
        push(recent.documents, bucket.documents),
        push(recent.negatives, bucket.negatives),
        push(recent.expected, ahead.negative_mean),
        push(recent.variance, variance(ahead.negative_mean, ahead.negative_spread)),
        push(recent.usable, ~bucket.hold),
        push(recent.learned, False),
    )


def _verdict(
    moved: tuple[Array, Array, Array],
    learning: Flags,
    recent: Recent,
    bucket: Bucket,
    ahead: Forecast,
    config: DetectorConfig,
) -> Verdict:
    count, share, volume = (mixture(log_r) for log_r in moved)
    window = recent.index > bucket.index - config.evidence_buckets
    observed = recent.negatives[window].sum(axis=0)
    return Verdict(
        count=count,
        share=share,
        volume=volume,
        log_threshold=config.log_threshold(len(count)),
        has_share=config.share_signal,
        learning=learning,
        calm=calm(bucket.negatives, config.zone * ahead.negative_mean, ahead.negative_spread, 0.9),
        observed=observed,
        enough=observed >= config.evidence,
        expected=recent.expected[window].sum(axis=0),
        variance=recent.variance[window].sum(axis=0),
        mean=ahead.negative_mean,
        spread=ahead.negative_spread,
    )
