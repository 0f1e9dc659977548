"""Training with the words at hand: half of MiniLM's weights are its word table, of which small data use a tenth.

A dense optimizer reads, moves and writes all of it at every step, and its gradient is filled with zeros before. Here
the table holds only the rows that the data use, and they go back when training ends. Rows of other words stay as they
were pretrained: without a gradient, AdamW would only shrink them by its weight decay.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from fieldtune.models.encoder import Encoder


@contextmanager
def words_at_hand(encoder: Encoder, *tokens: Iterable[Sequence[int]]) -> Iterator[None]:
    """Inside, the encoder knows only the ids in ``tokens`` and its padding; nothing changes where its table is frozen.

    Make the optimizer inside: the weight of the table is another one.
    """
    body = encoder.body
    table = body.get_input_embeddings()
    if type(table) is not nn.Embedding or not table.weight.requires_grad:
        yield
        return
    seen = {id for part in tokens for ids in part for id in ids}
    kept = torch.tensor(sorted(seen | {table.padding_idx or 0, encoder.tokenizer.pad_token_id or 0}))
    body.set_input_embeddings(few := _Few(table, kept))
    try:
        yield
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
