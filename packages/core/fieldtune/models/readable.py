"""Whether a model can read a text at all: an encoder knows the scripts of its tokenizer, n-grams read anything."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN_LIMIT = 0.2
"""The share of unknown tokens above which a text counts as unreadable."""


def unknown_share(trained: Any, texts: list[str]) -> float:
    """Share of tokens the model's tokenizer does not know; 0 for n-grams, which read anything."""
    unknown, known = _tokens(trained, texts)
    return float(unknown.sum() / max((unknown + known).sum(), 1))


def readable(trained: Any, texts: list[str]) -> NDArray[np.bool_]:
    """Which texts the model can read, bool ``[texts]``: at most a fifth of their tokens are unknown to its tokenizer."""
    unknown, known = _tokens(trained, texts)
    return np.asarray(unknown <= UNKNOWN_LIMIT * (unknown + known), dtype=np.bool_)


def encoder_of(trained: Any) -> Any:
    """The encoder inside a trained model; None where it has none."""
    return getattr(getattr(trained, "features", None), "encoder", None)


def _tokens(trained: Any, texts: list[str]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Unknown and known tokens of each text, [CLS] and [SEP] apart; n-grams know everything."""
    encoder = encoder_of(trained)
    if encoder is None:
        return np.zeros(len(texts), dtype=int), np.ones(len(texts), dtype=int)
    tokens = encoder.tokens(texts)
    unknown = np.asarray(encoder.unknown(tokens), dtype=int)
    return unknown, np.asarray([max(len(ids) - 2, 0) for ids in tokens], dtype=int) - unknown
