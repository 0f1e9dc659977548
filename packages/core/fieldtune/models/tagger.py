"""Words -> tags: an encoder's piece vectors or a word's own spelling, a linear head, and the best valid sequence."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.batching import by_length
from fieldtune.evaluate.calibration import softmax
from fieldtune.infer.engine import TOKEN_BUDGET, running
from fieldtune.models import asked
from fieldtune.models.decoding import viterbi
from fieldtune.models.encoder import Encoder, encoder_in, pad
from fieldtune.models.pieces import SHAPES, Words, shape, windows, word_pieces
from fieldtune.models.trained import CALIBRATION, read_tensors, save_card, save_tensors
from fieldtune.models.word_features import WordFeatures

Floats = NDArray[np.float32]
_ROWS = 1024  # rows whose vectors are held at once
_SMALLEST = 1e-7


class WordVectors(Protocol):
    """Sentences -> matrix ``[words of all sentences, features]``, dense float32 or sparse CSR; ``hides`` as of texts."""

    hides: bool

    def __call__(self, sentences: Sequence[Words]) -> Any: ...

    def save(self, folder: Path) -> dict[str, Floats]: ...


class PieceVectors:
    """An encoder's vector of each word's first piece, read in windows, with the word's shape beside it.

    Args:
        encoder: its body reads ``inputs_embeds``.
        max_length: pieces of a window, special tokens included.
        casing: float32 ``[shapes, size of the encoder's word vectors]``, added to the word vector of every piece.
    """

    hides = False
    in_windows = True

    def __init__(self, encoder: Encoder, max_length: int, casing: Floats) -> None:
        self.encoder, self.max_length, self.casing = encoder, max_length, casing
        self._body: nn.Module | None = None

    def __call__(self, sentences: Sequence[Words]) -> Floats:
        """float32 ``[words, dimensions + shapes]``."""
        sentences = asked.sentences(sentences, self.hides)
        reads = Reading(self.encoder, sentences, self.max_length)
        offsets = np.cumsum([0, *map(len, sentences)])
        out = np.zeros((offsets[-1], self.encoder.dimensions + len(SHAPES)), dtype=np.float32)
        self._body = self._body or running(self.encoder.body)
        casing = torch.from_numpy(self.casing)
        with torch.inference_mode():
            for batch in by_length([len(ids) for ids in reads.ids], TOKEN_BUDGET):
                ids, mask = reads.batch(batch)
                seen = see(self._body, ids, mask, reads.shapes_of(batch), casing).float().numpy()
                for place, number in enumerate(batch):
                    window = reads.windows[number]
                    start = offsets[window.row]
                    out[start + window.first : start + window.last] = seen[place, reads.firsts[number]]
        return out

    def save(self, folder: Path) -> dict[str, Floats]:
        self.encoder.save(folder)
        return {"casing": self.casing}


class Reading:
    """Sentences cut into windows of piece ids.

    Attributes:
        windows: which words each window holds.
        ids: per window, piece ids with the special tokens.
        shapes: per window and piece, the shape of its word.
        firsts: per window, where the first pieces of the words stand that are labelled in it.
    """

    def __init__(self, encoder: Encoder, sentences: Sequence[Words], max_length: int) -> None:
        tokenizer = encoder.tokenizer
        self._pad = tokenizer.pad_token_id or 0
        pieces = word_pieces(encoder, sentences)
        self.windows = [
            window
            for row, words in enumerate(pieces)
            for window in windows([len(ids) for ids in words], max_length - 2, row)
        ]
        self.ids: list[list[int]] = []
        self.shapes: list[list[int]] = []
        self.firsts: list[list[int]] = []
        for window in self.windows:
            words = pieces[window.row][window.start : window.stop]
            shapes = [shape(word) for word in sentences[window.row][window.start : window.stop]]
            begins = np.cumsum([1, *(len(ids) for ids in words)]).tolist()
            self.ids.append([tokenizer.cls_token_id, *(id for ids in words for id in ids), tokenizer.sep_token_id])
            self.shapes.append([0, *(kind for kind, ids in zip(shapes, words, strict=True) for _ in ids), 0])
            self.firsts.append(begins[window.first - window.start : window.last - window.start])

    def batch(self, numbers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask of these windows, padded to the longest of them."""
        return pad([self.ids[number] for number in numbers], self._pad)

    def shapes_of(self, numbers: Sequence[int]) -> torch.Tensor:
        """Shapes of the pieces of these windows, int64 ``[windows, longest]``."""
        return pad([self.shapes[number] for number in numbers], 0)[0]


def see(body: Any, ids: torch.Tensor, mask: torch.Tensor, shapes: torch.Tensor, casing: torch.Tensor) -> torch.Tensor:
    """Last hidden states with the shapes beside them, ``[rows, pieces, dimensions + shapes]``.

    The casing table is added where the encoder's word vectors enter, so its layers see how the whole text is written.
    """
    entering = body.get_input_embeddings()(ids)
    entering = entering + nn.functional.embedding(shapes, casing).to(entering.dtype)
    hidden = body(inputs_embeds=entering, attention_mask=mask).last_hidden_state
    return torch.cat([hidden, nn.functional.one_hot(shapes, len(SHAPES)).to(hidden.dtype)], dim=-1)


@dataclass
class Tagger:
    """Sentences -> a tag per word.

    Attributes:
        features: sentences -> matrix, a row per word.
        weight: float32 ``[tags, features]``.
        bias: float32 ``[tags]``.
        labels: tags, IOB2.
        temperature: divides the logits; fitted on validation rows.
        card: the rest of ``fieldtune.json``.
    """

    features: WordVectors
    weight: Floats
    bias: Floats
    labels: tuple[str, ...]
    temperature: float = 1.0
    card: dict[str, Any] = field(default_factory=dict)

    def logits(self, sentences: Sequence[Words]) -> Floats:
        """Raw scores, float32 ``[words of all sentences, tags]``.

        Raises:
            InputError: something among the sentences is no list of words.
        """
        sentences = asked.sentences(sentences)
        parts = [
            np.asarray(self.features(sentences[start : start + _ROWS]) @ self.weight.T + self.bias, dtype=np.float32)
            for start in range(0, len(sentences), _ROWS)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.labels)), dtype=np.float32)

    def tag(self, sentences: Sequence[Words]) -> tuple[list[list[str]], list[Floats]]:
        """The best valid tags of each sentence, and the calibrated probability of each of them."""
        sentences = asked.sentences(sentences)
        return self.decode(self.logits(sentences), [len(words) for words in sentences])

    def decode(self, logits: Floats, lengths: Sequence[int]) -> tuple[list[list[str]], list[Floats]]:
        """The same from raw scores at hand."""
        probabilities = np.asarray(softmax(logits, self.temperature), dtype=np.float32)
        chosen = viterbi(np.log(np.maximum(probabilities, _SMALLEST)), lengths, self.labels)
        sure = probabilities[np.arange(len(chosen)), chosen]
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        parts = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
        return [[self.labels[place] for place in chosen[part]] for part in parts], [sure[part] for part in parts]

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        save_tensors(folder, {"weight": self.weight, "bias": self.bias, **self.features.save(folder)})
        save_card(folder, {**self.card, "labels": list(self.labels)})
        (folder / CALIBRATION).write_text(
            json.dumps({"temperature": self.temperature}, allow_nan=False), encoding="utf-8"
        )

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "Tagger":
        """Read what :meth:`save` wrote; use :func:`fieldtune.models.load`, which verifies first."""
        tensors = read_tensors(folder)
        features: WordVectors = (
            WordFeatures.load(folder)
            if card["method"] == "linear"
            else PieceVectors(encoder_in(folder), int(card["max_length"]), tensors["casing"])
        )
        temperature = float(json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))["temperature"])
        return cls(features, tensors["weight"], tensors["bias"], tuple(card["labels"]), temperature, card)
