"""What the tower is taught: same user, soon after, different texts, popular items held down."""

from collections.abc import Callable

import numpy as np
import pytest

from fieldtune_recommender import pairs
from fieldtune_recommender.records import Catalogue, Log


def catalogue(*texts: str) -> Catalogue:
    n = len(texts)
    return Catalogue(tuple(map(str, range(n))), texts, texts, ("en",) * n, np.full(n, np.nan))


def test_pairs_stay_within_a_user_and_within_reach(log_of: Callable[..., Log]) -> None:
    log = log_of((0, 1, 1.0), (1, 5, 1.0), (0, 2, 0.4), (0, 2, 1.0), (0, 3, -0.6), (0, 4, 1.0))
    both, strength = pairs.following(log, reach=2)
    assert sorted(map(tuple, both.tolist())) == [(1, 2), (1, 2), (2, 4), (2, 4)]
    assert sorted(strength.tolist()) == pytest.approx([0.4, 0.4, 1.0, 1.0])


def test_equal_and_empty_texts_teach_nothing(log_of: Callable[..., Log]) -> None:
    log = log_of((0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0))
    made = pairs.table(log, catalogue("tea", "tea", "", "pot"), 10, np.random.default_rng(0))
    assert set(made.itertuples(index=False, name=None)) == {("tea", "pot")}


def test_unreadable_texts_teach_nothing(log_of: Callable[..., Log]) -> None:
    log = log_of((0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0))
    allowed = np.array([True, False, True])
    made = pairs.table(log, catalogue("tea", "壶", "pot"), 10, np.random.default_rng(0), allowed)
    assert set(made.itertuples(index=False, name=None)) == {("tea", "pot")}


def test_popular_items_do_not_fill_the_table(log_of: Callable[..., Log]) -> None:
    rows = [(user, item, 1.0) for user in range(60) for item in (0, 1 + user % 10, 0, 11 + user % 10)]
    log = log_of(*rows)
    made = pairs.table(log, catalogue(*(f"t{number}" for number in range(21))), 10, np.random.default_rng(0))
    plain, _ = pairs.following(log)
    share = float((made == "t0").to_numpy().any(axis=1).mean())
    assert share < float((plain == 0).any(axis=1).mean())


def test_a_log_without_pairs_gives_an_empty_table(log_of: Callable[..., Log]) -> None:
    made = pairs.table(log_of((0, 0, 1.0)), catalogue("tea"), 10, np.random.default_rng(0))
    assert list(made.columns) == ["query", "positive"] and made.empty
