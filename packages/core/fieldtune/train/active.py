"""Which rows to have labelled next, and when enough are.

Pure: probabilities and vectors in, places of rows out. It does not know what a row is, so it serves every task whose
model can say how sure it is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError

STRATEGIES = ("margin-kmeans", "margin-kcentre", "margin", "random")
STABLE = 0.99
"""Agreement of successive models from which on more labels change little (Bloodgood and Vijay-Shanker 2009)."""
GROWTH = 1.1
"""By what factor the labels grow from one of these models to the next: two more of a hundred change little whatever they teach."""
TURNS = 3
_PER_ROW = 10  # least sure rows looked at for each row wanted, where they are also to differ


def doubt(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """How unsure each row is, 0 to 1: one less the margin between the two likeliest classes (Scheffer et al. 2001).

    Args:
        probabilities: ``[rows, classes]``.
    """
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    top = np.partition(np.asarray(probabilities, dtype=np.float64), -2, axis=1)[:, -2:]
    return np.asarray(1 - np.abs(top[:, 1] - top[:, 0]), dtype=np.float64)


def choose_rows(
    strategy: str,
    doubts: NDArray[np.float64],
    vectors: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    labelled: Callable[[], NDArray[np.float32]],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The next ``count`` rows worth a label, the most wanted first.

    ``margin`` takes the least sure; the other two take among the least sure those that differ: ``margin-kmeans`` the
    middles of as many clusters, weighted by doubt (Zhdanov 2019, arXiv 1901.05954), ``margin-kcentre`` each time the
    row farthest from all that is labelled or taken (Sener and Savarese 2018, arXiv 1708.00489).

    Args:
        doubts: ``[rows]``, see :func:`doubt`.
        vectors: places of rows -> their unit vectors, ``[places, d]``; asked once, for the rows that are looked at.
        labelled: unit vectors of what has a label already, ``[n, d]``; asked for ``margin-kcentre`` alone.

    Raises:
        InputError: an unknown strategy.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"a strategy out of {', '.join(STRATEGIES)}", repr(strategy), "choose one of them")
    count = min(count, len(doubts))
    if strategy == "random" or not count:
        return rng.permutation(len(doubts))[:count].astype(np.int64)
    unsure = np.argsort(-doubts, kind="stable").astype(np.int64)
    if strategy == "margin" or count == len(doubts):
        return unsure[:count]
    near = unsure[: count * _PER_ROW]
    if strategy == "margin-kcentre":
        return near[_centres(vectors(near), labelled(), count)]
    return near[_middles(vectors(near), doubts[near], count, rng)]


def _centres(vectors: NDArray[np.float32], labelled: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Greedy k-centre: the first is the least sure where nothing is labelled yet."""
    distance = 1 - (vectors @ labelled.T).max(axis=1) if len(labelled) else np.full(len(vectors), 2.0)
    taken: list[int] = []
    for _ in range(count):
        taken.append(int(distance.argmax()))
        distance = np.minimum(distance, 1 - vectors @ vectors[taken[-1]])
        distance[taken] = -np.inf
    return np.asarray(taken, dtype=np.int64)


def _middles(
    vectors: NDArray[np.float32], doubts: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The row nearest to the middle of each cluster; where two clusters share one, the least sure fill up."""
    from sklearn.cluster import KMeans

    distinct = len(np.unique(vectors, axis=0))
    machine = KMeans(min(count, distinct), n_init=1, max_iter=30, random_state=int(rng.integers(2**31)))
    distances = machine.fit(vectors, sample_weight=doubts + 1e-3).transform(vectors)
    taken = list(dict.fromkeys(distances.argmin(axis=0).tolist()))
    known = set(taken)
    taken += [row for row in range(len(vectors)) if row not in known][: count - len(taken)]
    return np.asarray(sorted(taken), dtype=np.int64)


def agreement(before: list[Any], after: list[Any]) -> float:
    """Cohen's kappa of two models' predictions on the same rows: 1 where they agree, 0 as by chance.

    Raises:
        InputError: not the same rows.
    """
    if len(before) != len(after) or not before:
        raise InputError("predictions on the same rows", f"{len(before)} and {len(after)}", "predict on the same rows")
    left, right = np.asarray(before, dtype=str), np.asarray(after, dtype=str)
    names = np.unique(np.concatenate([left, right]))
    chance = float(sum((left == name).mean() * (right == name).mean() for name in names))
    return 1.0 if chance == 1 else float(((left == right).mean() - chance) / (1 - chance))


def due(before: int | None, labels: int) -> bool:
    """Whether a model that learnt from so many labels is to be compared with the one compared last, which had ``before``."""
    return before is None or labels >= GROWTH * before


def enough(agreements: list[float]) -> bool:
    """Whether labelling can stop: the last agreements of successive models, see :func:`due`, are high on average."""
    return len(agreements) >= TURNS and float(np.mean(agreements[-TURNS:])) >= STABLE
