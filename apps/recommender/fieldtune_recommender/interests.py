"""Many interests instead of one mean: similarity to the few nearest items of a history.

The mean of a history loses three quarters of the accuracy (nDCG@10 .012 against .043 on goodbooks with the
same frozen vectors), so no function here averages vectors. Knows nothing of where the vectors come from.
"""

import numpy as np

from fieldtune_recommender.records import LONGEST, Floats, Log, Taste

RECENT = 30
HALF_LIFE = 20.0


def tastes(log: Log, users: np.ndarray, n_users: int) -> list[Taste]:
    """What `log` says of each user.

    Args:
        log: the events strictly before the moment of the list.
        users: int[u], whose tastes are wanted; a number at or above `n_users` has no history.
        n_users: how many users the log's numbers go up to.
    """
    order = np.argsort(log.users, kind="stable")
    starts = np.searchsorted(log.users[order], np.arange(n_users + 1))
    total = max(len(log), 1)
    result = []
    for user in users:
        rows = order[starts[user] : starts[user + 1]] if 0 <= user < n_users else order[:0]
        result.append(_one(log, rows, total))
    return result


def _one(log: Log, rows: np.ndarray, total: int) -> Taste:
    """The last word on an item decides whether it is liked; the strongest event, how much."""
    seen, place = np.unique(log.items[rows], return_inverse=True)
    last, strongest = np.zeros(len(seen), np.intp), np.zeros(len(seen), np.float32)
    np.maximum.at(last, place, np.arange(len(rows)))
    np.maximum.at(strongest, place, log.weights[rows])
    refused = log.weights[rows[last]] < 0
    liked = np.flatnonzero(~refused & (strongest > 0))
    liked = liked[np.argsort(last[liked])][-LONGEST:]
    ages = ((total - 1 - rows[last[liked]]) / total).astype(np.float32)
    return Taste(seen[liked], strongest[liked], ages, seen[refused], seen)


def recency(length: int, half_life: float = HALF_LIFE) -> Floats:
    """float32[length], oldest first: 1 for the last, half of it `half_life` events earlier."""
    return np.asarray(np.exp2(-np.arange(length - 1, -1, -1) / half_life), np.float32)


def mean_of_largest(values: Floats, k: int) -> Floats:
    """Mean of the k largest of each column of values[h, n]; of all of them where h < k."""
    if len(values) <= k:
        return np.asarray(values.mean(axis=0), np.float32)
    return np.asarray(np.partition(values, len(values) - k, axis=0)[-k:].mean(axis=0), np.float32)
