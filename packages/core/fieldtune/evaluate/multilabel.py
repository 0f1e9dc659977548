"""Quality of a classifier that gives any number of labels to a row.

Knows sets of labels, no texts.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError


def report(truth: Sequence[Collection[str]], given: Sequence[Collection[str]], labels: Sequence[str]) -> dict[str, Any]:
    """micro_f1, macro_f1, weighted_f1, subset_accuracy, n, and per_class (precision, recall, f1, support).

    Args:
        truth, given: the labels of each row, true and predicted.
        labels: those a model knows; others among ``truth`` count as never found.

    An F1 whose label is neither there nor predicted is 0, as is scikit-learn's with ``zero_division=0``.

    Raises:
        InputError: no rows, or different counts of them.
    """
    if not len(truth) or len(truth) != len(given):
        raise InputError("labels and predictions of the same rows", f"{len(truth)} and {len(given)}", "check both")
    names = list(dict.fromkeys([*labels, *sorted({label for row in truth for label in row})]))
    true, told = indicators(truth, names) > 0, indicators(given, names) > 0
    hits, support, claimed = (true & told).sum(axis=0), true.sum(axis=0), told.sum(axis=0)
    f1 = 2 * hits / np.maximum(support + claimed, 1)
    per_class = {
        name: {
            "precision": float(hits[place] / max(claimed[place], 1)),
            "recall": float(hits[place] / max(support[place], 1)),
            "f1": float(f1[place]),
            "support": int(support[place]),
        }
        for place, name in enumerate(names)
    }
    return {
        "micro_f1": float(2 * hits.sum() / max(support.sum() + claimed.sum(), 1)),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float(f1 @ support / max(support.sum(), 1)),
        "subset_accuracy": float((true == told).all(axis=1).mean()),
        "n": len(truth),
        "per_class": per_class,
    }


def row_f1(truth: Sequence[Collection[str]], given: Sequence[Collection[str]]) -> NDArray[np.float64]:
    """F1 of each row's labels, float64 ``[rows]``; 1 where there are none and none are given."""
    return np.asarray(
        [
            2 * len(set(true) & set(told)) / (len(set(true)) + len(set(told))) if true or told else 1.0
            for true, told in zip(truth, given, strict=True)
        ]
    )


def indicators(rows: Sequence[Collection[str]], labels: Sequence[str]) -> NDArray[np.float32]:
    """1 where a row has a label, float32 ``[rows, labels]``; labels of other names are left out."""
    places = {label: place for place, label in enumerate(labels)}
    table = np.zeros((len(rows), len(labels)), dtype=np.float32)
    for row, own in enumerate(rows):
        table[row, [places[label] for label in own if label in places]] = 1.0
    return table


def best_thresholds(
    scores: NDArray[np.float32], truth: NDArray[np.float32], enough: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Per label the score from which on it is given, for the best F1; .5 where no row has it, or not ``enough``.

    Args:
        scores, truth: ``[rows, labels]``, truth 0 or 1.
        enough: ``[labels]``, whether rows with it are enough to fit its threshold.

    A threshold lies half-way between two scores, so that rows a little off those seen fall on the right side.
    """
    chosen = np.full(scores.shape[1], 0.5, dtype=np.float32)
    for label in range(scores.shape[1]):
        if not (enough[label] and truth[:, label].any()):
            continue
        order = np.argsort(-scores[:, label], kind="stable")
        own, hits = scores[order, label], np.cumsum(truth[order, label])
        f1 = 2 * hits / (np.arange(1, len(own) + 1) + hits[-1])
        f1[:-1][own[:-1] == own[1:]] = -1.0  # between equal scores there is no threshold
        last = int(f1.argmax())
        below = own[last + 1] if last + 1 < len(own) else 0.0
        chosen[label] = (own[last] + below) / 2
    return chosen
