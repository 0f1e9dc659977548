"""Maximal marginal relevance: a list that is good and not the same thing ten times.

Pure, incremental: each pick updates every candidate's similarity to the picked ones with one product, so a
list of k out of n costs k * n * d. Knows nothing of what the vectors stand for.
"""

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError


def mmr(relevance: NDArray[np.floating], vectors: NDArray[np.floating], k: int, balance: float) -> NDArray[np.int64]:
    """Pick `k` candidates, each maximising balance * relevance - (1 - balance) * highest similarity to a pick.

    Args:
        relevance: score per candidate, float[n], on a scale comparable with a cosine.
        vectors: unit-length vectors, float[n, d].
        k: how many to pick; fewer when n is smaller.
        balance: 1 is relevance alone, 0 diversity alone.

    Returns:
        Positions in the order picked, int64[min(k, n)]; ties go to the smaller position.

    Source: Carbonell and Goldstein 1998.
    """
    if not 0.0 <= balance <= 1.0:
        raise InputError("a balance from 0 to 1", str(balance), "use 1 for relevance alone, 0 for diversity alone")
    worth = balance * np.asarray(relevance, np.float64)
    closest = np.zeros(len(worth))
    free = np.ones(len(worth), bool)
    picked: list[int] = []
    for step in range(min(k, len(worth))):
        gain = np.where(free, worth - (1.0 - balance) * closest, -np.inf)
        best = int(np.argmax(gain))
        picked.append(best)
        free[best] = False
        similarity = np.asarray(vectors @ vectors[best], np.float64)
        closest = similarity if step == 0 else np.maximum(closest, similarity)
    return np.asarray(picked, np.int64)
