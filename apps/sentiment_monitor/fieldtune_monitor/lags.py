"""How late each source usually is, and so which stories are too late for the surge statistic (pure).

After an outage a source delivers hours of stories at once; counted where they arrive they would look like a surge.
A story counts when its delay (first seen - published) is usual for its source; the rest belongs to the charts.
One update per source and bucket, so that a single dump cannot teach that hours of delay are usual.
"""

from collections.abc import Mapping, Sequence

QUANTILE = 0.9
START = 600.0
STEP, RELATIVE_STEP = 120.0, 0.1
MARGIN = 3.0

Lags = Mapping[str, float]  # source -> 90 % quantile of its delay in seconds


def limit(lags: Lags, source: str, bucket: int) -> float:
    """Longest delay in seconds at which a story of this source still counts: 1 h to 6 h, two buckets at least."""
    usual = MARGIN * lags.get(source, START)
    return max(min(max(usual, 3600.0), 6 * 3600.0), 2.0 * bucket)


def learned(lags: Lags, seen: Mapping[str, Sequence[float]]) -> Lags:
    """The quantiles after one bucket (stochastic approximation, Robbins-Monro); `seen` holds delays by source."""
    moved = dict(lags)
    for source in sorted(seen):
        usual, delays = lags.get(source, START), seen[source]
        below = sum(delay <= usual for delay in delays) / len(delays)
        moved[source] = max(usual + max(STEP, RELATIVE_STEP * usual) * (QUANTILE - below), 0.0)
    return moved
