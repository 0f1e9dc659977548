"""Token-budget batches: every row once, within the budget, never two of one key."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.batching import by_length, epoch, fixed, whole_run

lengths_lists = st.lists(st.integers(1, 300), max_size=80)


@given(lengths_lists, st.integers(1, 500))
def test_sorted_batches_hold_every_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = by_length(lengths, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[row] for row in batch) * len(batch) <= budget


@given(lengths_lists, st.integers(1, 500), st.integers(0, 9))
def test_an_epoch_holds_every_row_once_and_depends_on_the_seed_alone(
    lengths: list[int], budget: int, seed: int
) -> None:
    batches = epoch(lengths, budget, np.random.default_rng(seed), bucket=16)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or max(lengths[row] for row in batch) * len(batch) <= budget for batch in batches)
    assert batches == epoch(lengths, budget, np.random.default_rng(seed), bucket=16)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(6, 9)), max_size=40), st.integers(1, 8))
def test_contrastive_batches_never_repeat_a_query_or_a_document(keys: list[tuple[int, int]], size: int) -> None:
    batches = fixed(keys, size, np.random.default_rng(0))
    assert sorted(row for batch in batches for row in batch) == list(range(len(keys)))
    for batch in batches:
        assert len(batch) <= size
        seen = [key for row in batch for key in keys[row]]
        assert len(seen) == len(set(seen))


def test_a_run_is_cut_at_its_steps() -> None:
    assert whole_run([[[1], [2]], [[3]]], 2) == [[1], [2]]
    assert whole_run([[[1], [2]], [[3]]]) == [[1], [2], [3]]
