"""What a linear head sees of a pair of texts: both read together, both read apart, or their n-grams.

The same two verbs as :mod:`fieldtune.models.features`, ``__call__`` and ``save``; the pairs are tuples of two texts.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from torch import nn

from fieldtune.batching import by_length
from fieldtune.infer.engine import TOKEN_BUDGET, running
from fieldtune.models import asked
from fieldtune.models.asked import Pair as Pair
from fieldtune.models.encoder import Encoder, encodable, encoder_in, pad, pool
from fieldtune.models.features import VOCABULARY, Features, NgramFeatures
from fieldtune.models.trained import features_of
from fieldtune.progress import track

Tokens = list[list[int]]


class PairFeatures(Protocol):
    """Pairs -> matrix ``[pairs, features]``, dense float32 or sparse CSR; ``hides`` as of texts."""

    hides: bool

    def __call__(self, pairs: Sequence[Pair]) -> Any: ...

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        """Write what belongs to it into ``folder``; returns tensors to store in ``head.safetensors``."""
        ...


class Together:
    """Unit vectors of an encoder that reads both texts at once, each word beside those of the other (cross-encoder)."""

    hides = False
    together = True

    def __init__(self, encoder: Encoder, max_length: int) -> None:
        self.encoder, self.max_length = encoder, max_length
        self._body: nn.Module | None = None

    def __call__(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        pairs = asked.pairs(pairs, self.hides)
        distinct = list(dict.fromkeys(pairs))
        vectors = np.zeros((len(distinct), self.encoder.dimensions), dtype=np.float32)
        ids, types = pair_tokens(self.encoder, distinct, self.max_length)
        batches = by_length([len(one) for one in ids], TOKEN_BUDGET)
        self._body = self._body or running(self.encoder.body)
        pad_id = self.encoder.tokenizer.pad_token_id or 0
        with torch.inference_mode():
            for batch in track(batches, "reading pairs", len(batches), show=len(distinct) > 2000):
                padded, mask = pad([ids[row] for row in batch], pad_id)
                given = {"token_type_ids": pad([types[row] for row in batch], 0)[0]} if types else {}
                hidden = self._body(input_ids=padded, attention_mask=mask, **given).last_hidden_state
                vectors[batch] = nn.functional.normalize(pool(hidden, mask, self.encoder.pooling), dim=1).numpy()
        places = {pair: place for place, pair in enumerate(distinct)}
        return vectors[[places[pair] for pair in pairs]]

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        self.encoder.save(folder)
        return {}


class Apart:
    """How the vectors of both texts differ and agree, ``|a - b|`` and ``a * b``; each text is read once, by itself
    (as the classifier of Reimers and Gurevych 2019, arXiv 1908.10084, does)."""

    hides = False

    def __init__(self, features: Features) -> None:
        self.features, self.encoder = features, getattr(features, "encoder", None)

    def __call__(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        first, second = (self.features(side) for side in sides(pairs))
        return np.hstack([np.abs(first - second), first * second])

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        return self.features.save(folder)


class PairNgrams:
    """The n-grams of either text, those that both have, and how many of them that is. Needs no encoder."""

    hides = False

    def __init__(self, features: NgramFeatures) -> None:
        self.features = features

    def __call__(self, pairs: Sequence[Pair]) -> Any:
        first, second = (self.features(side) for side in sides(pairs))
        common = first.multiply(second)
        shared = np.asarray((first > 0).multiply(second > 0).sum(axis=1)).ravel()
        counts = [np.diff(side.indptr).astype(np.float64) for side in (first, second)]
        either = np.maximum(counts[0] + counts[1] - shared, 1)
        overlap = [
            np.asarray(common.sum(axis=1)).ravel(),  # the cosine: rows are of unit length
            shared / either,
            shared / np.maximum(np.minimum(*counts), 1),
            np.abs(np.log1p(counts[0]) - np.log1p(counts[1])),
        ]
        return hstack([first, second, common, csr_matrix(np.stack(overlap, axis=1))], format="csr").astype(np.float32)

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        return self.features.save(folder)


def pair_features_of(path: Path, card: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> PairFeatures:
    """The features that a model folder was saved with."""
    if card["method"] == "linear":
        return PairNgrams(NgramFeatures(json.loads((path / VOCABULARY).read_text(encoding="utf-8")), tensors["idf"]))
    if card["method"] == "head":
        return Apart(features_of(path, card, tensors))
    return Together(encoder_in(path), int(card["max_length"]))


def pair_tokens(encoder: Encoder, pairs: Sequence[Pair], max_length: int) -> tuple[Tokens, Tokens | None]:
    """Token ids per pair, cut to ``max_length`` from the longer text, and token types where the encoder has them."""
    if not len(pairs):
        return [], None
    first, second = sides(pairs)
    encoded = encoder.tokenizer(
        list(map(encodable, first)), list(map(encodable, second)), truncation="longest_first", max_length=max_length,
        padding=False, return_token_type_ids=getattr(encoder.body.config, "type_vocab_size", 0) > 1,
    )  # fmt: skip
    types = encoded.get("token_type_ids")
    return [list(ids) for ids in encoded["input_ids"]], [list(one) for one in types] if types else None


def sides(pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    """The first and the second texts.

    Raises:
        InputError: something among them that is no pair of texts.
    """
    found = asked.pairs(pairs)
    return [first for first, _ in found], [second for _, second in found]
