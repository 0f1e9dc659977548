"""Fusion against an exhaustive search, and its own promises."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune.retrieval.fusion import Example, fit_weights, weighted


def test_weighted_adds_up_and_ignores_unweighted_legs() -> None:
    legs = {
        "a": np.array([1, 0], np.float32),
        "b": np.array([0, 2], np.float32),
        "c": np.array([9, 9], np.float32),
    }
    np.testing.assert_allclose(weighted(legs, {"a": 0.5, "b": 0.25}), [0.5, 0.5])


def reciprocal_ranks(examples: Sequence[Example], weights: Mapping[str, float]) -> np.ndarray:
    """1 / rank of the first right candidate per example, float64[n]; a tie counts as lost, 0 if none is right."""
    result = np.zeros(len(examples))
    for row, example in enumerate(examples):
        if example.relevant.any():
            scores = weighted(example.legs, weights)
            best = scores[example.relevant].max()
            result[row] = 1.0 / (1 + np.count_nonzero(scores[~example.relevant] >= best))
    return result


def examples(seed: int, count: int = 60) -> list[Example]:
    """One leg that knows, one that guesses, one that misleads."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        right = int(rng.integers(8))
        relevant = np.arange(8) == right
        result.append(
            Example(
                {
                    "knows": (relevant + rng.normal(0, 0.6, 8)).astype(np.float32),
                    "guesses": rng.normal(0, 1, 8).astype(np.float32),
                    "misleads": (rng.normal(0, 0.3, 8) - relevant).astype(np.float32),
                },
                relevant,
            )
        )
    return result


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_fitted_weights_rank_nearly_as_well_as_exhaustive_search(seed: int) -> None:
    known = examples(seed, 400)  # of 60, a grid that knows them may rank .05 better by chance
    legs, steps = ("knows", "guesses", "misleads"), (0.0, 0.1, 0.5, 1.0)
    best = max(
        reciprocal_ranks(known, dict(zip(legs, values, strict=True))).mean()
        for values in itertools.product(steps, repeat=3)
        if any(values)
    )
    fitted = fit_weights(known, legs)
    assert reciprocal_ranks(known, fitted).mean() >= best - 0.02
    assert fitted["misleads"] == 0.0
    assert fitted == fit_weights(known, legs)


def test_fitted_weights_are_the_multinomial_logit() -> None:
    """One constant candidate against one whose score varies is a logistic regression without intercept."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(3)
    scores = rng.normal(size=400)
    first = rng.random(400) < 1 / (1 + np.exp(-1.7 * scores))
    known = [
        Example({"leg": np.array([score, 0.0], np.float32)}, np.array([won, not won]))
        for score, won in zip(scores, first, strict=True)
    ]
    oracle = LogisticRegression(C=1e9, fit_intercept=False).fit(scores[:, None], first).coef_[0, 0]
    assert abs(fit_weights(known, ["leg"], penalty=0.0)["leg"] - oracle) < 0.01


def test_no_examples_weigh_alike() -> None:
    nothing = Example({"a": np.ones(2, np.float32)}, np.zeros(2, bool))
    assert fit_weights([nothing], ["a"]) == {"a": 1.0}
