"""Hard negatives: documents that a search puts near a query although they do not answer it.

Learning from what is nearly right teaches more than learning from what is far off (Karpukhin et al. 2020,
arXiv 2004.04906). A search by words or by vectors proposes; what is known to be right is left out.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from fieldtune.retrieval.highest import highest

Search = Callable[[Sequence[str], int], NDArray[np.int64]]
"""Queries and a depth -> places of documents, best first, int64 ``[queries, at most depth]``."""
_BLOCK = 1024
_SPARE = 20  # documents looked at beyond the wanted ones: the right ones are among the nearest


def hard_negatives(
    queries: Sequence[str],
    documents: Sequence[str],
    right: Sequence[set[Hashable]],
    k: int,
    search: Search,
    key: Callable[[str], Hashable],
) -> list[list[int]]:
    """Per query at most ``k`` places of ``documents``, nearest first, each text once.

    Args:
        right: per query, the keys of all documents known to answer it.
        search: over these documents.
        key: equal for texts that say the same; a document that says what the query says, or what a right document
            says, is no negative.
    """
    keys = [key(document) for document in documents]
    depth = min(len(documents), k + _SPARE + max(map(len, right), default=0))
    found: list[list[int]] = []
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        for row, places in enumerate(search(block, depth), start):
            taken = {*right[row], key(queries[row])}
            chosen: list[int] = []
            for place in places.tolist():
                if keys[place] not in taken and len(chosen) < k:
                    taken.add(keys[place])
                    chosen.append(place)
            found.append(chosen)
    return found


def by_vectors(encode: Callable[[Sequence[str]], NDArray[np.float32]], documents: Sequence[str]) -> Search:
    """Search by inner product of ``encode``'s rows, exact."""
    vectors = encode(documents)

    def search(queries: Sequence[str], depth: int) -> NDArray[np.int64]:
        scores = encode(queries) @ vectors.T
        return np.stack([highest(row, depth) for row in scores])

    return search


def by_words(documents: Sequence[str]) -> Search:
    """Search by BM25.

    Raises:
        MissingExtraError: without the extra that brings it.
    """
    from fieldtune.retrieval.bm25 import Bm25

    index = Bm25.build(documents)

    def search(queries: Sequence[str], depth: int) -> NDArray[np.int64]:
        return index.search(queries, depth)[1]

    return search
