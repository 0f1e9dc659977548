"""Contrastive batches: what is a negative of what, the loss, and the problem it makes of texts or of vectors.

Knows tables of queries, positives and negatives, not how a model is chosen, measured and saved.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.checkpoint import checkpoint

from fieldtune.data.checks import text_key
from fieldtune.models.trained import Embedder
from fieldtune.retrieval.negatives import by_vectors, hard_negatives
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import in_pieces, vectors_of

Excluded = Callable[[list[int]], torch.Tensor]


class Projection(nn.Module):
    """A square linear map on frozen embeddings, starting as the identity."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimensions, dimensions, bias=False)
        nn.init.eye_(self.linear.weight)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.linear(vectors), dim=1)


def with_negatives(table: pd.DataFrame, encode: Callable[[Sequence[str]], NDArray[np.float32]], k: int) -> pd.DataFrame:
    """The table with columns negative_1 to negative_k: of all its positives those that ``encode`` puts nearest to the
    query, but none that is known to answer it; empty where there are fewer."""
    documents, queries = sorted(table["positive"].unique()), table["query"].tolist()
    known = known_answers(table)
    mined = hard_negatives(queries, documents, known, k, by_vectors(encode, documents), text_key)
    chosen = {
        f"negative_{place + 1}": [documents[own[place]] if place < len(own) else "" for own in mined]
        for place in range(k)
    }
    return table.assign(**chosen)


def answered(table: pd.DataFrame) -> Excluded:
    """Which documents of a batch are no negatives of which of its queries: bool ``[rows, documents]`` for the rows of
    a batch, True where the document is known to answer the query, but is not the row's own."""
    known = known_answers(table)
    keys = {name: table[name].map(text_key).tolist() for name in documents_of(table)}

    def excluded(rows: list[int]) -> torch.Tensor:
        documents = [key for of in keys.values() for row in rows if (key := of[row])]
        return torch.tensor(
            [
                [key in known[row] and place != own for place, key in enumerate(documents)]
                for own, row in enumerate(rows)
            ]
        )

    return excluded


def contrastive(
    queries: torch.Tensor, documents: torch.Tensor, temperature: float, excluded: torch.Tensor | None = None
) -> torch.Tensor:
    """Summed loss of ``[n, d]`` queries against ``[m >= n, d]`` documents whose first n are their positives.

    Args:
        excluded: bool ``[n, m]``, True where a document is no negative of a query.
    """
    scores = queries @ documents.T / temperature
    if excluded is not None:
        scores = scores.masked_fill(excluded, -torch.inf)
    targets = torch.arange(len(queries), device=queries.device)
    forward = nn.functional.cross_entropy(scores, targets, reduction="sum")
    backward = nn.functional.cross_entropy(scores[:, : len(queries)].T, targets, reduction="sum")
    return (forward + backward) / 2


def documents_of(table: pd.DataFrame) -> list[str]:
    """The columns of documents, the positive first; a negative may be empty."""
    return ["positive", *(str(name) for name in table if str(name).startswith("negative"))]


def known_answers(table: pd.DataFrame) -> list[set[Any]]:
    """Per row the keys of all documents known to answer its query."""
    queries, positives = table["query"].map(text_key), table["positive"].map(text_key)
    known: dict[str, set[Any]] = {}
    for query, positive in zip(queries, positives, strict=True):
        known.setdefault(query, set()).add(positive)
    return [known[query] for query in queries]


def tokens_of(encoder: Any, table: pd.DataFrame, max_length: int) -> dict[str, list[list[int]]]:
    """Tokens of the queries and of each column of documents; of an empty text none."""
    return {
        name: [
            ids if text else []
            for ids, text in zip(encoder.tokens(table[name].tolist(), max_length), table[name], strict=True)
        ]
        for name in ("query", *documents_of(table))
    }


def token_problem(
    encoder: Any, tokens: dict[str, list[list[int]]], settings: Settings, excluded: Excluded | None = None
) -> Problem:
    """The texts of a batch, queries first, computed in pieces: questions are short and documents long.

    With ``cached_gradients`` (Gao et al. 2021, arXiv 2101.06983) a piece keeps its vectors only and is computed again
    when its gradient is due, with the same dropout: the gradient is the same, and memory does not grow with the batch.
    """

    def collate(rows: list[int]) -> Tensors:
        texts = [ids for ids_of in tokens.values() for row in rows if (ids := ids_of[row])]
        known = {"excluded": excluded(rows)} if excluded else {}
        return {"queries": torch.ones(len(rows)), **known, **in_pieces(encoder, texts, settings.token_budget)}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        read = partial(checkpoint, module, use_reentrant=False) if settings.cached_gradients else module
        vectors, n = vectors_of(read, batch), len(batch["queries"])
        return contrastive(vectors[:n], vectors[n:], settings.temperature, batch.get("excluded"))

    return Problem(collate, loss, lambda batch: float(len(batch["queries"])), divisible=False)


def vector_problem(frozen: Embedder, table: pd.DataFrame, temperature: float) -> Problem:
    columns, excluded = ["query", *documents_of(table)], answered(table)
    vectors = {name: torch.from_numpy(frozen.encode(table[name].tolist())) for name in columns}
    given = {name: (table[name] != "").tolist() for name in columns}

    def collate(rows: list[int]) -> Tensors:
        read = {name: vectors[name][[row for row in rows if given[name][row]]] for name in columns}
        return {**read, "excluded": excluded(rows)}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        documents = torch.cat([module(batch[name]) for name in columns[1:]])
        return contrastive(module(batch["query"]), documents, temperature, batch["excluded"])

    return Problem(collate, loss, lambda batch: float(len(batch["query"])), divisible=False)
