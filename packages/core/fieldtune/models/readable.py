"""Whether a model can read a text at all, and to its end: an encoder knows the scripts of its tokenizer and so many
tokens, n-grams read anything.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.models.encoder import MAX_LENGTH, reader
from fieldtune.progress import say

UNKNOWN_LIMIT = 0.2
"""The share of unknown tokens above which a text counts as unreadable."""
SAMPLE = 2000
"""Texts looked at, evenly spread, to tell whether an encoder can read them."""


def unknown_share(trained: Any, texts: list[str]) -> float:
    """Share of tokens the model's tokenizer does not know; 0 for n-grams, which read anything."""
    unknown, known = _tokens(trained, texts)
    return float(unknown.sum() / max((unknown + known).sum(), 1))


def readable(trained: Any, texts: list[str]) -> NDArray[np.bool_]:
    """Which texts the model can read, bool ``[texts]``: at most a fifth of their tokens are unknown to its tokenizer."""
    unknown, known = _tokens(trained, texts)
    return np.asarray(unknown <= UNKNOWN_LIMIT * (unknown + known), dtype=np.bool_)


def reads(trained: Any) -> tuple[Any, int] | None:
    """The tokenizer of a model that stops reading, and after how many tokens; None where it reads to the end."""
    features: Any = getattr(trained, "features", None)
    if hasattr(features, "max_length") and not getattr(features, "in_windows", False):
        tokenizer = getattr(getattr(features, "encoder", features), "tokenizer", None)
        return None if tokenizer is None else (tokenizer, int(features.max_length))
    return (trained.tokenizer, int(trained.max_source)) if hasattr(trained, "max_source") else None


def cut_share(tokenizer: Any, longest: int, texts: Sequence[str]) -> float:
    """Share of texts that are longer than so many tokens."""
    long = [text for text in texts if len(text.encode()) > longest - 2]  # a token has at least one byte
    return sum(len(ids) > longest for ids in reader(tokenizer, longest + 1)(long)) / len(texts) if long else 0.0


def warn_unread(trained: Any, texts: Sequence[str], *, linear: bool = False) -> None:
    """Say on stderr that a model stops before the end of some texts, or does not know their script, where that is so.

    Args:
        linear: whether the task has a method that counts n-grams instead.
    """
    sample = list(texts[:: max(1, -(-len(texts) // SAMPLE))])
    reading = reads(trained)
    if reading and (cut := cut_share(*reading, sample)):
        say(
            f"note: {cut:.0%} of the texts are longer than the {reading[1]} tokens that are read of each; "
            "a larger max_length in training reads more"
        )
    share = unknown_share(trained, sample)
    if share > UNKNOWN_LIMIT:
        ways = "train with --method linear, or with" if linear else "use"
        say(
            f"warning: the encoder cannot read {share:.0%} of the tokens of these texts; "
            f"{ways} a multilingual or Chinese encoder as --model"
        )


def encoder_of(trained: Any) -> Any:
    """The encoder inside a trained model; None where it has none."""
    return getattr(getattr(trained, "features", None), "encoder", None)


def _tokens(trained: Any, texts: list[str]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Unknown and known tokens of each text, [CLS] and [SEP] apart; n-grams know everything.

    An exported graph has a tokenizer too, and no encoder.
    """
    encoder = encoder_of(trained)
    tokenizer = getattr(getattr(trained, "features", None) if encoder is None else encoder, "tokenizer", None)
    if tokenizer is None:
        return np.zeros(len(texts), dtype=int), np.ones(len(texts), dtype=int)
    tokens = reader(tokenizer, MAX_LENGTH)(texts)
    unknown = np.asarray([ids.count(tokenizer.unk_token_id) for ids in tokens], dtype=int)
    return unknown, np.asarray([max(len(ids) - 2, 0) for ids in tokens], dtype=int) - unknown
