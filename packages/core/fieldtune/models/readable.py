"""Whether a model can read a text at all, and to its end: an encoder knows the scripts of its tokenizer and so many
tokens, n-grams read anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.models.encoder import MAX_LENGTH, encodable, reader
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


@dataclass(frozen=True)
class Reach:
    """How a model that stops reading reads the texts of a row.

    Attributes:
        tokenizer: of the model.
        longest: after so many tokens it stops.
        together: whether two texts of a row are read as one; else each by itself.
    """

    tokenizer: Any
    longest: int
    together: bool = False

    def at_most(self, texts: int) -> int:
        """How many tokens of so many texts are read."""
        return self.longest if self.together else texts * self.longest

    def cut(self, rows: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
        """The rows of texts that are not read to the end, bool ``[rows]``."""
        found = np.zeros(len(rows), dtype=np.bool_)
        # A token has at least one byte; the signs around two texts are four at most.
        long = [place for place, row in enumerate(rows) if sum(map(_size, row)) > self.longest - 4]
        read = reader(self.tokenizer, self.longest + 1)
        lengths = iter([len(ids) for ids in read([text for place in long for text in rows[place]])])
        for place in long:
            own = [next(lengths) for _ in rows[place]]
            found[place] = (sum(own) - self._saved(len(own)) if self.together else max(own)) > self.longest
        return found

    def _saved(self, texts: int) -> int:
        """How many signs fewer texts have together than each by itself."""
        signs = self.tokenizer.backend_tokenizer.num_special_tokens_to_add
        return int(texts * signs(False) - signs(texts > 1))


def reads(trained: Any) -> Reach | None:
    """How a model reads that stops reading; None where it reads to the end."""
    if hasattr(trained, "max_source"):
        return Reach(trained.tokenizer, int(trained.max_source))
    features = _innermost(trained)
    if not hasattr(features, "max_length") or getattr(features, "in_windows", False):
        return None
    tokenizer = _tokenizer(features)
    return tokenizer and Reach(tokenizer, int(features.max_length), getattr(features, "together", False))


def warn_unread(trained: Any, rows: Sequence[str | Sequence[str]], *, linear: bool = False) -> None:
    """Say on stderr that a model stops before the end of some texts, or does not know their script, where that is so.

    Args:
        rows: a text each, or the texts of each, which the model may read together.
        linear: whether the task has a method that counts n-grams instead.
    """
    sample = [(row,) if isinstance(row, str) else row for row in rows[:: max(1, -(-len(rows) // SAMPLE))]]
    reach = reads(trained)
    if reach and (cut := reach.cut(sample)).any():
        what = "pairs of texts" if reach.together else "texts"
        say(
            f"note: {cut.mean():.0%} of the {what} are longer than the {reach.longest} tokens that are read of each; "
            "a larger max_length in training reads more"
        )
    share = unknown_share(trained, [text for row in sample for text in row])
    if share > UNKNOWN_LIMIT:
        ways = "train with --method linear, or with" if linear else "use"
        say(
            f"warning: the encoder cannot read {share:.0%} of the tokens of these texts; "
            f"{ways} a multilingual or Chinese encoder as --model"
        )


def warn_unwritten(trained: Any, targets: Iterable[str]) -> None:
    """Say on stderr that a model that writes stops before the end of some of these texts, where that is so."""
    if not hasattr(trained, "max_target"):
        return
    targets = list(targets)
    long = [text for text in targets if _size(text) >= trained.max_target]
    ids = trained.tokenizer(list(map(encodable, long)), add_special_tokens=False)["input_ids"] if long else []
    cut = sum(len(one) >= trained.max_target for one in ids)  # the sign that ends a text is a token too
    if cut:
        say(
            f"note: {cut / len(targets):.0%} of the targets are longer than the {trained.max_target} tokens that are written at "
            "most; a larger max_target in training writes more"
        )


def encoder_of(trained: Any) -> Any:
    """The encoder inside a trained model; None where it has none."""
    return getattr(_innermost(trained), "encoder", None)


def _innermost(trained: Any) -> Any:
    """What reads texts in a model: features may be made of others."""
    features = getattr(trained, "features", None)
    while (inner := getattr(features, "features", None)) is not None:
        features = inner
    return features


def _tokenizer(features: Any) -> Any:
    """None of n-grams. An exported graph has one too, and no encoder."""
    return getattr(getattr(features, "encoder", features), "tokenizer", None)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _tokens(trained: Any, texts: list[str]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Unknown and known tokens of each text, [CLS] and [SEP] apart; n-grams know everything."""
    tokenizer = _tokenizer(_innermost(trained))
    if tokenizer is None:
        return np.zeros(len(texts), dtype=int), np.ones(len(texts), dtype=int)
    tokens = reader(tokenizer, MAX_LENGTH)(texts)
    unknown = np.asarray([ids.count(tokenizer.unk_token_id) for ids in tokens], dtype=int)
    return unknown, np.asarray([max(len(ids) - 2, 0) for ids in tokens], dtype=int) - unknown
