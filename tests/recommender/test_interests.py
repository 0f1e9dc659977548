"""Tastes and similarities: the last word counts, and no mean hides an interest."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fieldtune_recommender import interests
from fieldtune_recommender.records import Log


def test_a_taste_keeps_each_item_once_at_its_latest_event(log_of: Callable[..., Log]) -> None:
    log = log_of((0, 5, 0.2), (1, 9, 1.0), (0, 7, 0.4), (0, 5, 1.0), (0, 8, 1.0), (0, 8, -0.6))
    first, second, stranger = interests.tastes(log, np.array([0, 1, -1]), 2)
    assert first.items.tolist() == [7, 5]
    assert np.allclose(first.weights, [0.4, 1.0])
    assert first.disliked.tolist() == [8]
    assert first.seen.tolist() == [5, 7, 8]
    assert np.allclose(first.ages, [3 / 6, 2 / 6])
    assert second.items.tolist() == [9]
    assert len(stranger.items) == len(stranger.seen) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.sampled_from([1.0, 0.4, 0.0, -0.6])), min_size=1))
def test_a_taste_agrees_with_a_plain_loop(rows: list[tuple[int, int, float]]) -> None:
    users, items, weights = (np.array(column) for column in zip(*rows, strict=True))
    log = Log(
        users.astype(np.int32),
        items.astype(np.int32),
        weights.astype(np.float32),
        weights > 0,
        np.arange(len(rows), dtype=float),
    )
    for user, taste in enumerate(interests.tastes(log, np.arange(4), 4)):
        last = {item: weight for who, item, weight in rows if who == user}
        best = {item: max([w for u, i, w in rows if (u, i) == (user, item)]) for item in last}
        assert set(taste.disliked.tolist()) == {item for item, weight in last.items() if weight < 0}
        assert set(taste.items.tolist()) == {i for i in last if last[i] >= 0 and best[i] > 0}
        assert set(taste.seen.tolist()) == set(last)


def test_two_interests_are_both_found_where_a_mean_finds_neither() -> None:
    history = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    items = np.array([[1, 0, 0], [0, 1, 0], [0.6, 0.6, 0.52], [0.5, 0.5, 0.7]], np.float32)
    top = interests.mean_of_largest(history @ items.T, 1)
    assert set(np.argsort(-top)[:2].tolist()) == {0, 1}
    assert set(np.argsort(-(history.mean(axis=0) @ items.T))[:2].tolist()) != {0, 1}


@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
def test_mean_of_largest_is_a_sorted_mean(rows: int, k: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((rows, 4)).astype(np.float32)
    expected = np.sort(values, axis=0)[::-1][: min(k, rows)].mean(axis=0)
    assert np.allclose(interests.mean_of_largest(values, k), expected, atol=1e-6)


def test_recency_halves_at_the_half_life() -> None:
    fade = interests.recency(41, 20.0)
    assert np.allclose(fade[[40, 20, 0]], [1.0, 0.5, 0.25])
