"""Item-kNN: which items the same people liked. Sparse from end to end, never users x items dense.

Knows nothing of texts or of the order of a list.
"""

import numpy as np
from scipy import sparse

from fieldtune_recommender.records import LONGEST, Flags, Floats, Log, Taste

NEIGHBOURS = 100
SHRINKAGE = 5.0
ENTRIES = 20_000_000
"""Most entries of items x items held at once, whoever liked how much: some 250 MB."""


def matrix(log: Log, n_users: int, n_items: int) -> sparse.csr_matrix:
    """float32 users x items: the strongest liked event of each pair, of the latest LONGEST items of each user."""
    liked = log.rows(log.weights > 0)
    key = liked.users.astype(np.int64) * n_items + liked.items
    order = np.argsort(key, kind="stable")  # by user, item and time
    start = np.flatnonzero(np.diff(key[order], prepend=-1))
    last = order[np.append(start[1:], len(order))[: len(start)] - 1]
    users, items = liked.users[last], liked.items[last]
    strongest = np.maximum.reduceat(liked.weights[order], start) if len(start) else np.zeros(0, np.float32)
    kept = _latest(users, last)
    return sparse.csr_matrix((strongest[kept], (users[kept], items[kept])), shape=(n_users, n_items))


def _latest(users: np.ndarray, last: np.ndarray) -> Flags:
    """Which pairs are among the latest LONGEST of their user: pairs grow with the square of a history.

    Args:
        users: int[p], ascending. last: int[p], the row of each pair's last event.
    """
    rank = np.empty(len(users), np.int64)
    rank[np.lexsort((-last, users))] = np.arange(len(users)) - np.searchsorted(users, users)
    return rank < LONGEST


def neighbours(likes: sparse.csr_matrix, top: int = NEIGHBOURS, shrinkage: float = SHRINKAGE) -> sparse.csr_matrix:
    """Cosine between item columns, damped for rare items, the `top` nearest of each item kept.

    Source: Deshpande and Karypis 2004 (item-based top-N), shrinkage after Koren 2008.

    Returns:
        float32 items x items; row i holds what follows from having liked i. The diagonal is empty.
    """
    ones = sparse.csr_matrix((np.ones_like(likes.data), likes.indices, likes.indptr), likes.shape)
    by_item = ones.T.tocsr()
    counts = np.diff(by_item.indptr).astype(np.float32)
    size = max(ENTRIES // max(len(counts), 1), 1)
    blocks = []
    for start in range(0, len(counts), size):
        together = (by_item[start : start + size] @ ones).tocsr()
        together.sort_indices()
        rows = start + np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
        together.data /= np.sqrt(counts[rows] * counts[together.indices]) + np.float32(shrinkage)
        together.data[rows == together.indices] = 0
        together.eliminate_zeros()
        blocks.append(keep_largest(together, top))
    return sparse.vstack(blocks, format="csr", dtype=np.float32)


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
