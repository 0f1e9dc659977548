"""The few best of many scores, without sorting them all. Pure."""

import numpy as np
from numpy.typing import NDArray


def highest(scores: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """Places of the ``k`` highest scores, int64 ``[min(k, n)]``, highest first; of equal ones the earlier.

    Args:
        scores: ``[n]``, no NaN among them.
    """
    if k <= 0:
        return np.zeros(0, np.int64)
    if k >= len(scores):
        return np.argsort(-scores, kind="stable").astype(np.int64)
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, ties = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    found = np.concatenate([above, ties[: k - len(above)]])
    return found[np.argsort(-scores[found], kind="stable")].astype(np.int64)
