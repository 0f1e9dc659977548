"""How well a model betrays its training rows (pure): the loss-threshold attack (Yeom et al. 2018, arXiv 1709.01604)."""

import numpy as np
from numpy.typing import ArrayLike

from fieldtune.evaluate.skewed import auc


def membership_auc(trained: ArrayLike, unseen: ArrayLike) -> float:
    """The chance that a training row has a lower loss than a row never seen; .5 betrays nothing, NaN without rows."""
    inside, outside = np.asarray(trained, dtype=float), np.asarray(unseen, dtype=float)
    return auc([True] * len(outside) + [False] * len(inside), np.concatenate([outside, inside]))
