"""Is a difference more than luck? Bootstrap intervals and a permutation test over the rows of one test set.

Knows nothing of what was measured. It speaks of other rows like these, not of other seeds or other data.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fieldtune.errors import InputError

_CELLS = 4_000_000
"""Numbers drawn at once: bounds memory at some 64 MB whatever the number of rows."""


class Interval(NamedTuple):
    """A mean with the ends of its interval, of 95 % unless another level was asked for."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def bootstrap(values: ArrayLike, rng: np.random.Generator, draws: int = 2000, *, level: float = 0.95) -> Interval:
    """Percentile bootstrap (Efron 1979) of the mean of `values` [n]; rows are drawn with replacement.

    Args:
        level: how often an interval made like this holds the true mean, 0 to 1.

    Raises:
        InputError: no values, or one that is not a finite number.
    """
    rows = _rows(values, "values")
    size = max(1, _CELLS // len(rows))
    parts = [
        rows[rng.integers(0, len(rows), size=(min(size, draws - done), len(rows)))].mean(axis=1)
        for done in range(0, draws, size)
    ]
    low, high = np.percentile(np.concatenate(parts), [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(rows.mean()), float(low), float(high))


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, rng: np.random.Generator, draws: int = 2000, *, level: float = 0.95
) -> Interval:
    """Interval of mean(a - b), where a[i] and b[i] [n] were measured on the same row i.

    Above 0 throughout: a is better (when higher is better). Raises InputError as `bootstrap`, or when the
    lengths differ.
    """
    left, right = _rows(a, "a"), _rows(b, "b")
    if len(left) != len(right):
        raise InputError(
            "the same rows on both sides of a paired comparison",
            f"{len(left)} and {len(right)} values",
            "score both on the same held-out rows",
        )
    return bootstrap(left - right, rng, draws, level=level)


def chance_of_gain(a: ArrayLike, b: ArrayLike, rng: np.random.Generator, draws: int = 9999) -> float:
    """One-sided p of mean(a - b) > 0 by the paired permutation test (Fisher 1935): the share of sign changes of the
    differences that gain as much. Exact up to 12 rows that differ, where the bootstrap is sure too soon.

    Args:
        a, b: as in `paired_bootstrap`; rows that are equal say nothing either way.
        draws: of signs, where there are too many to try all.
    """
    from scipy.stats import permutation_test

    gains = _rows(a, "a") - _rows(b, "b")
    if not gains.any():
        return 1.0
    gains = np.append(gains[gains != 0], 0.0)  # scipy wants two values; a zero has no sign, so it changes nothing
    batch = max(1, _CELLS // len(gains))
    test = permutation_test((gains,), np.mean, vectorized=True, permutation_type="samples", n_resamples=draws,
                            batch=batch, alternative="greater", rng=rng)  # fmt: skip
    return float(test.pvalue)


def wilson(hits: float, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """95 % interval of a share of independent rows (Wilson 1927); (0, 1) without rows."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = hits / n, z * z
    middle, half = p + z2 / (2 * n), z * float(np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)))
    return max((middle - half) / (1 + z2 / n), 0.0), min((middle + half) / (1 + z2 / n), 1.0)


def _rows(values: ArrayLike, name: str) -> NDArray[np.float64]:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 1 or not len(rows) or not np.isfinite(rows).all():
        raise InputError(
            "at least one row, each a finite number",
            f"{name} of shape {rows.shape}, {int((~np.isfinite(rows)).sum())} not finite",
            "leave out rows that have no score",
        )
    return rows
