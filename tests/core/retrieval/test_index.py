"""The vector index does what brute force does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune.errors import InputError
from fieldtune.retrieval.index import FlatIndex


def unit(rng: np.random.Generator, rows: int, dimensions: int = 8) -> np.ndarray:
    vectors = rng.normal(size=(rows, dimensions)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 40), k=st.integers(1, 50), gone=st.integers(0, 10))
def test_search_is_the_sorted_product(seed: int, rows: int, k: int, gone: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, queries = unit(rng, rows), unit(rng, 3)
    ids = rng.permutation(1000)[:rows].astype(np.int64)
    index = FlatIndex(8)
    index.add(ids, vectors)
    index.remove(ids[:gone])
    left = slice(min(gone, rows), None)
    assert len(index) == len(ids[left])
    scores, found = index.search(queries, k)
    product = queries @ vectors[left].T
    assert scores.shape == found.shape == (3, min(k, len(index)))
    np.testing.assert_allclose(scores, -np.sort(-product, axis=1)[:, :k], atol=1e-5)
    for row in range(3):
        assert set(found[row].tolist()) <= set(ids[left].tolist())


def test_adding_a_known_id_replaces_its_vector() -> None:
    index = FlatIndex(2)
    index.add(np.array([7, 9]), np.eye(2, dtype=np.float32))
    index.add(np.array([7]), np.array([[0.0, -1.0]], np.float32))
    assert len(index) == 2
    assert index.search(np.array([[0.0, -1.0]], np.float32), 1)[1].tolist() == [[7]]


def test_wrong_shapes_and_repeated_ids_are_refused() -> None:
    index = FlatIndex(4)
    with pytest.raises(InputError, match="own encoder"):
        index.add(np.array([1]), np.zeros((1, 3), np.float32))
    with pytest.raises(InputError, match="different ids"):
        index.add(np.array([1, 1]), np.zeros((2, 4), np.float32))
    assert index.search(np.zeros((2, 4), np.float32), 3)[0].shape == (2, 0)
