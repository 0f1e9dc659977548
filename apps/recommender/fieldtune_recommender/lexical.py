"""BM25 from a history (or a sentence) to items, as one sparse product. Knows tokens, not language or meaning.

Source: Robertson and Zaragoza 2009, with the never-negative idf of Lucene.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fieldtune_recommender.records import Flags, Floats

K1 = 1.2
B = 0.75
QUERY_TERMS = 200
COMMON = 0.05
"""Share of the items above which a shared word explains nothing."""


@dataclass(frozen=True, slots=True)
class LexicalIndex:
    """BM25 of every item.

    Attributes:
        weights: float32 items x terms. terms: token -> column. names: column -> token.
        frequency: int64[terms], in how many items each stands.
    """

    weights: sparse.csr_matrix
    terms: dict[str, int]
    names: tuple[str, ...]
    frequency: np.ndarray


def index(
    documents: Iterable[Sequence[str]], counted: Flags | None = None, *, k1: float = K1, b: float = B
) -> LexicalIndex:
    """BM25 weights of tokenised documents, in their order. Empty documents are fine.

    Args:
        counted: bool[documents], which of them are there; the others must be empty. None for all.
    """
    terms: dict[str, int] = {}
    rows: list[int] = []
    columns: list[int] = []
    counts: list[int] = []
    lengths: list[int] = []
    for row, tokens in enumerate(documents):
        found = Counter(terms.setdefault(token, len(terms)) for token in tokens)
        rows += [row] * len(found)
        columns += found.keys()
        counts += found.values()
        lengths.append(len(tokens))
    size, width = len(lengths), max(len(terms), 1)
    n = size if counted is None else int(counted.sum())
    tf = np.array(counts, np.float32)
    length = np.array(lengths, np.float32)
    mean = max(float(length.sum()) / max(n, 1), 1.0)
    frequency = np.bincount(np.array(columns, int), minlength=width)
    idf = np.log1p((n - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
    at, column = np.array(rows, int), np.array(columns, int)
    saturated = tf * (k1 + 1) / (tf + k1 * (1 - b + b * length[at] / mean))
    table = sparse.csr_matrix((saturated * idf[column], (at, column)), shape=(size, width))
    return LexicalIndex(table.astype(np.float32), terms, tuple(terms), frequency)


def query(lexicon: LexicalIndex, items: np.ndarray, weights: Floats) -> sparse.csr_matrix:
    """One sparse query row: the terms of a history's items, weighted, the strongest kept."""
    present = lexicon.weights[items]
    present.data = np.ones_like(present.data)
    row = sparse.csr_matrix(sparse.csr_matrix(weights[None, :].astype(np.float32)) @ present)
    if row.nnz > QUERY_TERMS:
        kept = np.lexsort((row.indices, -row.data))[:QUERY_TERMS]
        row = sparse.csr_matrix((row.data[kept], (np.zeros(len(kept), int), row.indices[kept])), row.shape)
    return row


def sentence(lexicon: LexicalIndex, tokens: Sequence[str]) -> sparse.csr_matrix:
    """One sparse query row: the known tokens of a sentence, counting 1 each time."""
    known = [lexicon.terms[token] for token in tokens if token in lexicon.terms]
    at = (np.zeros(len(known), int), np.array(known, int))
    return sparse.csr_matrix((np.ones(len(known), np.float32), at), shape=(1, lexicon.weights.shape[1]))


def shared(lexicon: LexicalIndex, item: int, others: np.ndarray) -> list[str]:
    """The terms an item has in common with other items, the most telling first."""
    row = lexicon.weights[item].multiply(lexicon.weights[others].max(axis=0) > 0).tocsr()
    return [lexicon.names[column] for column in row.indices[np.lexsort((row.indices, -row.data))]]


def telling(lexicon: LexicalIndex, words: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Words worth naming to a person: longer than one character, in few items, no repeats, in their order."""
    limit = max(3.0, COMMON * lexicon.weights.shape[0])
    kept = [word for word in dict.fromkeys(words) if len(word) > 1 and lexicon.frequency[lexicon.terms[word]] <= limit]
    return tuple(kept[:most])


def asked_for(lexicon: LexicalIndex, item: int, asked: sparse.csr_matrix, most: int = 3) -> tuple[str, ...]:
    """The words of a sentence for which an item may be said to be asked for, the rarest first.

    Those in few items, and the rarest that the sentence has however common it is: who asks a cheese shop for "cheese"
    has asked for it. A word within a longer one that is named (茶 in 绿茶) is not named again.

    Args:
        asked: what :func:`sentence` gave.
    """
    if not asked.nnz:
        return ()
    limit = max(3.0, COMMON * lexicon.weights.shape[0], float(lexicon.frequency[asked.indices].min()))
    both = np.intersect1d(asked.indices, lexicon.weights[item].indices)
    both = both[np.argsort(lexicon.frequency[both], kind="stable")]
    named = [lexicon.names[column] for column in both if lexicon.frequency[column] <= limit]
    return tuple(word for word in named if not any(word in other for other in named if other != word))[:most]


def scores(lexicon: LexicalIndex, asked: sparse.csr_matrix) -> Floats:
    """float32[n]: BM25 of every item for one query row."""
    return np.asarray((lexicon.weights @ asked.T).todense(), np.float32).ravel()
