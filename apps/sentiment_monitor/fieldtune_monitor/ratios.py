"""Likelihood ratios of surges, and intervals of what is usual (pure).

Negative binomial in mean and relative variance v (variance = mean + v mean^2), beta-binomial in share and concentration.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln

Array = NDArray[np.float64]


def count_ratio(counts: Array, mean: Array, spread: Array, effects: tuple[float, ...], zone: float) -> Array:
    """ln LR of rate m * mean against zone * mean, negative binomial with size r = 1 / spread.

    counts, mean, spread are [K]; the result is [K, M] for M effects m. It rises with the count, so a null rate below
    zone * mean gives fewer alarms, never more.
    """
    m = np.asarray(effects)[None, :]
    r, mu, x = 1.0 / spread[:, None], mean[:, None], counts[:, None]
    return x * np.log(m * (r + zone * mu) / (zone * (r + m * mu))) - r * np.log((r + m * mu) / (r + zone * mu))


def share_ratio(
    negatives: Array,
    documents: Array,
    share: Array,
    evidence: Array,
    effects: tuple[float, ...],
    zone: float,
    concentration: float,
) -> Array:
    """ln LR of negatives among documents at m times the baseline odds against zone times, beta-binomial. [K, M]

    share [K] is the baseline, evidence [K] the stories it rests on: an uncertain baseline widens the distribution.
    Without documents it is 0.
    """
    x, n = np.minimum(negatives, documents), documents
    ratio = np.zeros((len(n), len(effects)))
    seen = np.flatnonzero(n > 0)
    if len(seen) == 0:
        return ratio
    x, n = x[seen, None], n[seen, None]
    odds = (share / (1 - share))[seen, None]
    c = 1.0 / (1.0 / concentration + 1.0 / evidence[seen, None])
    tried = odds * np.array([zone, *effects])[None, :]
    p = tried / (1 + tried)
    log_p = betaln(x + c * p, n - x + c * (1 - p)) - betaln(c * p, c * (1 - p))
    ratio[seen] = log_p[:, 1:] - log_p[:, :1]
    return ratio


def calm(counts: Array, mean: Array, spread: Array, quantile: float) -> NDArray[np.bool_]:
    """Whether each count lies at or below that quantile of its negative binomial. [K]"""
    r = 1.0 / spread
    below = betainc(r, np.maximum(counts, 1.0), r / (r + mean))  # P(X <= x - 1)
    return np.asarray((counts == 0) | (below < quantile))


def mixture(log_r: Array) -> Array:
    """ln of the mean of R over effects. [K]"""
    top = np.maximum(log_r.max(axis=1), -700.0)
    return np.asarray(top + np.log(np.exp(log_r - top[:, None]).mean(axis=1) + 1e-300))


def variance(mean: Array, spread: Array) -> Array:
    """Variance of counts; those of several buckets add up, their relative variances do not."""
    return np.asarray(mean + spread * mean**2)


def interval(mean: float, variance: float, cover: float = 0.9) -> tuple[int, int]:
    """Smallest and largest count inside the central `cover` of a negative binomial. For display and alerts.

    Args:
        mean, variance: of one bucket, or summed over a window.
    """
    mean = max(mean, 1e-6)
    tail, r = (1 - cover) / 2, 1.0 / max((variance - mean) / mean**2, 1e-6)
    return _quantile(tail, r, mean), _quantile(1 - tail, r, mean)


def _quantile(q: float, r: float, mean: float) -> int:
    low, high = -1, 1
    while betainc(r, high + 1.0, r / (r + mean)) < q:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if betainc(r, middle + 1.0, r / (r + mean)) >= q else (middle, high)
    return high
