"""What a classifier keeps to tell foreign texts by: a few vectors of each class, and a further class that foreign rows taught."""

import numpy as np
from numpy.typing import NDArray

from fieldtune.runtime import generator
from fieldtune.train.head import Places, Vectors

MEANS = 4
"""Anchors of a class at most, and the different rows at least that each is the mean of; a class of fewer has the mean of all,
so that an anchor is a row itself only where a class has no second one."""
LOOKED_AT = 100
"""Rows of a class that its anchors are computed from, at most."""


def looked_at(targets: Places, seed: int) -> NDArray[np.int64]:
    """The rows that anchors are computed from: all of a class, or so many drawn at random; in order."""
    order = generator(seed).permutation(len(targets))
    return np.sort(np.concatenate([order[own[:LOOKED_AT]] for own in _classes(targets[order])])).astype(np.int64)


def anchors(vectors: Vectors, targets: Places, seed: int) -> Vectors:
    """K-means centres of what is :func:`looked_at` of each class, brought to unit length, float32 ``[anchors, d]``.

    Args:
        vectors: float32 ``[rows, d]``, unit vectors. targets: the class of each.
    """
    from threadpoolctl import threadpool_limits

    rows = looked_at(targets, seed)
    vectors, targets = vectors[rows], targets[rows]
    with threadpool_limits(1):  # several threads add up in an order of their own, and give other bits
        centres = np.concatenate([_centres(vectors[own], seed) for own in _classes(targets)])
    return np.asarray(centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _centres(own: Vectors, seed: int) -> Vectors:
    """Of the different rows of one class: a row that comes often is no mean of many."""
    own = np.unique(own, axis=0)
    count = min(MEANS, len(own) // MEANS)
    if count < 2:
        return np.asarray(own.mean(axis=0, keepdims=True), dtype=np.float32)
    from sklearn.cluster import KMeans

    found = KMeans(count, n_init=1, random_state=seed).fit(own)
    shared = np.bincount(found.labels_, minlength=count) >= MEANS
    centres = found.cluster_centers_[shared] if shared.any() else own.mean(axis=0, keepdims=True)
    return np.asarray(centres, dtype=np.float32)


def _classes(targets: Places) -> list[NDArray[np.int64]]:
    """The places of each class's rows, in order; sorted once, since classes may be very many."""
    order = np.argsort(targets, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(targets[order])) + 1)


def parted(weight: Vectors, bias: Vectors, classes: int) -> tuple[Vectors, Vectors, Vectors | None]:
    """A head's weight and bias of the classes, and both of the class behind them, which foreign rows taught, in one."""
    foreign = np.append(weight[classes], bias[classes]) if len(weight) > classes else None
    return weight[:classes], bias[:classes], foreign
