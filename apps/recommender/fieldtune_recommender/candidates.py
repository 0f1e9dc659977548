"""The few hundred items worth scoring: the union of the best of each source.

A source that finds little costs little, because the union is without repetition. Knows nothing of the ranker.
"""

from collections.abc import Mapping

import numpy as np

from fieldtune_recommender.records import Floats, Taste
from fieldtune_recommender.snapshot import WINDOWS, Snapshot

#: How many of each popularity window; recent windows matter most.
POPULAR: Mapping[float, int] = {0.01: 120, 0.03: 150, 0.1: 120, 0.3: 40, 1.0: 40}
#: How many of each signal that the world gives; a missing signal is skipped.
PERSONAL: Mapping[str, int] = {
    "together_last": 120,
    "together_recency": 120,
    "together_now": 80,
    "near_faded": 100,
    "near_last": 80,
    "words": 80,
    "words_last": 80,
    "learnt": 100,
    "learnt_last": 60,
}


def gather(taste: Taste, snapshot: Snapshot, found: Mapping[str, Floats]) -> np.ndarray:
    """int32[c] ascending: items to rank, without those seen or not yet known at the snapshot's time."""
    allowed = snapshot.known.copy()
    allowed[taste.seen] = False
    chosen = np.zeros(len(allowed), bool)
    for window, share in zip(WINDOWS, snapshot.popularity, strict=True):
        chosen[top(share, POPULAR[window], allowed)] = True
    for name, count in PERSONAL.items():
        if name in found:
            chosen[top(found[name], count, allowed & (found[name] > 0))] = True
    return np.flatnonzero(chosen).astype(np.int32)


def top(values: Floats, count: int, allowed: np.ndarray) -> np.ndarray:
    """Positions of the `count` largest allowed values, largest first; the earlier item wins a tie."""
    pool = np.flatnonzero(allowed) if count > 0 else np.zeros(0, np.intp)
    if len(pool) > count:
        kept = np.partition(values[pool], len(pool) - count)[len(pool) - count]
        above, ties = pool[values[pool] > kept], pool[values[pool] == kept]
        pool = np.concatenate([above, ties[: count - len(above)]])
    return pool[np.lexsort((pool, -values[pool]))]
