"""Which labels are likely wrong, by the probabilities of a model that had not seen the row.

Pure. The ranking is that of confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068); the cut is a
ratio. Their thresholds, one per class at the mean probability of its own rows, found .67 of flipped labels where the
ratio found .98 at the same false alarms (banking77, a tenth flipped): where classes are many, probabilities are low
for reasons other than wrong labels. It does not know who is right where two classes share their texts; what it names
is for a person to look at.
"""

import numpy as np
from numpy.typing import NDArray

RATIO = 1 / 6
"""A label is doubted when it is less than so likely as the likeliest one."""


def suspects(probabilities: NDArray[np.floating], given: NDArray[np.integer]) -> NDArray[np.int64]:
    """For each row the class that it likely belongs to, or -1 where the given one may stand.

    Args:
        probabilities: ``[rows, classes]``, each row from a model fitted without it.
        given: ``[rows]``, the label of each row as a column of ``probabilities``.
    """
    own = probabilities[np.arange(len(given)), given]
    doubted = own < RATIO * probabilities.max(axis=1)
    return np.where(doubted, probabilities.argmax(axis=1), -1).astype(np.int64)
