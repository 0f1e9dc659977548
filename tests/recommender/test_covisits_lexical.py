"""Item-kNN and BM25 against brute force."""

import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from fieldtune_recommender import covisits, lexical
from fieldtune_recommender.records import LONGEST, Log, Taste


def test_neighbours_are_damped_cosines(log_of: Callable[..., Log]) -> None:
    log = log_of((0, 0, 1.0), (0, 1, 0.5), (1, 0, 1.0), (1, 1, 1.0), (1, 2, 1.0), (2, 2, 1.0), (2, 0, -0.6))
    likes = covisits.matrix(log, 3, 4)
    found = covisits.neighbours(likes, shrinkage=2.0).toarray()
    binary = (likes.toarray() > 0).astype(float)
    together = binary.T @ binary
    counts = np.diag(together).copy()
    expected = together / (np.sqrt(np.outer(counts, counts)) + 2.0)
    np.fill_diagonal(expected, 0)
    assert np.allclose(found, expected, atol=1e-6)


def test_only_the_largest_neighbours_are_kept(log_of: Callable[..., Log]) -> None:
    rows = [(user, item, 1.0) for user in range(6) for item in range(user + 1)]
    found = covisits.neighbours(covisits.matrix(log_of(*rows), 6, 6), top=2)
    assert (np.diff(found.indptr) <= 2).all()
    dense = covisits.neighbours(covisits.matrix(log_of(*rows), 6, 6), top=6).toarray()
    for row in range(6):
        kept = np.sort(found[[row]].toarray().ravel())[::-1]
        assert np.allclose(kept, np.where(np.arange(6) < 2, np.sort(dense[row])[::-1], 0))


def test_a_heavy_user_counts_with_the_latest_items(log_of: Callable[..., Log]) -> None:
    items = [*range(2 * LONGEST), 0, 1]  # the first two are liked again at the end
    likes = covisits.matrix(log_of((1, 7, 1.0), *((0, item, 0.5) for item in items)), 2, 2 * LONGEST)
    assert likes[0].nnz == LONGEST
    assert sorted(likes[0].indices) == [0, 1, *range(LONGEST + 2, 2 * LONGEST)]
    assert likes[1].indices.tolist() == [7]


def test_neighbours_are_found_in_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = np.random.default_rng(0).random((40, 1500)) < 0.7
    likes = sparse.csr_matrix(dense.astype(np.float32))
    whole = covisits.neighbours(likes, top=5)
    monkeypatch.setattr(covisits, "ENTRIES", 60_000, raising=False)
    tracemalloc.start()
    found = covisits.neighbours(likes, top=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found != whole).nnz == 0
    assert peak < 8_000_000  # the whole product takes 18 MB for its entries alone


def test_scores_add_up_over_the_history(log_of: Callable[..., Log]) -> None:
    table = covisits.neighbours(covisits.matrix(log_of((0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0)), 1, 4))
    none = np.zeros(0, np.int32)
    taste = Taste(np.array([0, 1], np.int32), np.array([0.5, 1.0], np.float32), np.zeros(2, np.float32), none, none)
    dense = table.toarray()
    assert np.allclose(covisits.scores(taste, table, taste.weights), 0.5 * dense[0] + dense[1])


words = st.lists(st.sampled_from("abcdefg"), max_size=6)


@given(st.lists(words, min_size=1, max_size=8), words)
def test_bm25_agrees_with_the_formula(documents: list[list[str]], asked: list[str]) -> None:
    built = lexical.index(documents)
    found = lexical.scores(built, lexical.sentence(built, asked))
    n, mean = len(documents), max(sum(map(len, documents)) / len(documents), 1.0)
    for row, document in enumerate(documents):
        expected = 0.0
        for term in asked:
            df = sum(term in other for other in documents)
            tf = document.count(term)
            if tf:
                idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
                expected += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(document) / mean))
        assert math.isclose(found[row], expected, rel_tol=1e-4, abs_tol=1e-6)


def test_a_history_asks_with_the_words_of_its_items() -> None:
    built = lexical.index([["tea", "pot"], ["tea", "cup"], ["boot"]])
    asked = lexical.query(built, np.array([0]), np.ones(1, np.float32))
    found = lexical.scores(built, asked)
    assert found[0] > found[1] > found[2] == 0
    assert lexical.shared(built, 1, np.array([0])) == ["tea"]


def test_words_that_stand_everywhere_explain_nothing() -> None:
    built = lexical.index([["the", "x", f"word{number}"] for number in range(100)])
    assert lexical.telling(built, ["the", "x", "word7", "word8", "word7"]) == ("word7", "word8")


def test_of_a_sentence_the_rare_words_are_named_and_the_rarest_however_common() -> None:
    built = lexical.index(
        [["cheese", "for", "the"], *[["cheese", "for", "the", f"w{number}"] for number in range(100)]]
    )

    def named(item: int, *tokens: str) -> tuple[str, ...]:
        return lexical.asked_for(built, item, lexical.sentence(built, tokens))

    assert named(8, "cheese") == ("cheese",)
    assert named(8, "the", "w7") == ("w7",)
    assert named(0, "the", "w7") == () == named(8, "unknown")
    chinese = lexical.index([["绿", "茶", "绿茶"], ["茶"]])
    assert lexical.asked_for(chinese, 0, lexical.sentence(chinese, ["绿", "茶", "绿茶"])) == ("绿茶",)


def test_an_empty_history_asks_nothing() -> None:
    built = lexical.index([["tea"], []])
    assert lexical.scores(built, lexical.query(built, np.zeros(0, int), np.zeros(0, np.float32))).tolist() == [0, 0]
