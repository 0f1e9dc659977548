"""Item-kNN: which items the same people liked. Sparse from end to end, never users x items dense.

Knows nothing of texts or of the order of a list.
"""

import numpy as np
from scipy import sparse

from fieldtune_recommender.records import Floats, Log, Taste

NEIGHBOURS = 100
SHRINKAGE = 5.0


def matrix(log: Log, n_users: int, n_items: int) -> sparse.csr_matrix:
    """float32 users x items: the strongest liked event of each pair."""
    liked = log.weights > 0
    users, items, weights = log.users[liked], log.items[liked], log.weights[liked]
    order = np.lexsort((-weights, items, users))
    key = users[order].astype(np.int64) * n_items + items[order]
    first = order[np.flatnonzero(np.diff(key, prepend=-1))]
    return sparse.csr_matrix(
        (weights[first].astype(np.float32), (users[first], items[first])), shape=(n_users, n_items)
    )


def neighbours(likes: sparse.csr_matrix, top: int = NEIGHBOURS, shrinkage: float = SHRINKAGE) -> sparse.csr_matrix:
    """Cosine between item columns, damped for rare items, the `top` nearest of each item kept.

    Source: Deshpande and Karypis 2004 (item-based top-N), shrinkage after Koren 2008.

    Returns:
        float32 items x items; row i holds what follows from having liked i. The diagonal is empty.
    """
    ones = sparse.csr_matrix((np.ones_like(likes.data), likes.indices, likes.indptr), likes.shape)
    together = (ones.T @ ones).tocsr()
    counts = together.diagonal()
    together.setdiag(0)
    together.eliminate_zeros()
    rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
    together.data /= np.sqrt(counts[rows] * counts[together.indices]) + np.float32(shrinkage)
    return keep_largest(together, top)


def keep_largest(table: sparse.csr_matrix, top: int) -> sparse.csr_matrix:
    """The `top` largest entries of every row; the earlier column wins a tie."""
    keep = np.zeros(len(table.data), bool)
    for row in range(table.shape[0]):
        low, high = table.indptr[row], table.indptr[row + 1]
        values = table.data[low:high]
        best = np.argsort(-values, kind="stable")[:top] if high - low > top else np.arange(high - low)
        keep[low + best] = True
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))[keep]
    return sparse.csr_matrix((table.data[keep], (rows, table.indices[keep])), shape=table.shape)


def scores(taste: Taste, table: sparse.csr_matrix, weights: Floats) -> Floats:
    """float32[n]: sum over the liked items of weight x similarity."""
    if not len(taste.items):
        return np.zeros(table.shape[1], np.float32)
    return np.asarray(table[taste.items].T @ weights, np.float32)
