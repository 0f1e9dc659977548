"""ranking: published cases, scikit-learn, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from fieldtune.errors import InputError
from fieldtune.evaluate.ranking import METRICS, per_query, summary


def test_published_dcg_example() -> None:
    """https://en.wikipedia.org/wiki/Discounted_cumulative_gain#Example: nDCG_6 = 6.861 / 8.740 = .785 (D7,
    D8 unseen)."""
    gains = {"D1": 3, "D2": 2, "D3": 3, "D4": 0, "D5": 1, "D6": 2}
    seen = per_query([list(gains)], [gains])["ndcg@10"][0]
    assert seen == pytest.approx(6.861 / 7.141, abs=1e-3)
    ideal_at_10 = 8.740 + 1 / np.log2(8)  # the example cuts at 6: a seventh graded document (1) is left at rank 7
    with_unseen = per_query([list(gains)], [gains | {"D7": 3, "D8": 2}])["ndcg@10"][0]
    assert with_unseen == pytest.approx(6.861 / ideal_at_10, abs=1e-3)


def test_reciprocal_rank_example() -> None:
    """https://en.wikipedia.org/wiki/Mean_reciprocal_rank: ranks 3, 2, 1 give 11 / 18."""
    ranked = [["catten", "cati", "cats"], ["torii", "tori", "toruses"], ["viruses", "virii", "viri"]]
    scores = per_query(ranked, [{"cats"}, {"tori"}, {"viruses"}])
    assert summary(scores)["mrr@10"] == pytest.approx(11 / 18)
    assert scores["recall@1"].tolist() == [0.0, 0.0, 1.0]
    assert scores["recall@5"].tolist() == [1.0, 1.0, 1.0]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=25).filter(any), st.randoms(use_true_random=False))
def test_ndcg_is_scikit_learns(gains: list[int], random: object) -> None:
    order = list(range(len(gains)))
    random.shuffle(order)  # type: ignore[attr-defined]
    scores = np.empty(len(gains))
    scores[order] = -np.arange(len(gains))
    ours = per_query([order], [dict(enumerate(gains))])["ndcg@10"][0]
    assert ours == pytest.approx(ndcg_score([gains], [scores], k=10))


@given(st.lists(st.integers(0, 30), max_size=30, unique=True), st.sets(st.integers(0, 30), min_size=1))
def test_bounds_and_order(ranked: list[int], relevant: set[int]) -> None:
    scores = {name: values[0] for name, values in per_query([ranked], [relevant]).items()}
    assert all(0.0 <= value <= 1.0 + 1e-12 for value in scores.values())
    assert scores["recall@1"] <= scores["recall@5"] <= scores["recall@10"]
    assert (scores["mrr@10"] > 0) == (scores["recall@10"] > 0) == (scores["ndcg@10"] > 0)


def test_a_repeated_item_earns_once() -> None:
    once = per_query([["a", "x", "x"]], [{"a", "b"}])
    twice = per_query([["a", "a", "a"]], [{"a", "b"}])
    assert {name: once[name][0] for name in METRICS} == {name: twice[name][0] for name in METRICS}


def test_empty_list_scores_nothing_and_no_query_gives_nan() -> None:
    assert summary(per_query([[]], [{"a"}])) == dict.fromkeys(METRICS, 0.0)
    assert all(np.isnan(value) for value in summary(per_query([], [])).values())


def test_refuses() -> None:
    with pytest.raises(InputError, match="query 1"):
        per_query([["a"], ["b"]], [{"a"}, set()])
    with pytest.raises(InputError):
        per_query([["a"]], [])
