"""A head trained with differential privacy: no single row can be told to have been among the training rows.

Full-batch gradient descent on multinomial logistic regression; each row's gradient is clipped and Gaussian noise is added
to their sum (Abadi et al. 2016, arXiv 1607.00133). Without sampling, T steps are exactly one Gaussian mechanism with
mu = sqrt(T) / noise (Dong et al. 2019, arXiv 1905.02383), whose epsilon and delta are known in closed form (Balle and
Wang 2018, arXiv 1805.06530). The guarantee covers the rows and the weights made of them; which classes exist and how many
rows there are is public, and so are rows that calibrate and measure it, which must not be split off these: what a split takes
depends on every row. Knows no text.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_ndtr
from scipy.stats import norm

from fieldtune.evaluate.calibration import softmax

STEPS = 40
CLIP = 0.7
RATE = 256.0
_MOST = 100.0


def delta_of(epsilon: float, mu: float) -> float:
    """The delta at which the Gaussian mechanism of ``mu`` (distance over noise) keeps ``epsilon``."""
    first = norm.cdf(-epsilon / mu + mu / 2)
    return float(first - math.exp(epsilon + log_ndtr(-epsilon / mu - mu / 2)))


def noise_for(epsilon: float, delta: float, steps: int = STEPS) -> float:
    """Standard deviation of the noise, in units of the clipping norm, at which ``steps`` steps keep (epsilon, delta)."""
    least = 1.0
    while delta_of(epsilon, least) >= delta:
        least /= 10
    mu = brentq(lambda value: delta_of(epsilon, value) - delta, least, _MOST, xtol=1e-6 * least)
    return math.sqrt(steps) / float(mu)


def private_head(
    vectors: NDArray[np.float32],
    targets: NDArray[np.int64],
    classes: int,
    epsilon: float,
    delta: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight ``[classes, d]`` and bias ``[classes]``, float32, of (epsilon, delta)-private logistic regression.

    Args:
        vectors: float32 ``[rows, d]`` of at most unit length.
        targets: int ``[rows]``.
        epsilon, delta: what one row more or less may change; delta well below one over the rows.
        rng: draws the noise; whoever knows its seed can take the noise off again.
    """
    rows = np.hstack([vectors, np.ones((len(vectors), 1))]) / math.sqrt(2)
    wanted = np.eye(classes)[targets]
    noise, weight, kept = noise_for(epsilon, delta), np.zeros((classes, rows.shape[1])), []
    for _ in range(STEPS):
        residual = softmax(rows @ weight.T, 1.0) - wanted
        lengths = np.linalg.norm(residual, axis=1) * np.linalg.norm(rows, axis=1)
        clipped = residual * np.minimum(1.0, CLIP / np.maximum(lengths, 1e-12))[:, None]
        gradient = clipped.T @ rows + rng.normal(scale=noise * CLIP, size=weight.shape)
        weight = weight - RATE * gradient / len(rows)
        kept.append(weight)
    mean = np.mean(kept[STEPS // 2 :], axis=0) / math.sqrt(
        2
    )  # what is averaged costs no privacy and less noise is left
    return mean[:, :-1].astype(np.float32), mean[:, -1].astype(np.float32)
