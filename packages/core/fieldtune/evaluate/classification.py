"""Quality of a text classifier that gives a label and a probability for every class.

Knows labels and numbers, no texts. A row whose predicted label is none of the true ones (rejected) is wrong.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fieldtune.errors import InputError
from fieldtune.evaluate.calibration import expected_calibration_error

SMALLEST = 1e-7
"""Probabilities are clipped here for the log-loss: one surely wrong row costs at most 16.1."""


def report(
    labels: Sequence[str], predicted: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]
) -> dict[str, Any]:
    """accuracy, macro_f1, weighted_f1, ece (15 bins), log_loss, n, and per_class.

    Args:
        labels, predicted: str [n], true and given.
        probabilities: float [n, k], columns in the order of `classes`.

    macro_f1 is the mean over the classes that occur among labels or predictions (scikit-learn's default);
    `per_class` holds all of `classes` and any further label, each with precision, recall, f1, support. A
    label outside `classes` has probability 0. ece is that of the predicted label's probability (of the
    highest, where the row was rejected).

    Raises:
        InputError: no rows, or shapes that do not fit.
    """
    table = np.asarray(probabilities, dtype=np.float64)
    if not len(labels) or len(predicted) != len(labels) or table.shape != (len(labels), len(classes)):
        raise InputError(
            "labels [n], predictions [n], probabilities [n, classes], n > 0",
            f"{len(labels)} labels, {len(predicted)} predictions, {table.shape} for {len(classes)} classes",
            "evaluate on at least one labelled row",
        )
    truth, given = np.asarray(labels, dtype=object), np.asarray(predicted, dtype=object)
    names = list(dict.fromkeys([*classes, *sorted(set(labels) | set(predicted))]))
    per_class = {name: _scores(truth == name, given == name) for name in names}
    present = [name for name in names if name in set(labels) | set(predicted)]
    f1 = np.array([per_class[name]["f1"] for name in present])
    support = np.array([per_class[name]["support"] for name in present])
    correct = truth == given
    highest = table.max(axis=1)
    sure = np.where(np.isin(given, classes), _column(table, given, classes), highest)
    chosen = np.clip(_column(table, truth, classes), SMALLEST, 1.0)
    return {
        "accuracy": float(correct.mean()),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float(f1 @ support / support.sum()),
        "ece": expected_calibration_error(sure, correct),
        "log_loss": float(-np.log(chosen).mean()),
        "n": len(labels),
        "per_class": per_class,
    }


def confusion(labels: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """int64 [k, k]: rows true, columns predicted, in the order of `classes`; other labels are left out."""
    place = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for true, given in zip(labels, predicted, strict=True):
        if true in place and given in place:
            counts[place[true], place[given]] += 1
    return counts


def _scores(true: NDArray[np.bool_], given: NDArray[np.bool_]) -> dict[str, float | int]:
    hits, support, claimed = int((true & given).sum()), int(true.sum()), int(given.sum())
    return {
        "precision": hits / claimed if claimed else 0.0,
        "recall": hits / support if support else 0.0,
        "f1": 2 * hits / (support + claimed) if support + claimed else 0.0,
        "support": support,
    }


def _column(table: NDArray[np.float64], names: NDArray[np.object_], classes: Sequence[str]) -> NDArray[np.float64]:
    """The probability of each row's own name; 0 for a name that has no column."""
    place = {name: i for i, name in enumerate(classes)}
    columns = np.array([place.get(name, -1) for name in names])
    picked: NDArray[np.float64] = np.where(columns >= 0, table[np.arange(len(table)), columns], 0.0)
    return picked
