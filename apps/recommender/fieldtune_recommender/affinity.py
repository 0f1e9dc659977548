"""Which words go with which, learnt from what people liked one after the other: binoculars with plumage, 茶壶 with teapot.

A linear text-to-text model that any language can use and one second can train: for terms a and b the logarithm of
how much oftener than chance they meet in items liked by the same user (positive pointwise mutual information,
Church and Hanks 1990, over item pairs instead of neighbouring words). It carries to items nobody has touched yet.
Knows terms as column numbers, not language.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fieldtune_recommender import pairs
from fieldtune_recommender.covisits import keep_largest
from fieldtune_recommender.records import Floats, Log

TERMS = 4000
EVENTS = 100_000
REACH = 20
PARTNERS = 80
DAMPING = 1.5


@dataclass(frozen=True, slots=True)
class Affinity:
    """Affinity of terms, and the items in those terms.

    Attributes:
        table: float32 terms x terms, the strongest partners of each term.
        items: float32 items x terms, rows of unit length; empty for an item without a known term.
    """

    table: sparse.csr_matrix
    items: sparse.csr_matrix


def learn(log: Log, weights: sparse.csr_matrix) -> Affinity:
    """Learn from the latest events of a log; a function of that log alone.

    Args:
        log: events strictly before the moment of the list.
        weights: items x terms of the lexicon; only which terms an item has is used.
    """
    present = _unit(_common(weights))
    liked = log.rows(log.weights > 0)
    both, strength = pairs.following(liked.rows(slice(max(len(liked) - EVENTS, 0), len(liked))), REACH)
    n = present.shape[0]
    links = sparse.csr_matrix((strength, (both[:, 0], both[:, 1])), shape=(n, n))
    links = links + links.T
    links = _damped(sparse.csr_matrix(links))
    mass = np.asarray(links.sum(axis=1)).ravel()
    found = sparse.coo_matrix(present.T @ (links @ present))
    if not found.nnz:
        return Affinity(sparse.csr_matrix((present.shape[1], present.shape[1]), dtype=np.float32), present)
    share = np.asarray(present.T @ mass).ravel()
    expected = share[found.row] * share[found.col] / mass.sum()
    doubt = DAMPING * expected.mean()
    lift = np.log((found.data + doubt) / (expected + doubt))
    kept = lift > 0
    table = sparse.csr_matrix((lift[kept].astype(np.float32), (found.row[kept], found.col[kept])), shape=found.shape)
    return Affinity(keep_largest(table, PARTNERS), present)


def scores(affinity: Affinity, items: np.ndarray, weights: Floats) -> Floats:
    """float32[n]: how well the words of each item go with the words of a weighted history."""
    if not len(items):
        return np.zeros(affinity.items.shape[0], np.float32)
    asked = sparse.csr_matrix(weights[None, :].astype(np.float32)) @ affinity.items[items]
    wanted = np.asarray((asked @ affinity.table).todense(), np.float32).ravel()
    return np.asarray(affinity.items @ wanted, np.float32)


def _common(weights: sparse.csr_matrix) -> sparse.csr_matrix:
    """The terms that at least two items share, the most frequent TERMS of them; which items have them, as ones."""
    frequency = np.bincount(weights.indices, minlength=weights.shape[1])
    order = np.lexsort((np.arange(len(frequency)), -frequency))[:TERMS]
    chosen = np.sort(order[frequency[order] >= 2])
    present = sparse.csr_matrix(weights[:, chosen], dtype=np.float32, copy=True)
    present.data = np.ones_like(present.data)
    return present


def _unit(present: sparse.csr_matrix) -> sparse.csr_matrix:
    length = np.sqrt(np.maximum(np.diff(present.indptr), 1)).astype(np.float32)
    return sparse.csr_matrix(sparse.diags(1 / length) @ present, dtype=np.float32)


def _damped(links: sparse.csr_matrix) -> sparse.csr_matrix:
    """Popular items held down: each link divided by the root of both ends' mass."""
    mass = np.asarray(links.sum(axis=1)).ravel()
    root = sparse.diags(1 / np.sqrt(np.maximum(mass, 1e-9)))
    return sparse.csr_matrix(root @ links @ root)
