"""Quality of a classifier whose classes are of very different size: AUC, balanced accuracy, and where to cut.

Knows labels and numbers only. Pure.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


def auc(positive: ArrayLike, scores: ArrayLike) -> float:
    """The chance that a positive row scores above a negative one, ties by half (Mann-Whitney); NaN without either.

    Args:
        positive: bool [n]. scores: float [n].
    """
    truth = np.asarray(positive, dtype=bool)
    ranks = rankdata(np.asarray(scores, dtype=np.float64))
    yes, no = int(truth.sum()), int((~truth).sum())
    if not yes or not no:
        return float("nan")
    return float((ranks[truth].sum() - yes * (yes + 1) / 2) / (yes * no))


def mean_auc(targets: ArrayLike, probabilities: ArrayLike) -> float:
    """AUC of two classes; of more, the mean of each against the rest, over those that occur.

    Args:
        targets: int [n], the right column of each; -1 for a label without column. probabilities: float [n, k].
    """
    truth, table = np.asarray(targets), np.asarray(probabilities, dtype=np.float64)
    columns = [1] if table.shape[1] == 2 else range(table.shape[1])
    found = [auc(truth == column, table[:, column]) for column in columns]
    known = [value for value in found if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def balanced_accuracy(targets: ArrayLike, predicted: ArrayLike) -> float:
    """The mean over the classes that occur of the share of their rows that is right."""
    truth, given = np.asarray(targets), np.asarray(predicted)
    return float(np.mean([(given[truth == name] == name).mean() for name in np.unique(truth)]))


def best_cut(positive: ArrayLike, scores: ArrayLike) -> float:
    """The score from which to say yes for the highest balanced accuracy; of equal ones the middle. .5 without a choice.

    Args:
        positive: bool [n]. scores: float [n] in [0, 1].
    """
    truth, values = np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64)
    if truth.all() or not truth.any():
        return 0.5
    known = np.unique(values)
    candidates = np.concatenate([[0.0], (known[1:] + known[:-1]) / 2, [1.0]])
    found = balance(values[truth], values[~truth], candidates)
    best = np.flatnonzero(found >= found.max() - 1e-12)
    return float(candidates[best[len(best) // 2]])


def balance(positive: ArrayLike, negative: ArrayLike, cuts: ArrayLike) -> NDArray[np.float64]:
    """Balanced accuracy where scores from a cut on mean yes, float64 [k].

    Args:
        positive, negative: scores of the rows that are and that are not, at least one each. cuts: [k].
    """
    yes, no = np.sort(np.asarray(positive)), np.sort(np.asarray(negative))
    caught = 1 - np.searchsorted(yes, cuts, side="left") / len(yes)
    spared = np.searchsorted(no, cuts, side="left") / len(no)
    return np.asarray((caught + spared) / 2, dtype=np.float64)
