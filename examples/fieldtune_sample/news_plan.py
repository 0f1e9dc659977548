"""How many stories of which tone each topic has in each hour, and what is planted in it (pure).

Rates: volume classes x a Gamma level per topic x a slow drift x an hour-of-week profile; counts are negative-binomial
(dispersion .15) and the negative share is beta-binomial (concentration 40).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError

Array = NDArray[np.float64]
Counts = NDArray[np.int64]  # [topics, hours, 3 tones: negative, neutral, positive]

VOLUME_CLASSES = (4.0, 4.0, 3.0, 2.4, 2.0, 2.0, 1.5, 1.5, 1.2, 0.8, 0.5, 0.4)  # stories an hour before scaling
DISPERSION, CONCENTRATION = 0.15, 40.0
DRIFT_DAYS, DRIFT_FACTOR = 21, 1.25
HOURS = (.22, .19, .18, .18, .20, .28, .50, .95, 1.45, 1.75, 1.80, 1.65,
         1.30, 1.45, 1.65, 1.60, 1.50, 1.35, 1.15, .95, .75, .55, .40, .28)  # fmt: skip
WEEKDAYS = (1.10, 1.15, 1.15, 1.12, 1.00, 0.62, 0.58)  # Monday first; together a swing of about 20


@dataclass(frozen=True)
class Window:
    """Something planted: hours [start, end) from the first hour. `kind`: surge, volume, copies, drift or outage."""

    kind: str
    topic: int  # -1: all topics
    start: int
    end: int
    factor: float


def profile(days: int) -> Array:
    """Hour-of-week profile over `days` days from a Monday, mean 1 over a whole week; shape [days * 24]."""
    week = np.outer(WEEKDAYS, HOURS).ravel()
    return np.asarray(np.resize(week / week.mean(), days * 24), dtype=np.float64)


def rates(topics: int, days: int, rng: np.random.Generator) -> Array:
    """Expected stories [topics, hours] before planting, unscaled: class x Gamma level x slow drift x profile."""
    classes = np.resize(VOLUME_CLASSES, topics)
    level = rng.permutation(classes) * rng.gamma(60, 1 / 60, topics)
    steps = rng.normal(0, 0.05, (topics, days)).cumsum(axis=1)
    drift = np.exp(np.clip(steps - steps.mean(axis=1, keepdims=True), -0.35, 0.35))
    return np.asarray(level[:, None] * np.repeat(drift, 24, axis=1) * profile(days), dtype=np.float64)


def _starts(parts: int, days: int, warm_up_days: int, rng: np.random.Generator) -> list[int]:
    """One hour in the morning of a weekday in each of `parts` equal stretches after the warm-up, well apart."""
    length = (days - 3 - warm_up_days) / parts
    if length < 5:
        raise InputError(
            f"at least {5 * parts + warm_up_days + 3} days for {parts} planted windows",
            f"{days} days",
            "raise days, or lower surges or warm_up_days",
        )
    starts = []
    for part in range(parts):
        first = int(np.ceil(warm_up_days + part * length))
        near = [day for day in range(first, first + max(3, int(length) - 3)) if day % 7 < 5]
        starts.append(int(rng.choice(near)) * 24 + int(rng.integers(8, 12)))
    return starts


def plant(rate: Array, negative: Array, surges: int, warm_up_days: int, rng: np.random.Generator) -> list[Window]:
    """`surges` surges on distinct topics among the fuller ones, then the four decoys.

    rate [topics, hours] expected stories, negative [topics] share. Thin topics get the stronger surges, so that
    about ten negative stories are expected in the first six hours where x8 can give them.
    """
    topics, hours = rate.shape
    if not 0 < surges < topics:
        raise InputError(f"between 1 and {topics - 1} surges", str(surges), "one topic has one surge at most")
    fullest = np.argsort(-rate.mean(axis=1))
    quiet = int(fullest[surges])  # the fullest topic without a surge carries the drift
    starts = _starts(surges + 3, hours // 24, warm_up_days, rng)
    order = [int(part) for part in rng.permutation(surges + 3)]
    windows = []
    for part, topic in zip(order, rng.permutation(fullest[:surges]).tolist(), strict=False):
        start = starts[part]
        expected = float(rate[topic, start : start + 6].sum() * negative[topic])
        factor = float(np.clip(max(rng.uniform(4, 8), 10 / expected), 4, 8))
        windows.append(Window("surge", topic, start, start + int(rng.integers(8, 25)), round(factor, 2)))
    volume, copies, outage = (starts[part] for part in order[surges:])
    loud = int(rng.choice(fullest[:surges][: max(1, surges // 2)]))
    drift = int(rng.integers(warm_up_days, max(warm_up_days + 1, hours // 24 - DRIFT_DAYS))) * 24
    return [
        *windows,
        Window("volume", loud, volume, volume + 12, 5.0),
        Window("copies", int(fullest[-1]), copies, copies + 3, 25.0),
        Window("drift", quiet, drift, min(hours, drift + DRIFT_DAYS * 24), DRIFT_FACTOR),
        Window("outage", -1, outage, outage + 10, 0.0),
    ]


def expectation(rate: Array, shares: Array, windows: Sequence[Window]) -> Array:
    """Expected stories [topics, hours, tones]: `rate` split by `shares` [topics, tones], times what is planted."""
    expected = rate[:, :, None] * shares[:, None, :]
    for window in windows:
        span = slice(window.start, window.end)
        if window.kind == "surge":
            expected[window.topic, span, 0] *= window.factor
        elif window.kind == "volume":
            expected[window.topic, span] *= window.factor
        elif window.kind == "drift":
            ramp = np.linspace(1, window.factor, window.end - window.start)
            moved = expected[window.topic, span, 0] * (ramp - 1)
            expected[window.topic, span, 0] += moved  # tone drifts, volume does not
            expected[window.topic, span, 1] -= moved
            after = expected[window.topic, window.end :, 0] * (window.factor - 1)
            expected[window.topic, window.end :, 0] += after
            expected[window.topic, window.end :, 1] -= after
    return expected


def draw(expected: Array, rng: np.random.Generator) -> Counts:
    """Counts [topics, hours, tones]: Gamma-Poisson volume, beta noise on the negative share."""
    volume = rng.gamma(1 / DISPERSION, DISPERSION, expected.shape[:2])
    total = expected.sum(axis=2)
    share = np.clip(expected[:, :, 0] / total, 1e-6, 1 - 1e-6)
    noisy = rng.beta(CONCENTRATION * share, CONCENTRATION * (1 - share))
    means = expected * volume[:, :, None]
    rest = (1 - noisy) / (1 - share)
    means = np.concatenate([(means.sum(axis=2) * noisy)[:, :, None], means[:, :, 1:] * rest[:, :, None]], axis=2)
    return rng.poisson(means).astype(np.int64)


def findable(counts: Counts, window: Window, stories: int = 4, within: int = 6) -> bool:
    """Whether some `within` hours of the window hold at least `stories` distinct negative stories."""
    negative = counts[window.topic, window.start : window.end, 0]
    return bool(np.convolve(negative, np.ones(within, dtype=np.int64)).max() >= stories)


def counts(expected: Array, windows: Sequence[Window], rng: np.random.Generator, tries: int = 200) -> Counts:
    """`draw`, and a window's hours again while its surge is too thin to be found by anyone."""
    drawn = draw(expected, rng)
    for window in (window for window in windows if window.kind == "surge"):
        span = slice(window.start, window.end)
        for _ in range(tries):
            if findable(drawn, window):
                break
            drawn[window.topic, span] = draw(expected[window.topic : window.topic + 1, span], rng)[0]
    return drawn


def shares(topics: int, rng: np.random.Generator) -> Array:
    """Tone mix [topics, tones]: 15-20 % negative, 25-35 % positive, the rest neutral."""
    negative, positive = rng.uniform(0.15, 0.20, topics), rng.uniform(0.25, 0.35, topics)
    return np.column_stack([negative, 1 - negative - positive, positive])
