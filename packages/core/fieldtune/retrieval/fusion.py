"""One ranking out of several: by ranks, or by weighted scores whose weights are chosen on known questions.

Pure. Fused reciprocal ranks say nothing about how good the best hit is (they lie in [0, 2/61] whatever was
found), so never compare them with a threshold: thresholds belong on the legs' own scores or on a calibrated
probability.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
T = TypeVar("T", bound=Hashable)


def reciprocal_rank(
    rankings: Sequence[Sequence[T]], weights: Sequence[float] | None = None, k: int = 60
) -> list[tuple[T, float]]:
    """Fuse `rankings` (best first) by the sum of weight / (k + rank), ranks from 1 (Cormack et al. 2009).

    Returns:
        (item, fused score), best first; ties in order of first appearance.
    """
    fused: dict[T, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, item in enumerate(ranking, 1):
            fused[item] = fused.get(item, 0.0) + weight / (k + rank)
    return sorted(fused.items(), key=lambda pair: -pair[1])


def weighted(legs: Mapping[str, Scores], weights: Mapping[str, float]) -> Scores:
    """Sum of weight * score over the legs, float32[n]; a leg without a weight counts nothing.

    The legs must be on comparable scales already (a cosine; BM25 over its ceiling; a probability).
    """
    size = len(next(iter(legs.values()), ()))
    total = np.zeros(size, np.float32)
    for name, scores in legs.items():
        if weights.get(name):
            total += np.float32(weights[name]) * scores
    return total


@dataclass(frozen=True)
class Example:
    """One known question: every leg's score of every candidate, and which candidates are right (bool[n])."""

    legs: Mapping[str, Scores]
    relevant: NDArray[np.bool_]


def reciprocal_ranks(examples: Sequence[Example], weights: Mapping[str, float]) -> NDArray[np.float64]:
    """1 / rank of the first right candidate per example, float64[n]; a tie counts as lost, 0 if none is right."""
    result = np.zeros(len(examples))
    for row, example in enumerate(examples):
        if example.relevant.any():
            scores = weighted(example.legs, weights)
            best = scores[example.relevant].max()
            result[row] = 1.0 / (1 + np.count_nonzero(scores[~example.relevant] >= best))
    return result


def choose_weights(
    examples: Sequence[Example],
    start: Mapping[str, float],
    steps: Sequence[float] = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5),
    rounds: int = 3,
) -> dict[str, float]:
    """Weights with the best mean reciprocal rank on `examples`, one leg at a time (coordinate ascent).

    A change must gain more than 1e-9, so equal weights keep `start` and the same input gives the same output.
    The caller keeps `examples` apart from whatever the weights are judged on later.
    """
    weights = dict(start)
    if not examples:
        return weights
    best = float(reciprocal_ranks(examples, weights).mean())
    for _ in range(rounds):
        before = best
        for leg in weights:
            for step in steps:
                trial = {**weights, leg: step}
                score = float(reciprocal_ranks(examples, trial).mean()) if any(trial.values()) else 0.0
                if score > best + 1e-9:
                    weights, best = trial, score
        if best <= before + 1e-9:
            break
    return weights
