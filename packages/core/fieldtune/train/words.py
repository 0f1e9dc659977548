"""Training with the words at hand: half of MiniLM's weights are its word table, of which small data use a tenth.

A dense optimizer reads, moves and writes all of it at every step, and its gradient is filled with zeros before. Here
the table holds only the rows that the data use, and they go back when training ends. Rows of other words stay as they
were pretrained: without a gradient, AdamW would only shrink them by its weight decay.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from fieldtune.models.encoder import Encoder

NEVER = -30.0
"""The bias of a word that is not written; its log-loss stays a number to calculate with."""


@contextmanager
def words_at_hand(encoder: Encoder, *tokens: Iterable[Sequence[int]]) -> Iterator[None]:
    """Inside, the encoder knows only the ids in ``tokens`` and its padding; nothing changes where its table is frozen.

    Make the optimizer inside: the weight of the table is another one.
    """
    with _reading(encoder.body, _seen(encoder.tokenizer.pad_token_id, *tokens)):
        yield


@contextmanager
def writing_at_hand(
    body: Any, pad_id: int, sources: Sequence[list[int]], targets: Sequence[list[int]]
) -> Iterator[Any]:
    """The same for an encoder and a decoder, whose output also knows only the words of ``targets``.

    A product with all words and a softmax over them was half of a training step. Words that no target holds get a bias
    of -30: such a model does not write them.

    Yields:
        a function from token ids to their places in the output while inside.
    """
    decoder, kept = body.decoder, _seen(pad_id, targets, [[body.config.decoder_start_token_id]])
    output = decoder.get_output_embeddings()
    with _reading(body.encoder, _seen(pad_id, sources)), _reading(decoder, kept) as few:
        slim = nn.Linear(output.in_features, len(kept))
        slim.weight = few.weight  # as in the whole model, words are read and written with the same numbers
        with torch.no_grad():
            slim.bias.copy_(torch.where(output.bias[kept] <= NEVER, 0.0, output.bias[kept]))
        decoder.set_output_embeddings(slim)
        try:
            yield lambda ids: few.place.to(ids.device)[ids]
        finally:
            decoder.set_output_embeddings(output)
            with torch.no_grad():
                output.bias.fill_(NEVER)
                output.bias[kept] = slim.bias.to(output.bias.device)


def _seen(pad_id: int | None, *tokens: Iterable[Sequence[int]]) -> torch.Tensor:
    return torch.tensor(sorted({pad_id or 0}.union(id for part in tokens for ids in part for id in ids)))


@contextmanager
def _reading(body: Any, kept: torch.Tensor) -> Iterator[Any]:
    """Inside, ``body`` reads with the rows ``kept`` of its table, which is yielded; a frozen table stays whole."""
    table = body.get_input_embeddings()
    if type(table) is not nn.Embedding or not table.weight.requires_grad:
        yield table
        return
    if table.padding_idx is not None:
        kept = torch.unique(torch.cat([kept, torch.tensor([table.padding_idx])]))
    body.set_input_embeddings(few := _Few(table, kept))
    try:
        yield few
    finally:
        with torch.no_grad():
            table.weight[kept] = few.weight.to(table.weight.device)
        body.set_input_embeddings(table)


class _Few(nn.Module):
    """Some rows of a table, under the ids they have in it."""

    place: torch.Tensor

    def __init__(self, table: nn.Embedding, kept: torch.Tensor) -> None:
        super().__init__()
        place = torch.full((table.num_embeddings,), len(kept))  # an id not kept is an error, not another word
        place[kept] = torch.arange(len(kept))
        self.register_buffer("place", place, persistent=False)
        self.weight = nn.Parameter(table.weight.detach()[kept].clone())
        self.padding = None if table.padding_idx is None else int(place[table.padding_idx])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return functional.embedding(self.place[ids], self.weight, padding_idx=self.padding)
