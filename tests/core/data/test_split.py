"""split: properties."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.data.split import stratified
from fieldtune.errors import InputError

SHARES = st.floats(0.01, 0.99)


@given(st.lists(st.sampled_from("aaabbc"), min_size=1, max_size=80), SHARES, st.integers(0, 9))
def test_stratified(labels: list[str], share: float, seed: int) -> None:
    train, held_out = stratified(labels, share, np.random.default_rng(seed))
    assert sorted([*train, *held_out]) == list(range(len(labels)))
    assert list(train) == sorted(train) and list(held_out) == sorted(held_out)
    counts, held = Counter(labels), Counter(labels[i] for i in held_out)
    for label, count in counts.items():
        assert held[label] <= count - 1
        assert abs(held[label] - min(share * count, count - 1)) <= 1
    assert len(held_out) <= round(share * len(labels))
    if all(share * count <= count - 1 for count in counts.values()):
        assert len(held_out) == round(share * len(labels))


@given(st.lists(st.tuples(st.sampled_from("aab"), st.integers(0, 12)), min_size=1, max_size=80), st.integers(0, 9))
def test_a_group_stays_on_one_side(rows: list[tuple[str, int]], seed: int) -> None:
    labels, groups = [label for label, _ in rows], [group for _, group in rows]
    train, held_out = stratified(labels, 0.2, np.random.default_rng(seed), groups)
    assert sorted([*train, *held_out]) == list(range(len(rows)))
    assert not {groups[row] for row in train} & {groups[row] for row in held_out}
    assert {labels[row] for row in train} == set(labels)


def test_groups_of_a_label_are_held_out_in_its_share() -> None:
    labels, groups = ["a"] * 60 + ["b"] * 40, [row // 2 for row in range(100)]
    _, held_out = stratified(labels, 0.1, np.random.default_rng(0), groups)
    assert [labels[row] for row in held_out] == ["a"] * 6 + ["b"] * 4
    _, held_out = stratified(["a"] * 30, 0.1, np.random.default_rng(0), [row // 10 for row in range(30)])
    assert len(held_out) == 10  # nothing smaller is there
    _, held_out = stratified(["a"] * 30, 0.1, np.random.default_rng(0), ["one text"] * 30)
    assert len(held_out) == 0


def test_a_seed_repeats_and_another_differs() -> None:
    labels = ["a", "b"] * 50
    first, again, other = (stratified(labels, 0.2, np.random.default_rng(seed))[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_rows_are_drawn_evenly() -> None:
    labels, drawn = ["a"] * 12 + ["b"] * 8, np.zeros(20)
    rng = np.random.default_rng(3)
    for _ in range(2000):
        drawn[stratified(labels, 0.25, rng)[1]] += 1
    assert np.abs(drawn / 2000 - 0.25).max() < 0.05


def test_refuses() -> None:
    rng = np.random.default_rng(0)
    for labels, share in (([], 0.2), (["a"], 0.0), (["a"], 1.0)):
        with pytest.raises(InputError):
            stratified(labels, share, rng)
