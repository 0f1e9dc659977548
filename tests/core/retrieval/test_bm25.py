"""BM25 against the formula computed by hand, both languages, and the file round trip."""

import math
from pathlib import Path

import numpy as np
import pytest

from fieldtune.errors import ArtefactError
from fieldtune.retrieval.bm25 import Bm25, analyse

TEXTS = [
    "Freeze the card in the app.",
    "A frozen card cannot pay; freezing is free.",
    "Refunds arrive within five days. Error ERR-4012 means the shop refused.",
    "冻结银行卡立即生效",
    "退款五天内到账",
]


def by_hand(query: str, place: int, k1: float = 1.2, b: float = 0.75) -> float:
    """Lucene's formula, term by term (Kamphuis et al. 2020, variant 'Lucene (accurate)')."""
    rows = [analyse(text) for text in TEXTS]
    mean = sum(map(len, rows)) / len(rows)
    total = 0.0
    for term in analyse(query):
        holders = sum(term in row for row in rows)
        count = rows[place].count(term)
        idf = math.log(1 + (len(rows) - holders + 0.5) / (holders + 0.5))
        total += idf * count / (count + k1 * (1 - b + b * len(rows[place]) / mean))
    return total


@pytest.mark.parametrize("query", ["how do I freeze my card", "refund ERR-4012", "银行卡怎么冻结", "card card refunds"])
def test_scores_follow_the_published_formula(query: str) -> None:
    expected = [by_hand(query, place) for place in range(len(TEXTS))]
    np.testing.assert_allclose(Bm25.build(TEXTS).scores(query), expected, rtol=1e-5, atol=1e-6)


def test_a_text_scores_outside_the_index_what_it_scores_inside() -> None:
    index = Bm25.build(TEXTS)
    for place, text in enumerate(TEXTS):
        assert index.score_of("freeze card refund 退款", text) == pytest.approx(
            float(index.scores("freeze card refund 退款")[place]), rel=1e-5
        )


def test_stems_keeps_codes_and_negation() -> None:
    assert analyse("The refunds of ERR-4012 did not arrive") == [
        "refund",
        "err",
        "4012",
        "err-4012",
        "not",
        "arriv",
    ]


def test_chinese_matches_by_characters_and_pairs() -> None:
    assert analyse("冻结卡") == ["冻", "结", "卡", "冻结", "结卡"]
    _, found = Bm25.build(TEXTS).search(["我的银行卡要冻结", "退款"], 1)
    assert found[:, 0].tolist() == [3, 4]


def test_ceiling_bounds_every_score_and_counts_unseen_words() -> None:
    index = Bm25.build(TEXTS)
    for query in TEXTS:
        assert 0 < index.scores(query).max() < index.ceiling(query)
    assert index.ceiling("card xylophone") > index.ceiling("card")


@pytest.mark.parametrize("query", ["", "the of", "xylophone", "🙂🙂", "x" * 20_000])
def test_nothing_in_common_scores_zero(query: str) -> None:
    assert not Bm25.build(TEXTS).scores(query).any()


def test_search_is_the_order_of_the_scores() -> None:
    index = Bm25.build(TEXTS)
    scores, found = index.search(["card"], 99)
    expected = np.argsort(-index.scores("card"), kind="stable")
    assert found[0].tolist() == expected.tolist()
    assert (np.diff(scores[0]) <= 0).all()


def test_saved_index_is_the_same_and_bytes_repeat(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Bm25.build(TEXTS).save(tmp_path / name)
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    loaded = Bm25.load(tmp_path / "one")
    np.testing.assert_array_equal(loaded.scores("card 退款"), Bm25.build(TEXTS).scores("card 退款"))
    assert loaded.ceiling("card") == Bm25.build(TEXTS).ceiling("card")
    assert not [file for file in tmp_path.rglob("*.*") if file.is_file() and file.read_bytes()[:1] == b"\x80"]


@pytest.mark.parametrize("texts", [[], ["", "the"]])
def test_empty_indexes_work(texts: list[str], tmp_path: Path) -> None:
    Bm25.build(texts).save(tmp_path)
    index = Bm25.load(tmp_path)
    assert index.scores("card").shape == (len(texts),)
    assert index.search(["card"], 3)[1].shape == (1, len(texts))


def test_missing_index_is_an_artefact_error(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="build it again"):
        Bm25.load(tmp_path)
