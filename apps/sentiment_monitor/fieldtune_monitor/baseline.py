"""What is normal for each topic: rate, hour-of-week profile, share of negative stories, over-dispersion (pure).

A discounted Gamma-Poisson rate per topic, its prior the topic's own long-run rate, times a season profile pooled over topics, times a small correction per
topic and hour; a discounted Beta share of negatives; moment estimates of the over-dispersion, shrunk to the pooled
one. Closed form, O(1) per topic and bucket. It learns whatever it is given: which buckets are fit to learn from is
decided in `spikes`. All arrays are float64; K topics, S season slots (168 hours of the week, or 7 days).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SEASON_SLOT_PRIOR = 30.0  # stories of evidence behind "this slot is day profile x hour profile"
SEASON_MARGIN_PRIOR = 10.0  # stories of evidence behind "every day and hour is alike"
TOPIC_HOUR_PRIOR = 40.0  # stories of evidence behind "this topic follows the common profile"
SPREAD_PRIOR = 150.0  # weight of the pooled over-dispersion against a topic's own
SPREAD_LOW, SPREAD_HIGH = 0.05, 5.0
RATE_PRIOR = 20.0  # stories of evidence behind "this topic is as negative as the others"
LONG_PRIOR = 5.0  # stories of evidence behind "this topic is as it was all year"; what a thin topic mostly rests on
SHARE_PRIOR = 10.0  # stories of evidence behind the pooled share of negatives
UNSEEN_DAY_SPREAD = 1.0  # relative variance of a day of the week that was never seen


@dataclass(frozen=True)
class Baseline:
    """Sufficient statistics, all discounted. Shapes: [K], [S], [K, hours] as named."""

    negative_mass: Array
    volume_mass: Array
    exposure: Array
    long_negative: Array
    long_volume: Array
    long_exposure: Array
    share_negative: Array
    share_total: Array
    season_mass: Array
    season_time: Array
    hour_mass: Array
    hour_time: Array
    negative_spread: Array
    negative_weight: Array
    volume_spread: Array
    volume_weight: Array
    profile: Array  # [K, S], refreshed once a day from the sums above


@dataclass(frozen=True)
class Keep:
    """Factors by which one bucket discounts the past: rate, long-run rate, share [K]; season per visit of a slot."""

    rate: Array
    long: Array
    share: Array
    season: float


@dataclass(frozen=True)
class Forecast:
    """The next bucket per topic [K]: mean and relative variance v (variance = mean + v mean^2)."""

    negative_mean: Array
    negative_spread: Array
    volume_mean: Array
    volume_spread: Array
    share: Array
    share_evidence: Array


def empty(topics: int, slots: int) -> Baseline:
    """A baseline that has seen nothing."""
    hours = _hours(slots)
    k, s, h = np.zeros(topics), np.zeros(slots), np.zeros((topics, hours))
    return Baseline(k, k, k, k, k, k, k, k, s, s, h, h, k, k, k, k, np.ones((topics, slots)))


def _hours(slots: int) -> int:
    return 24 if slots % 24 == 0 else 1


def forecast(base: Baseline, slot: int, exposure: float) -> Forecast:
    """Mean and spread in season `slot`, when sources with share `exposure` (0..1) of the usual volume answer."""
    season = base.profile[:, slot] * exposure
    time, long_time = np.maximum(base.exposure, 1e-9), np.maximum(base.long_exposure, 1e-9)
    usual_volume = (base.long_volume + 0.02) / long_time
    pooled = RATE_PRIOR * _pooled_share(base)
    usual_negative = (base.long_negative + pooled) / (long_time + RATE_PRIOR / usual_volume)
    volume = (base.volume_mass + LONG_PRIOR) / (time + LONG_PRIOR / usual_volume)
    negative = (base.negative_mass + LONG_PRIOR) / (time + LONG_PRIOR / usual_negative)
    evidence = base.negative_mass + np.minimum(base.long_negative + pooled, LONG_PRIOR)
    volume_evidence = base.volume_mass + np.minimum(base.long_volume, LONG_PRIOR)
    doubt = _season_doubt(base, slot)
    return Forecast(
        negative_mean=np.maximum(negative * season, 1e-9),
        negative_spread=_spread(base.negative_spread, base.negative_weight) + 1 / (evidence + 0.5) + doubt,
        volume_mean=np.maximum(volume * season, 1e-9),
        volume_spread=_spread(base.volume_spread, base.volume_weight) + 1 / (volume_evidence + 0.5) + doubt,
        share=_share(base),
        share_evidence=base.share_total + SHARE_PRIOR,
    )


def _season_doubt(base: Baseline, slot: int) -> float:
    """Relative variance left in the profile of this day of the week; vanishes once the day has been seen."""
    hours = _hours(len(base.season_mass))
    seen = float(base.season_mass.reshape(-1, hours)[slot // hours].sum())
    return UNSEEN_DAY_SPREAD * SEASON_MARGIN_PRIOR / (seen + SEASON_MARGIN_PRIOR)


def _pooled_share(base: Baseline) -> float:
    return float((base.share_negative.sum() + 1.0) / (base.share_total.sum() + 4.0))


def _share(base: Baseline) -> Array:
    pooled = _pooled_share(base)
    share: Array = (base.share_negative + SHARE_PRIOR * pooled) / (base.share_total + SHARE_PRIOR)
    return np.asarray(np.clip(share, 0.005, 0.9))


def _spread(sums: Array, weights: Array) -> Array:
    """Over-dispersion per topic: its own moment estimate shrunk towards the pooled one (source: Farrington 1996)."""
    pooled = float(np.clip(sums.sum() / max(weights.sum(), 1e-9), SPREAD_LOW, SPREAD_HIGH)) if weights.any() else 0.15
    own = (sums + SPREAD_PRIOR * pooled) / (weights + SPREAD_PRIOR)
    return np.asarray(np.clip(own, SPREAD_LOW, SPREAD_HIGH))


def absorb(
    base: Baseline,
    negatives: Array,
    documents: Array,
    slot: int,
    exposure: float,
    keep: Keep,
    clip: NDArray[np.bool_],
) -> Baseline:
    """Learn one bucket.

    Args:
        keep: discounts of the past; a topic whose `keep.rate` is 1 learns nothing.
        clip: [K], where counts far above the forecast are cut to mean + 4 sd, but never below 3: a lower cut would
            take from a thin topic the only stories it has.
    """
    learns = keep.rate < 1.0
    now = forecast(base, slot, exposure)
    x = np.where(clip, _cut(negatives, now.negative_mean, now.negative_spread), negatives) * learns
    n = np.where(clip, _cut(documents, now.volume_mean, now.volume_spread), documents) * learns
    return replace(
        base,
        negative_mass=base.negative_mass * keep.rate + x,
        volume_mass=base.volume_mass * keep.rate + n,
        exposure=base.exposure * keep.rate + base.profile[:, slot] * exposure * learns,
        long_negative=base.long_negative * keep.long + x,
        long_volume=base.long_volume * keep.long + n,
        long_exposure=base.long_exposure * keep.long + base.profile[:, slot] * exposure * learns,
        share_negative=np.where(learns, base.share_negative * keep.share + np.minimum(x, n), base.share_negative),
        share_total=np.where(learns, base.share_total * keep.share + n, base.share_total),
        **_learn_season(base, n, slot, exposure, keep.season, learns),
        **_learn_spread(base, x, n, now, keep.share, learns),
    )


def _learn_season(
    base: Baseline, n: Array, slot: int, exposure: float, keep: float, learns: NDArray[np.bool_]
) -> dict[str, Array]:
    """Stories and time seen per slot. Time counts only for the part of the volume that learns, so a frozen topic
    does not look like a quiet hour."""
    level = base.volume_mass / np.maximum(base.exposure, 1e-9)
    part = 1.0 if learns.all() else float((level * learns).sum() / max(level.sum(), 1e-9))
    mass, time = base.season_mass.copy(), base.season_time.copy()
    mass[slot] = mass[slot] * keep + n.sum()
    time[slot] = time[slot] * keep + exposure * part
    hour = slot % _hours(len(mass))
    hour_mass, hour_time = base.hour_mass.copy(), base.hour_time.copy()
    discount = np.where(learns, keep, 1.0)
    hour_mass[:, hour] = hour_mass[:, hour] * discount + n
    hour_time[:, hour] = hour_time[:, hour] * discount + exposure * learns
    return {"season_mass": mass, "season_time": time, "hour_mass": hour_mass, "hour_time": hour_time}


def _cut(counts: Array, mean: Array, spread: Array) -> Array:
    return np.asarray(np.minimum(counts, np.maximum(np.ceil(mean + 4 * np.sqrt(mean + spread * mean**2)), 3.0)))


def _learn_spread(
    base: Baseline, x: Array, n: Array, now: Forecast, keep: Array, learns: NDArray[np.bool_]
) -> dict[str, Array]:
    """Moment sums: E[(x - mean)^2 - x] = v mean^2, each bucket weighted by 1 / its variance."""

    def sums(counts: Array, mean: Array, old: Array, old_weight: Array) -> tuple[Array, Array]:
        noise = mean + 0.3 * mean**2 + 0.05
        value, weight = ((counts - mean) ** 2 - mean) / noise, mean**2 / noise
        return np.where(learns, old * keep + value, old), np.where(learns, old_weight * keep + weight, old_weight)

    spread, weight = sums(x, now.negative_mean, base.negative_spread, base.negative_weight)
    volume, volume_weight = sums(n, now.volume_mean, base.volume_spread, base.volume_weight)
    return {
        "negative_spread": spread,
        "negative_weight": weight,
        "volume_spread": volume,
        "volume_weight": volume_weight,
    }


def refreshed(base: Baseline) -> Baseline:
    """Recompute the season profile [K, S] from its sums; call once a day."""
    slots, hours = len(base.season_mass), _hours(len(base.season_mass))
    mass, time = base.season_mass.reshape(-1, hours), base.season_time.reshape(-1, hours)
    if not mass.any():
        return base
    expected = time * (mass.sum() / time.sum())
    by_day = (mass.sum(1) + SEASON_MARGIN_PRIOR) / (expected.sum(1) + SEASON_MARGIN_PRIOR)
    explained = (expected * by_day[:, None]).sum(0)
    by_hour = (mass.sum(0) + SEASON_MARGIN_PRIOR) / (explained + SEASON_MARGIN_PRIOR)
    product = by_day[:, None] * by_hour[None, :]
    pooled = (mass + SEASON_SLOT_PRIOR * product) / (expected + SEASON_SLOT_PRIOR)
    pooled = np.maximum(pooled / pooled.mean(), 0.01)
    common = base.hour_time * pooled.mean(axis=0)[None, :]
    rate = base.hour_mass.sum(1, keepdims=True) / np.maximum(common.sum(1, keepdims=True), 1e-9)
    own = (base.hour_mass + TOPIC_HOUR_PRIOR) / (common * rate + TOPIC_HOUR_PRIOR)
    own = own / own.mean(axis=1, keepdims=True)
    return replace(base, profile=pooled.reshape(1, slots) * np.tile(own, (1, slots // hours)))
