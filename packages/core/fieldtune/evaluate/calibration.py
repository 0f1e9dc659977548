"""Do probabilities mean what they say, and where to stop trusting them.

Knows numbers only: logits, confidences, whether each row was right.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar

from fieldtune.errors import InputError

Floats = NDArray[np.float64]
_COLDEST, _HOTTEST = 0.02, 50.0


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Floats:
    """Probabilities [n, k] of logits [n, k] / temperature; rows sum to 1, no overflow."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers: Floats = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    totals: Floats = powers.sum(axis=-1, keepdims=True)
    return powers / totals


def fit_lean(logits: ArrayLike, targets: ArrayLike, lean: ArrayLike) -> float:
    """How much of ``lean`` to subtract from logits, so that their calibrated probabilities lean no way.

    A loss whose classes are weighted teaches weight times probability, so the logarithms of the weights come off the
    logits (Menon et al. 2021, https://arxiv.org/abs/2007.07314). Weights are learnt less the better rows are learnt by
    heart, so how much is off is fitted: softmax(logits / t - s * lean) of least log-loss over t > 0 and s in [0, 1].

    Args:
        logits: float [n, k] on held-out rows. targets: int [n]. lean: float [k], log of the weights of the classes.

    Returns:
        t * s: what ``lean`` is multiplied by before it comes off the logits.

    The loss is convex in (1 / t, s). Raises InputError as :func:`fit_temperature` does.
    """
    inverse = 1 / fit_temperature(logits, targets)
    scores, right, lean = np.asarray(logits, dtype=np.float64), np.asarray(targets), np.asarray(lean, dtype=np.float64)
    rows = np.arange(len(right))

    def loss(given: Floats) -> tuple[float, Floats]:
        chances = softmax(given[0] * scores - given[1] * lean)
        value = -float(np.mean(np.log(np.maximum(chances[rows, right], 1e-300))))
        chances[rows, right] -= 1
        return value, np.array([(chances * scores).sum(), -(chances @ lean).sum()]) / len(rows)

    bounds = ((1 / _HOTTEST, 1 / _COLDEST), (0.0, 1.0))
    best = minimize(loss, (inverse, 0.0), jac=True, bounds=bounds, method="L-BFGS-B")
    return float(best.x[1] / best.x[0])


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The temperature in [0.02, 50] of least log-loss (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    Args:
        logits: float [n, k] on held-out rows. targets: int [n], the right column of each.

    A row counts for its column with (n + 1) / (n + 2) and for the others with the rest: n rows that are all right do not
    say that none ever will be wrong (Platt 1999, "Probabilistic outputs for support vector machines", section 2.2).
    The loss is convex in 1 / temperature, so a bounded scalar search finds the minimum. Raises InputError
    without rows or on a target outside the columns.
    """
    scores, right = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if scores.ndim != 2 or len(scores) == 0 or right.shape != (len(scores),):
        raise InputError("logits [n, k] and targets [n], n > 0", f"{scores.shape} and {right.shape}", "check both")
    if right.min() < 0 or right.max() >= scores.shape[1] or not np.isfinite(scores).all():
        raise InputError("finite logits and targets within their columns", "others", "map labels to columns")
    centred = scores - scores.max(axis=1, keepdims=True)
    count, columns = centred.shape
    own = centred[np.arange(count), right]
    others = (centred.sum(axis=1) - own) / max(columns - 1, 1)
    chosen = ((count + 1) * own + others) / (count + 2)

    def loss(log_inverse: float) -> float:
        inverse = math.exp(log_inverse)
        return float(np.mean(np.log(np.exp(centred * inverse).sum(axis=1)) - chosen * inverse))

    bounds = (-math.log(_HOTTEST), -math.log(_COLDEST))
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(math.exp(-best.x))


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> float:
    """ECE in [0, 1]: mean gap between confidence and accuracy over equal-width bins, weighted by rows.

    Args:
        confidence: float [n] in [0, 1]. correct: bool [n]. A confidence on an edge belongs to the bin
        below it (Guo et al. 2017). NaN without rows.
    """
    count, sure, right = reliability(confidence, correct, bins)
    total = count.sum()
    return float(np.abs(sure - right)[count > 0] @ count[count > 0] / total) if total else float("nan")


def reliability(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Per bin: rows int64 [bins], mean confidence and accuracy float64 [bins] (NaN where empty)."""
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    # Compared with the edges, not multiplied by `bins`: .2 * 15 is above 3 in floating point.
    place = np.searchsorted(np.linspace(0.0, 1.0, bins + 1)[1:-1], sure, side="left")
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, weights=values, minlength=bins) / count for values in (sure, right)]
    return count, means[0], means[1]


def threshold_keeping(scores: ArrayLike, share: float) -> float:
    """The highest threshold t such that at least `share` of the scores [n] are >= t.

    Raises InputError without scores, on NaN, or on a share outside (0, 1].
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    if not len(ordered) or np.isnan(ordered).any() or not 0 < share <= 1:
        raise InputError(
            "at least one score, none NaN, and a share above 0 and up to 1",
            f"{len(ordered)} scores, share {share}",
            "score the validation rows first",
        )
    # The small subtraction keeps .95 * 20 = 19.000000000000004 from asking for a twentieth score.
    keep = math.ceil(share * len(ordered) - 1e-9)
    return float(ordered[max(keep, 1) - 1])


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """What share is wrong when only the surest rows are answered (El-Yaniv and Wiener 2010).

    Returns (coverage, risk), float64 [m]: one point per distinct confidence, from the surest down;
    coverage ends at 1 with the plain error rate. Rows of equal confidence are answered together.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=bool)
    order = np.argsort(-sure, kind="stable")
    answered = np.arange(1, len(sure) + 1)
    wrong = np.cumsum(~right[order])
    last = np.append(np.diff(sure[order]) != 0, True) if len(sure) else np.zeros(0, dtype=bool)
    return answered[last] / max(len(sure), 1), wrong[last] / answered[last]


def area_under_risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> float:
    """AURC in [0, 1], lower is better: mean risk over all coverages (steps as wide as each group of ties)."""
    coverage, risk = risk_coverage(confidence, correct)
    return float(np.diff(coverage, prepend=0.0) @ risk) if len(coverage) else float("nan")
