"""Pseudo-labels for unlabelled rows: labels spread over the graph of nearest neighbours, and a head on both.

Label spreading of Zhou et al. 2003 ("Learning with local and global consistency"), each class scaled to the same mass
(Zhu, Ghahramani and Lafferty 2003). Whether it helps here is found out on the labelled rows themselves, see
:func:`helps`. Knows vectors, not texts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.data.split import folds
from fieldtune.train.head import Places, Vectors, both_classes, fitting

NEIGHBOURS = 10
_SPREAD = 0.99  # share of a row's belief that comes from its neighbours in each turn
_TURNS = 50
_WIDTH = 0.1  # cosine distance over which a neighbour's weight falls by e
_AT_ONCE = 1024
_LEAST = 100
_TRIED = 10_000  # unknown rows that say whether such rows help; of fewer than there are, they seem to help less


def spread(known: Vectors, targets: Places, unknown: Vectors, classes: int) -> NDArray[np.float32]:
    """How much each unknown row belongs to each class, float32 ``[unknown, classes]``, rows summing to one.

    Args:
        known, unknown: unit vectors, ``[n, d]`` and ``[m, d]``; memory grows with n + m, not with its square.
        targets: the class of each known row.
    """
    graph = _graph(np.vstack([known, unknown]))
    start = np.zeros((len(known) + len(unknown), classes), dtype=np.float32)
    start[np.arange(len(known)), targets] = 1
    belief = start
    for _ in range(_TURNS):
        belief = _SPREAD * (graph @ belief) + (1 - _SPREAD) * start
    found = belief[len(known) :]
    found = found / np.maximum(found.sum(axis=0, keepdims=True), 1e-12)
    total = found.sum(axis=1, keepdims=True)
    # A row that no label reaches belongs to all classes alike.
    return np.where(total > 0, found / np.maximum(total, 1e-30), 1 / classes).astype(np.float32)


def _graph(vectors: Vectors) -> Any:
    """Symmetric, normalised affinities of each row to its nearest neighbours, sparse ``[n, n]``."""
    from scipy.sparse import csr_matrix, diags

    count = min(NEIGHBOURS, len(vectors) - 1)
    columns, weights = [], []
    for start in range(0, len(vectors), _AT_ONCE):
        scores = vectors[start : start + _AT_ONCE] @ vectors.T
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -np.inf
        near = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        columns.append(near)
        weights.append(np.exp((np.take_along_axis(scores, near, axis=1) - 1) / _WIDTH))
    rows = np.repeat(np.arange(len(vectors)), count)
    one_way = csr_matrix(
        (np.concatenate(weights).ravel(), (rows, np.concatenate(columns).ravel())), shape=(len(vectors), len(vectors))
    )
    both = one_way.maximum(one_way.T)
    scale = diags(1 / np.sqrt(np.maximum(np.asarray(both.sum(axis=1)).ravel(), 1e-30)))
    return (scale @ both @ scale).astype(np.float32)


@fitting()
def head_with(
    known: Vectors, targets: Places, unknown: Vectors, belief: NDArray[np.float32], classes: int
) -> tuple[Vectors, Vectors]:
    """Logistic regression on known rows and on unknown ones under their likeliest class, weighted by how sure it is, squared."""
    from sklearn.linear_model import LogisticRegression

    guessed, sure = belief.argmax(axis=1), belief.max(axis=1)
    machine = LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000, tol=1e-3)
    machine.fit(
        np.vstack([known, unknown]),
        np.concatenate([targets, guessed]),
        sample_weight=np.concatenate([np.full(len(known), _WEIGHT), sure**2]),
    )
    weight, bias = both_classes(machine.coef_, machine.intercept_)
    return _all_classes(weight, bias, machine.classes_, classes)


_INVERSE_PENALTY = 10.0
_WEIGHT = 3.0  # of a row that a person labelled


def _all_classes(weight: Vectors, bias: Vectors, found: Sequence[int], classes: int) -> tuple[Vectors, Vectors]:
    """A row for every class; one that was not learnt never wins."""
    full = np.zeros((classes, weight.shape[1]), dtype=np.float32)
    least = np.full(classes, -1e9, dtype=np.float32)
    full[list(found)], least[list(found)] = weight, bias
    return full, least


def helps(
    vectors: Vectors,
    targets: Places,
    keys: Sequence[str],
    named: tuple[Vectors, Places] | None,
    unknown: Vectors,
    classes: int,
    rng: np.random.Generator,
) -> tuple[bool, dict[str, float]]:
    """Whether pseudo-labels make labelled rows that were put among the unknown ones come out surely better: three folds.

    Surely is by more than a standard error of the paired difference, on a hundred rows or more: fewer cannot show it, and
    then it is safer to do without.

    Args:
        vectors: of the labelled rows; keys: equal where two texts say the same.
        named: further rows that are always known, see :func:`fieldtune.train.head.name_rows`.
    """
    fold = folds(targets.tolist(), list(keys), 3, rng)
    unknown = unknown[rng.permutation(len(unknown))[:_TRIED]]  # a table may stand in order of its classes
    more, theirs = named if named is not None else (vectors[:0], targets[:0])
    right: dict[str, list[float]] = {"without": [], "with": []}
    for part in range(3):
        inside, outside = fold != part, fold == part
        known, given = np.vstack([vectors[inside], more]), np.concatenate([targets[inside], theirs])
        if not outside.any() or len(set(given.tolist())) < 2:
            continue
        pool = np.vstack([unknown, vectors[outside]])
        belief = spread(known, given, pool, classes)
        nothing = (pool[:0], belief[:0])
        for name, (rows, guesses) in {"without": nothing, "with": (pool, belief)}.items():
            weight, bias = head_with(known, given, rows, guesses, classes)
            found = (vectors[outside] @ weight.T + bias).argmax(axis=1)
            right[name] += (found == targets[outside]).astype(float).tolist()
    if not right["with"]:
        return False, {}
    figures = {name: float(np.mean(values)) for name, values in right.items()}
    gains = np.asarray(right["with"]) - np.asarray(right["without"])
    return len(gains) >= _LEAST and bool(gains.mean() > gains.std() / np.sqrt(len(gains))), figures
