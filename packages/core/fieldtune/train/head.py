"""A linear head on fixed vectors: logistic regression, with the names of the classes as further rows.

Knows vectors and labels, not where the vectors come from.
"""

import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.data.split import stratified
from fieldtune.runtime import generator
from fieldtune.text.names import readable

Vectors = NDArray[np.float32]
Places = NDArray[np.int64]
_INVERSE_PENALTIES = (10.0, 30.0, 100.0)


@contextmanager
def fitting() -> Iterator[None]:
    """scikit-learn as linear models are fitted here.

    It takes many classes on few rows for a regression by mistake, and warns; here they are meant. Its optimizers ask
    for a thousand small products, for each of which OpenBLAS wakes its threads: on two cores, one thread took a
    fiftieth of the time.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        yield


@fitting()
def probe(
    vectors: Vectors,
    targets: Places,
    keys: Sequence[Hashable],
    classes: int,
    seed: int,
    named: tuple[Vectors, Places] | None = None,
    inverse_penalties: Sequence[float] = _INVERSE_PENALTIES,
) -> tuple[Vectors, Vectors]:
    """Logistic regression on embeddings, its penalty chosen on a held-out tenth of these very rows.

    Args:
        vectors: float32 ``[rows, d]``.
        targets: the class of each row.
        keys: per row, equal where the texts say the same: such rows are held out together.
        named: vectors and classes of names, see :func:`name_rows`: learnt from, never held out.
        inverse_penalties: to choose from, the strongest first; nothing is held out for a single one.

    Returns:
        weight ``[classes, d]`` and bias ``[classes]``, float32.
    """
    from sklearn.linear_model import LogisticRegression

    # Each fit starts where the one before it ended: the solutions lie close together.
    machine = LogisticRegression(max_iter=1000, warm_start=True)
    more, theirs = named if named is not None else (vectors[:0], targets[:0])
    rows, held_out = stratified(targets.tolist(), 0.1, generator(seed), keys)
    scores = {}
    if len(inverse_penalties) > 1 and len(held_out) and len(set(targets[rows].tolist())) == classes:
        learnt, known = np.vstack([vectors[rows], more]), np.concatenate([targets[rows], theirs])
        for value in inverse_penalties:
            machine.C = value
            scores[value] = machine.fit(learnt, known).score(vectors[held_out], targets[held_out])
    machine.C = max(scores, key=lambda value: scores[value]) if scores else inverse_penalties[0]
    final = machine.fit(np.vstack([vectors, more]), np.concatenate([targets, theirs]))
    return both_classes(final.coef_, final.intercept_)


@fitting()
def widest_margin(matrix: Any, targets: Places, seed: int) -> tuple[Vectors, Vectors]:
    """Weight ``[classes, features]`` and bias ``[classes]`` of a linear support vector machine.

    Args:
        matrix: dense or sparse ``[rows, features]``.
    """
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=0.5, random_state=seed).fit(matrix, targets)
    return both_classes(machine.coef_, np.atleast_1d(machine.intercept_))


def both_classes(weight: Any, bias: Any) -> tuple[Vectors, Vectors]:
    """scikit-learn keeps one row of a linear model for two classes; here each class has its own."""
    if len(weight) == 1:
        weight, bias = np.vstack([-weight[0], weight[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    return np.asarray(weight, dtype=np.float32), np.asarray(bias, dtype=np.float32)


def name_rows(
    labels: Sequence[str], encode: Callable[[list[str]], Vectors], vectors: Vectors, targets: Places
) -> tuple[Vectors, Places] | None:
    """The embedded names of the classes as rows to learn from; None where they say nothing about the classes.

    Names help most where rows are few. They say something when the nearest name alone tells the rows apart surely
    better than chance; codes and numbers do not, and are left out.

    Args:
        encode: texts -> unit vectors, the encoder that ``vectors`` come from.
        vectors: float32 ``[rows, d]``.
        targets: the class of each row, as a place in ``labels``.
    """
    places = np.asarray([place for place, label in enumerate(labels) if readable(label)], dtype=np.int64)
    if len(places) < 2:
        return None
    names = encode([readable(labels[place]) for place in places])
    inside = np.isin(targets, places)
    right = places[(vectors[inside] @ names.T).argmax(axis=1)] == targets[inside]
    recalls = [right[targets[inside] == place].mean() for place in np.unique(targets[inside])]
    found = float(np.mean(recalls)) if recalls else 0.0
    luck = 2 * np.sqrt(found * (1 - found) / max(len(right), 1))
    return (names, places) if found - luck > 1 / len(places) else None
