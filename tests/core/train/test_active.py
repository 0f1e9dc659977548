"""Active learning's choices against slow versions written out, and the stopping rule against scikit-learn's kappa."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from fieldtune.errors import InputError
from fieldtune.train.active import STRATEGIES, agreement, choose_rows, doubt, due, enough


def unit(rng: np.random.Generator, rows: int) -> np.ndarray:
    vectors = rng.normal(size=(rows, 6)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_doubt_is_one_less_the_margin() -> None:
    told = np.array([[0.5, 0.3, 0.2], [0.9, 0.1, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(doubt(told), [0.8, 0.2, 1.0])
    np.testing.assert_allclose(doubt(np.ones((2, 1))), 0)


def test_kcentre_takes_each_time_the_farthest_from_all_before() -> None:
    rng = np.random.default_rng(0)
    vectors, labelled, doubts = unit(rng, 60), unit(rng, 4), rng.random(60)
    near = np.argsort(-doubts)[:50]
    taken: list[int] = []
    for _ in range(5):
        far = [min(1 - vectors[row] @ other for other in [*labelled, *vectors[taken]]) for row in near]
        taken.append(int(near[int(np.argmax(far))]))
    assert choose_rows("margin-kcentre", doubts, vectors.__getitem__, lambda: labelled, 5, rng).tolist() == taken
    first = choose_rows("margin-kcentre", doubts, vectors.__getitem__, lambda: labelled[:0], 3, rng)
    assert first[0] == doubts.argmax()


def test_only_the_least_sure_rows_are_looked_at() -> None:
    rng = np.random.default_rng(0)
    vectors, doubts = unit(rng, 200), rng.permutation(200) / 200
    for strategy in STRATEGIES:
        asked: list[list[int]] = []

        def look(rows: np.ndarray, asked: list[list[int]] = asked) -> np.ndarray:
            asked.append(rows.tolist())
            return vectors[rows]

        choose_rows(strategy, doubts, look, lambda: vectors[:3], 4, rng)
        wanted = [np.argsort(-doubts)[:40].tolist()] if "-" in strategy else []
        assert asked == wanted


def test_margin_takes_the_least_sure_and_random_any() -> None:
    rng = np.random.default_rng(0)
    vectors, doubts = unit(rng, 30), rng.random(30)
    assert (
        choose_rows("margin", doubts, vectors.__getitem__, lambda: vectors[:0], 4, rng).tolist()
        == np.argsort(-doubts)[:4].tolist()
    )
    drawn = np.concatenate(
        [choose_rows("random", doubts, vectors.__getitem__, lambda: vectors[:0], 3, rng) for _ in range(100)]
    )
    assert len(set(drawn.tolist())) == 30


def test_kmeans_asks_once_for_many_rows_that_say_the_same() -> None:
    rng = np.random.default_rng(0)
    places = unit(rng, 4)
    vectors = np.repeat(places, 20, axis=0) + 0.01 * rng.normal(size=(80, 6)).astype(np.float32)
    doubts = np.full(80, 0.5)
    doubts[:20] = 0.6  # one place is a little less sure than the rest: margin alone would ask for nothing else
    chosen = choose_rows("margin-kmeans", doubts, vectors.__getitem__, lambda: vectors[:0], 8, rng)
    assert set((choose_rows("margin", doubts, vectors.__getitem__, lambda: vectors[:0], 8, rng) // 20).tolist()) == {0}
    assert set((chosen // 20).tolist()) == {0, 1, 2, 3}


def test_a_cluster_lies_where_its_doubts_are() -> None:
    ends = np.eye(2, dtype=np.float32)
    vectors, doubts = ends[[0] * 4 + [1] * 6], np.array([0.9] * 4 + [0.1] * 6)
    chosen = choose_rows("margin-kmeans", doubts, vectors.__getitem__, lambda: vectors[:0], 1, np.random.default_rng(0))
    assert chosen[0] < 4  # the middle of all ten lies nearer to the six


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("rows", "count"), [(0, 3), (2, 5), (40, 1), (40, 40), (40, 0)])
def test_any_number_of_rows_gives_distinct_ones(strategy: str, rows: int, count: int) -> None:
    rng = np.random.default_rng(0)
    vectors = np.repeat(unit(rng, 1), rows, axis=0)  # all the same text
    chosen = choose_rows(strategy, np.full(rows, 0.5), vectors.__getitem__, lambda: vectors[:0], count, rng)
    assert len(set(chosen.tolist())) == len(chosen) == min(rows, count)


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(InputError, match="margin-kmeans"):
        choose_rows(
            "entropy",
            np.ones(2),
            np.eye(2, dtype=np.float32).__getitem__,
            lambda: np.eye(2, dtype=np.float32),
            1,
            np.random.default_rng(0),
        )


def test_agreement_is_cohens_kappa_and_three_high_ones_are_enough() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        left, right = rng.integers(0, 3, (2, 50)).astype(str).tolist()
        assert agreement(left, right) == pytest.approx(cohen_kappa_score(left, right))
    assert agreement(["a", "a"], ["a", "a"]) == 1.0
    assert [enough(told) for told in ([1.0, 1.0], [0.5, 1.0, 0.99, 0.99], [1.0, 0.9, 1.0])] == [False, True, False]
    assert [due(before, labels) for before, labels in ((None, 1), (100, 109), (100, 111))] == [True, False, True]
    with pytest.raises(InputError):
        agreement(["a"], [])
