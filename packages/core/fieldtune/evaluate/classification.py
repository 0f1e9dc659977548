"""Quality of a text classifier that gives a label and a probability for every class.

Knows labels and numbers, no texts. A row whose predicted label is none of the true ones (rejected) is wrong.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fieldtune.errors import InputError
from fieldtune.evaluate.calibration import area_under_risk_coverage, expected_calibration_error

SMALLEST = 1e-7
"""Probabilities are clipped here for the log-loss: one surely wrong row costs at most 16.1."""


def report(
    labels: Sequence[str], predicted: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]
) -> dict[str, Any]:
    """accuracy, macro_f1, weighted_f1, ece (15 bins), aurc, log_loss, n, and per_class.

    Args:
        labels, predicted: str [n], true and given.
        probabilities: float [n, k], columns in the order of `classes`.

    macro_f1 is the mean over the classes that occur among labels or predictions (scikit-learn's default);
    `per_class` holds all of `classes` and any further label, each with precision, recall, f1, support. A
    label outside `classes` has probability 0. ece and aurc (area under the risk-coverage curve) are those of the
    predicted label's probability (of the highest, where the row was rejected).

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
    return tally(labels, predicted, *row_probabilities(labels, predicted, table, classes), classes)


def row_probabilities(
    labels: Sequence[str], predicted: Sequence[str], probabilities: ArrayLike, classes: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All that :func:`tally` needs of the probabilities [n, k], so that many rows can be had in pieces.

    Returns (sure, chosen), float64 [n]: the probability of the predicted label (the highest, where it has no
    column), and that of the true one (0 where it has none).
    """
    table = np.asarray(probabilities, dtype=np.float64)
    place = {name: column for column, name in enumerate(classes)}
    given, true = (np.array([place.get(name, -1) for name in names], dtype=int) for names in (predicted, labels))
    rows = np.arange(len(table))
    return np.where(given >= 0, table[rows, given], table.max(axis=1)), np.where(true >= 0, table[rows, true], 0.0)


def tally(
    labels: Sequence[str], predicted: Sequence[str], sure: ArrayLike, chosen: ArrayLike, classes: Sequence[str]
) -> dict[str, Any]:
    """The figures of :func:`report` from what :func:`row_probabilities` tells of each row."""
    names = list(dict.fromkeys([*classes, *sorted(set(labels) | set(predicted))]))
    place = {name: number for number, name in enumerate(names)}
    truth, given = (np.array([place[name] for name in column], dtype=int) for column in (labels, predicted))
    correct = truth == given
    counts = [np.bincount(column, minlength=len(names)) for column in (truth[correct], truth, given)]
    per_class = {name: _scores(*(int(count[place[name]]) for count in counts)) for name in names}
    present = [name for name in names if counts[1][place[name]] + counts[2][place[name]]]
    f1 = np.array([per_class[name]["f1"] for name in present])
    support = np.array([per_class[name]["support"] for name in present])
    return {
        "accuracy": float(correct.mean()),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float(f1 @ support / support.sum()),
        "ece": expected_calibration_error(sure, correct),
        "aurc": area_under_risk_coverage(sure, correct),
        "log_loss": float(-np.log(np.clip(np.asarray(chosen, dtype=np.float64), SMALLEST, 1.0)).mean()),
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


def _scores(hits: int, support: int, claimed: int) -> dict[str, float | int]:
    return {
        "precision": hits / claimed if claimed else 0.0,
        "recall": hits / support if support else 0.0,
        "f1": 2 * hits / (support + claimed) if support + claimed else 0.0,
        "support": support,
    }
