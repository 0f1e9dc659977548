"""duplicates: against exact Jaccard similarity of shingle sets."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.errors import InputError
from fieldtune.text.duplicates import SHINGLE, StoryIndex, signatures, similarity
from fieldtune.text.normalise import equality_key

VOCABULARY = (
    "bank rate profit falls rises quarter market shares deal court strike loan credit dollar oil outlook "
    "cut fine merger record loss growth index fund bond 银行 利率 下调 股价 大跌 财报 监管 罚款 收购 增长 "
    "亏损 市场 央行 贷款"
)
WORDS = VOCABULARY.split()


@cache
def shingles(text: str) -> set[str]:
    key = equality_key(text)
    return {key[i : i + SHINGLE] for i in range(max(len(key) - SHINGLE + 1, 1))}


def jaccard(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def stories(rng: np.random.Generator, count: int) -> list[str]:
    """Headlines of 6 to 18 words, a third of them edited copies of an earlier one."""
    texts: list[str] = []
    for _ in range(count):
        if texts and rng.random() < 1 / 3:
            words = texts[rng.integers(len(texts))].split()
            for _ in range(rng.integers(0, 4)):
                words[rng.integers(len(words))] = str(rng.choice(WORDS))
        else:
            words = rng.choice(WORDS, rng.integers(6, 19)).tolist()
        texts.append(" ".join(words))
    return texts


def test_estimates_are_jaccard_within_their_error() -> None:
    texts = stories(np.random.default_rng(0), 200)
    table = signatures(texts)
    pairs = [(i, j) for i in range(200) for j in range(i)]
    errors = np.array([similarity(table[i], table[j]) - jaccard(texts[i], texts[j]) for i, j in pairs])
    # Binomial: variance s (1 - s) / 128, so .045 at most; a bias would show in the mean.
    assert abs(errors.mean()) < 0.005
    assert np.abs(errors).max() < 0.045 * 5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_index_finds_what_brute_force_finds(seed: int) -> None:
    texts = stories(np.random.default_rng(seed), 400)
    table, index = signatures(texts), StoryIndex()
    close = far = found = false = 0
    for i, text in enumerate(texts):
        best = max((jaccard(text, earlier) for earlier in texts[:i]), default=0.0)
        match = index.match(table[i])
        if best >= 0.8:
            close, found = close + 1, found + (match is not None)
        if best < 0.55:
            far, false = far + 1, false + (match is not None)
        if match is not None:
            assert jaccard(text, texts[int(match)]) > 0.5
        index.add(str(i), table[i], at=float(i))
    assert close > 30 and far > 30
    assert found / close >= 0.97
    assert false / far <= 0.01


def test_lsh_loses_nothing_that_signatures_find() -> None:
    texts = stories(np.random.default_rng(4), 400)
    table, index = signatures(texts), StoryIndex()
    index.add_many([str(i) for i in range(200)], table[:200], range(200))
    expected = [similarity(table[:200], row).max() >= 0.7 for row in table[200:]]
    assert [index.match(row) is not None for row in table[200:]] == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bank shares fall after profit warning", "BANK SHARES FALL AFTER PROFIT WARNING!"),
        ("潮汐銀行第一季度利潤下降百分之二十", "潮汐银行第一季度利润下降百分之二十。"),
        ("hi", "Hi."),
    ],
)
def test_same_story(one: str, other: str) -> None:
    index = StoryIndex()
    index.add("first", signatures([one])[0])
    assert index.match(signatures([other])[0]) == "first"


def test_empty_texts_are_no_story() -> None:
    index = StoryIndex()
    index.add("none", signatures(["..."])[0])
    assert len(index) == 0
    assert index.match(signatures([""])[0]) is None


@given(st.lists(st.text(max_size=12), max_size=8))
def test_a_batch_is_its_rows(texts: list[str]) -> None:
    table = signatures(texts, permutations=16)
    assert table.shape == (len(texts), 16) and table.dtype == np.uint32
    for row, text in zip(table, texts, strict=True):
        np.testing.assert_array_equal(row, signatures([text], permutations=16)[0])


def test_long_batches_are_chunked_alike() -> None:
    texts = stories(np.random.default_rng(5), 2000)
    np.testing.assert_array_equal(signatures(texts)[1500:], signatures(texts[1500:]))


def test_signatures_never_change() -> None:
    """Stored signatures must stay comparable with new ones."""
    assert signatures(["Tidewater cuts rates"])[0].tolist()[:4] == [80620442, 102742200, 182592104, 22840108]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), max_size=25), st.integers(0, 20))
def test_eviction_is_a_rebuild_without_the_old(rows: list[tuple[int, int]], before: int) -> None:
    table = signatures([f"story number {i} of bank {'xyz' * i}" for i in range(10)], 32)
    index, rebuilt = StoryIndex(permutations=32), StoryIndex(permutations=32)
    for n, (story, at) in enumerate(rows):
        index.add(str(n), table[story], at=at)
    kept = [(str(n), story, at) for n, (story, at) in enumerate(rows) if at >= before]
    rebuilt.add_many([n for n, _, _ in kept], table[[s for _, s, _ in kept]], [at for _, _, at in kept])
    assert index.evict(before) == len(rows) - len(kept)
    assert len(index) == len(rebuilt) == len(kept)
    for row in table:
        assert index.match(row) == rebuilt.match(row)
    index.evict(10**9)
    assert len(index) == 0 and not index._bands


def test_refuses() -> None:
    with pytest.raises(InputError):
        StoryIndex(threshold=0.3)
    with pytest.raises(InputError):
        StoryIndex().match(signatures(["a"], permutations=64)[0])
