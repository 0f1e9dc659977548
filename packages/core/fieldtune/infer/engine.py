"""Texts -> unit vectors with an encoder: every distinct text once, sorted by length, in token-budget batches."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.batching import by_length
from fieldtune.infer.cache import Cache, space_of
from fieldtune.infer.lean import lean
from fieldtune.infer.probe import compute_dtype, processor_dtype
from fieldtune.infer.sidebyside import side_by_side
from fieldtune.models.encoder import MAX_LENGTH, Encoder, pad, pool
from fieldtune.progress import track

TOKEN_BUDGET = 512  # what a layer works on stays in a core's cache; 4,096 cost a sixth more
GPU_TOKEN_BUDGET = 32768
_CHUNK = 256  # texts tokenised at a time


class Engine:
    """An encoder ready to run: a copy of its body in this machine's fastest number format.

    Args:
        cache: where vectors are kept between runs; None keeps none. The encoder's weights must not change any more.
    """

    def __init__(self, encoder: Encoder, max_length: int = MAX_LENGTH, cache: Cache | None = None) -> None:
        self.encoder, self.max_length, self.cache = encoder, max_length, cache
        self._body: Any = None
        self._space: bytes | None = None

    def encode(self, texts: Sequence[str], *, show: bool = False) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: any number, repeats allowed (computed once).
            show: a progress bar on stderr.

        Returns:
            float32 ``[len(texts), dimensions]``, each row of unit length.
        """
        distinct, inverse = np.unique(np.asarray(texts, dtype=object), return_inverse=True)
        words = [str(text) for text in distinct]
        vectors = self._encode(words, show) if self.cache is None else self._kept(words, show, self.cache)
        return vectors[inverse]

    def _kept(self, texts: list[str], show: bool, cache: Cache) -> NDArray[np.float32]:
        """Vectors from the cache; what it lacks is encoded and kept."""
        if self._space is None:
            way = f"{compute_dtype()} {'cuda' if torch.cuda.is_available() else 'cpu'}"
            self._space = space_of(self.encoder, self.max_length, way)
        known = cache.get(self._space, texts)
        missing = [text for text in texts if text not in known]
        if missing:
            vectors = self._encode(missing, show)
            cache.put(self._space, missing, vectors)
            if not known:
                return vectors
            known.update(zip(missing, vectors, strict=True))
        return np.stack([known[text] for text in texts]) if texts else self._encode([], show)

    def _encode(self, texts: list[str], show: bool) -> NDArray[np.float32]:
        out = np.zeros((len(texts), self.encoder.dimensions), dtype=np.float32)
        if not texts:
            return out
        tokens = self._tokens(texts)
        body = self._running_body()
        gpu = torch.cuda.is_available()

        def embed(batch: list[int]) -> NDArray[np.float32]:
            with torch.inference_mode():
                ids, mask = pad([tokens[row] for row in batch], self.encoder.tokenizer.pad_token_id or 0)
                if gpu:
                    ids, mask = ids.cuda(), mask.cuda()
                vectors = pool(body(input_ids=ids, attention_mask=mask).last_hidden_state, mask, self.encoder.pooling)
                return np.asarray(nn.functional.normalize(vectors, dim=1).cpu().numpy())

        batches = by_length([len(ids) for ids in tokens], GPU_TOKEN_BUDGET if gpu else TOKEN_BUDGET)
        found = map(embed, batches) if gpu else side_by_side(embed, batches)
        for batch, vectors in zip(batches, track(found, "encoding", len(batches), show=show), strict=True):
            out[batch] = vectors
        return out

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
        found = side_by_side(self.encoder.reader(self.max_length), chunks)
        return [ids for chunk in found for ids in chunk]

    def _running_body(self) -> Any:
        if self._body is None:
            gpu = torch.cuda.is_available()
            body = self.encoder.body
            self._body = copy.deepcopy(body).to("cuda", compute_dtype()).eval() if gpu else running(body)
        return self._body


def running(body: nn.Module) -> Any:
    """What runs fastest on this machine's processor, called as the body is: a lean copy, or else the body itself, or a
    copy of it in the faster number format."""
    dtype = processor_dtype()
    return lean(body, dtype) or (body if dtype is torch.float32 else copy.deepcopy(body).to(dtype)).eval()
