"""Who is asked, what is right, and fair ties."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import ndcg_score

from fieldtune_recommender import evaluation
from fieldtune_recommender.records import Log, Taste

NONE = np.zeros(0, np.int32)


def nobody(seen: list[int] | None = None) -> Taste:
    empty = np.zeros(0, np.float32)
    return Taste(NONE, empty, empty, NONE, np.array(seen or [], np.int32))


def test_right_answers_are_new_known_and_positive(log_of: Callable[..., Log]) -> None:
    past = log_of((0, 1, 1.0), (1, 2, 1.0))
    future = log_of((0, 1, 1.0), (0, 3, 1.0), (0, 3, 1.0), (1, 4, -0.6), (1, 5, 1.0), (2, 3, 1.0))
    known = np.ones(6, bool)
    known[5] = False
    asked = evaluation.queries(past, future, known, 3)
    assert asked.users.tolist() == [0, 2]
    assert asked.relevant == (frozenset({3}), frozenset({3}))
    assert asked.history.tolist() == [1, 0]
    assert asked.unreachable == 1
    assert asked.having(1).tolist() == [0] and asked.having(0, 0).tolist() == [1]


def test_users_beyond_the_log_are_new_users(log_of: Callable[..., Log]) -> None:
    asked = evaluation.queries(log_of((0, 1, 1.0)), log_of((7, 2, 1.0)), np.ones(4, bool), 1)
    assert asked.users.tolist() == [7] and asked.history.tolist() == [0]


def test_a_constant_score_earns_what_chance_earns() -> None:
    n, rng = 200, np.random.default_rng(0)
    hits = []
    for _ in range(400):
        top = evaluation.best(np.zeros(n, np.float32), nobody(), np.ones(n, bool), rng.permutation(n), depth=10)
        hits.append(len(set(top.tolist()) & set(range(10))))
    assert abs(np.mean(hits) - 10 * 10 / n) < 0.1


def test_seen_and_unknown_items_stay_out() -> None:
    scores = np.array([5, 4, 3, 2, -np.inf], np.float32)
    known = np.array([True, True, False, True, True])
    top = evaluation.best(scores, nobody([0]), known, np.arange(5))
    assert top.tolist() == [1, 3]


def test_figures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random((20, 50)).astype(np.float32)
    right = [frozenset(rng.choice(50, 4, replace=False).tolist()) for _ in range(20)]
    order = np.arange(50)
    lists = [evaluation.best(row, nobody(), np.ones(50, bool), order) for row in scores]
    truth = np.array([[item in one for item in range(50)] for one in right], float)
    found = evaluation.measure(lists, right)
    expected = [ndcg_score(truth[[i]], scores[[i]], k=10) for i in range(20)]
    assert np.allclose(found["ndcg@10"], expected)
    at20 = [len(set(np.argsort(-row)[:20].tolist()) & one) / 4 for row, one in zip(scores, right, strict=True)]
    assert np.allclose(found["recall@20"], at20)


def test_intervals_are_of_ours_minus_theirs() -> None:
    ours, theirs = np.full(50, 0.5), np.linspace(0, 0.4, 50)
    gain = evaluation.compare({"ours": ours, "theirs": theirs}, "ours", np.random.default_rng(0))
    assert set(gain) == {"theirs"}
    assert 0 < gain["theirs"].low < gain["theirs"].mean < gain["theirs"].high


def test_coverage_counts_items_once() -> None:
    assert evaluation.coverage([np.array([1, 2]), np.array([2, 3])], 10, k=2) == 0.3
