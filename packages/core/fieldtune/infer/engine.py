"""Texts -> unit vectors with an encoder: every distinct text once, sorted by length, in token-budget batches."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.batching import by_length
from fieldtune.infer.probe import compute_dtype
from fieldtune.models.encoder import MAX_LENGTH, Encoder, pad, pool
from fieldtune.progress import track

TOKEN_BUDGET = 4096


class Engine:
    """An encoder ready to run: a copy of its body in this machine's fastest number format."""

    def __init__(self, encoder: Encoder, max_length: int = MAX_LENGTH) -> None:
        self.encoder, self.max_length = encoder, max_length
        self._body: nn.Module | None = None

    def encode(self, texts: Sequence[str], *, show: bool = False) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: any number, repeats allowed (computed once).
            show: a progress bar on stderr.

        Returns:
            float32 ``[len(texts), dimensions]``, each row of unit length.
        """
        distinct, inverse = np.unique(np.asarray(texts, dtype=object), return_inverse=True)
        vectors = self._encode([str(text) for text in distinct], show)
        return vectors[inverse]

    def _encode(self, texts: list[str], show: bool) -> NDArray[np.float32]:
        out = np.zeros((len(texts), self.encoder.dimensions), dtype=np.float32)
        if not texts:
            return out
        tokens = self.encoder.tokens(texts, self.max_length)
        batches = by_length([len(ids) for ids in tokens], TOKEN_BUDGET)
        pad_id = self.encoder.tokenizer.pad_token_id or 0
        body = self._running_body()
        with torch.inference_mode():
            for batch in track(batches, "encoding", len(batches), show=show):
                ids, mask = pad([tokens[row] for row in batch], pad_id)
                hidden = body(input_ids=ids, attention_mask=mask).last_hidden_state
                vectors = pool(hidden, mask, self.encoder.pooling)
                out[batch] = nn.functional.normalize(vectors, dim=1).numpy()
        return out

    def _running_body(self) -> nn.Module:
        if self._body is None:
            self._body = running(self.encoder.body)
        return self._body


def running(body: nn.Module) -> nn.Module:
    """The body itself where float32 is fastest here, else a copy of it in the faster number format."""
    dtype = compute_dtype()
    return (body if dtype is torch.float32 else copy.deepcopy(body).to(dtype)).eval()
