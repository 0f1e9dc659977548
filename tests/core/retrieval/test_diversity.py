"""MMR against the definition evaluated step by step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune.errors import InputError
from fieldtune.retrieval.diversity import mmr


def by_definition(relevance: np.ndarray, vectors: np.ndarray, k: int, balance: float) -> list[int]:
    picked: list[int] = []
    while len(picked) < min(k, len(relevance)):
        gains = {
            place: balance * relevance[place]
            - (1 - balance) * max((float(vectors[place] @ vectors[other]) for other in picked), default=0.0)
            for place in range(len(relevance))
            if place not in picked
        }
        picked.append(max(gains, key=lambda place: (gains[place], -place)))
    return picked


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 12),
    k=st.integers(0, 15),
    balance=st.sampled_from([0, 0.3, 0.7, 1]),
)
def test_picks_what_the_definition_picks(seed: int, n: int, k: int, balance: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = rng.random(n)
    assert mmr(relevance, vectors, k, balance).tolist() == by_definition(relevance, vectors, k, balance)


def test_a_copy_waits_until_something_else_was_shown() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert mmr(np.array([1.0, 0.99, 0.6]), vectors, 3, 0.5).tolist() == [0, 2, 1]


def test_balance_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(InputError):
        mmr(np.ones(2), np.eye(2), 1, 1.5)
