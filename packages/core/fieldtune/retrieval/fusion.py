"""One ranking out of several: by weighted scores whose weights are chosen on known questions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldtune.retrieval.highest import highest

Scores = NDArray[np.float32]
_CANDIDATES = 200


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


def fit_weights(examples: Sequence[Example], legs: Sequence[str], penalty: float = 0.01) -> dict[str, float]:
    """Weights >= 0 under which the right candidates are likeliest: a conditional logit over each example's candidates.

    ``softmax(weighted(legs, weights))`` is then the probability that a candidate is the right one, given that one of
    them is. Convex, so the same input gives the same output whatever the start.

    Args:
        examples: known questions with at least one right candidate; others are ignored. The caller keeps them apart
            from whatever the weights are judged on later.
        legs: the legs that may count.
        penalty: of the squared weights, each in units of its leg's spread.

    Source: McFadden 1974; with one right candidate it is ListNet's top-one loss (Cao et al. 2007).
    """
    from scipy.optimize import minimize

    tables = [_table(example, legs) for example in examples if example.relevant.any()]
    if not tables:
        return dict.fromkeys(legs, 1.0)
    spread = np.concatenate([table for table, _ in tables]).std(axis=0)
    scale = np.where(spread > 1e-6, spread, 1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, slope = 0.0, np.zeros(len(legs))
        for table, right in tables:
            scaled = table / scale
            logits = scaled @ weights
            odds = np.exp(logits - logits.max())
            everywhere, inside = odds / odds.sum(), odds * right / (odds * right).sum()
            total -= float(np.log((odds * right).sum() / odds.sum() + 1e-300))
            slope += (everywhere - inside) @ scaled
        size = len(tables)
        return total / size + penalty * float(weights @ weights), slope / size + 2 * penalty * weights

    found = minimize(loss, np.ones(len(legs)), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(legs))
    return {leg: round(float(value), 6) for leg, value in zip(legs, found.x / scale, strict=True)}


def _table(example: Example, legs: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """float64[candidates, legs] and which are right; of many candidates the best 200 of each leg, and the right ones."""
    table = np.stack([np.asarray(example.legs[leg], np.float64) for leg in legs], axis=1)
    keep = example.relevant.copy()
    for column in table.T:
        keep[highest(column, _CANDIDATES)] = True
    return table[keep], example.relevant[keep]
