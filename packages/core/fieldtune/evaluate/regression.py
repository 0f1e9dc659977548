"""Quality of predicted numbers, and intervals that hold a stated share of them.

Knows numbers only.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from fieldtune.errors import InputError

Floats = NDArray[np.float64]


def report(truth: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """mae, rmse, r2, pearson, spearman, n of ``[n]`` numbers; NaN where a figure is undefined (constant numbers).

    Raises:
        InputError: no rows, or different counts of them.
    """
    true, told = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if true.shape != told.shape or true.ndim != 1 or not len(true):
        raise InputError("numbers [n] and predictions [n], n > 0", f"{true.shape} and {told.shape}", "check both")
    off, spread = true - told, ((true - true.mean()) ** 2).sum()
    return {
        "mae": float(np.abs(off).mean()),
        "rmse": float(np.sqrt((off**2).mean())),
        "r2": float(1 - (off**2).sum() / spread) if spread > 0 else math.nan,
        "pearson": correlation(true, told),
        "spearman": correlation(rankdata(true), rankdata(told)),
        "n": len(true),
    }


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's r of two ``[n]``; NaN where either is constant."""
    x, y = a - a.mean(), b - b.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else math.nan


def conformal_width(residuals: ArrayLike, share: float) -> float:
    """Half the width of an interval round a prediction that holds the truth of a new row with probability ``share``.

    Split conformal prediction (Lei et al. 2018, https://arxiv.org/abs/1604.04173): the ceil(share (n + 1))-th smallest
    absolute residual of ``[n]`` held-out rows; infinite where they are too few to promise that.
    """
    ordered = np.sort(np.abs(np.asarray(residuals, dtype=np.float64)))
    place = math.ceil(share * (len(ordered) + 1) - 1e-9)
    return float(ordered[place - 1]) if place <= len(ordered) else math.inf
