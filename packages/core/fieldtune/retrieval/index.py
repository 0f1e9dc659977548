"""Nearest vectors by inner product: exact search, right up to about 100,000 vectors.

Knows not what an id stands for, and writes no files: callers keep the vectors.
"""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError, MissingExtraError

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]


class FlatIndex:
    """Exact inner-product search by FAISS over vectors under integer ids; adding a known id replaces its vector."""

    def __init__(self, dimensions: int) -> None:
        faiss = _faiss()
        self._dimensions = dimensions
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions))

    def add(self, ids: Ids, vectors: Vectors) -> None:
        ids, vectors = _checked(ids, vectors, self._dimensions)
        self._index.remove_ids(ids)
        self._index.add_with_ids(vectors, ids)

    def remove(self, ids: Ids) -> None:
        self._index.remove_ids(np.asarray(ids, np.int64))

    def search(self, vectors: Vectors, k: int) -> tuple[Vectors, Ids]:
        """Scores float32[q, min(k, len)] falling, and their ids int64 of the same shape."""
        queries = _matrix(vectors, self._dimensions)
        k = min(k, len(self))
        if k <= 0 or not len(queries):
            return np.zeros((len(queries), max(k, 0)), np.float32), np.zeros((len(queries), max(k, 0)), np.int64)
        scores, ids = self._index.search(queries, k)
        return scores, ids

    def __len__(self) -> int:
        return int(self._index.ntotal)


def _faiss() -> Any:
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise MissingExtraError(
            "faiss for vector search", "it is not installed", "pip install 'fieldtune[chatbot]'"
        ) from error


def _matrix(vectors: Vectors, dimensions: int) -> Vectors:
    matrix = np.ascontiguousarray(vectors, np.float32)
    if matrix.ndim != 2 or matrix.shape[1] != dimensions:
        raise InputError(
            f"vectors of shape [n, {dimensions}]",
            f"shape {list(matrix.shape)}",
            "encode with the index's own encoder",
        )
    return matrix


def _checked(ids: Ids, vectors: Vectors, dimensions: int) -> tuple[Ids, Vectors]:
    matrix, numbers = _matrix(vectors, dimensions), np.asarray(ids, np.int64)
    if len(numbers) != len(matrix) or len(np.unique(numbers)) != len(numbers):
        raise InputError(
            f"{len(matrix)} different ids, one per vector",
            f"{len(np.unique(numbers))} different ids",
            "give each once",
        )
    return numbers, matrix
