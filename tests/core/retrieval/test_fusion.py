"""Fusion against the published formula, an exhaustive search, and its own promises."""

import itertools

import numpy as np
from fieldtune.retrieval.fusion import Example, choose_weights, reciprocal_rank, reciprocal_ranks, weighted
from hypothesis import given, settings
from hypothesis import strategies as st


def test_reciprocal_rank_by_hand() -> None:
    fused = dict(reciprocal_rank([["a", "b", "c"], ["b", "d"]]))
    assert fused["b"] == 1 / 62 + 1 / 61
    assert fused["a"] == 1 / 61
    assert [item for item, _ in reciprocal_rank([["a", "b", "c"], ["b", "d"]])] == ["b", "a", "d", "c"]
    assert reciprocal_rank([["a"], ["b"]], [1.0, 3.0])[0][0] == "b"
    assert reciprocal_rank([[], []]) == []


@given(st.lists(st.permutations(list("abcdef")), min_size=1, max_size=4))
def test_an_item_first_everywhere_stays_first(rankings: list[list[str]]) -> None:
    topped = [["z", *ranking] for ranking in rankings]
    assert reciprocal_rank(topped)[0][0] == "z"


def test_weighted_adds_up_and_ignores_unweighted_legs() -> None:
    legs = {
        "a": np.array([1, 0], np.float32),
        "b": np.array([0, 2], np.float32),
        "c": np.array([9, 9], np.float32),
    }
    np.testing.assert_allclose(weighted(legs, {"a": 0.5, "b": 0.25}), [0.5, 0.5])


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


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_chosen_weights_come_close_to_exhaustive_search(seed: int) -> None:
    known = examples(seed)
    steps = (0.0, 0.5, 1.0)
    start = {"knows": 1.0, "guesses": 1.0, "misleads": 1.0}
    chosen = choose_weights(known, start, steps)
    best = max(
        reciprocal_ranks(known, dict(zip(start, values, strict=True))).mean()
        for values in itertools.product(steps, repeat=3)
        if any(values)
    )
    got = reciprocal_ranks(known, chosen).mean()
    assert got >= reciprocal_ranks(known, start).mean()
    assert got >= best - 0.02
    assert chosen == choose_weights(known, start, steps)


def test_ties_count_as_lost_and_no_examples_keep_the_start() -> None:
    tied = Example({"a": np.zeros(4, np.float32)}, np.array([True, False, False, False]))
    nothing = Example({"a": np.ones(2, np.float32)}, np.zeros(2, bool))
    np.testing.assert_allclose(reciprocal_ranks([tied, nothing], {"a": 1.0}), [1 / 4, 0.0])
    assert choose_weights([], {"a": 0.3}) == {"a": 0.3}
