"""What the text tasks share: tokens of a column, batches of ids and mask, parameter groups."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fieldtune.infer.probe import compute_dtype
from fieldtune.models.encoder import Encoder, load_encoder_folder, pad, pool
from fieldtune.train.settings import Settings


class Body(nn.Module):
    """An encoder's body with pooling: ids and mask -> unit vectors, float32 ``[rows, d]``."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.body, self.pooling = encoder.body, encoder.pooling

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
        return nn.functional.normalize(pool(hidden, mask, self.pooling), dim=1)


def trainable(model: str | Path, dropout: float) -> Encoder:
    """An encoder with this dropout everywhere, in float32."""
    encoder = load_encoder_folder(model)
    if not torch.cuda.is_available():
        # The fused attention's backward pass on a CPU took 58 % of a training step on short texts; matrix products 16 %.
        encoder.body.set_attn_implementation("eager")
    for module in encoder.body.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if hasattr(encoder.body.config, name):
            setattr(encoder.body.config, name, dropout)
    return encoder


def batch_of(encoder: Encoder, tokens: Sequence[list[int]], rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of these rows, padded to the longest of them."""
    return pad([tokens[row] for row in rows], encoder.tokenizer.pad_token_id or 0)


def adamw(body: nn.Module | None, head: nn.Module | None, settings: Settings) -> torch.optim.Optimizer:
    """AdamW in which the pretrained body learns slowly and a new head fast."""
    parts = ((body, settings.learning_rate), (head, settings.head_learning_rate))
    groups: list[dict[str, Any]] = [{"params": list(part.parameters()), "lr": rate} for part, rate in parts if part]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)


def training_dtype() -> torch.dtype:
    """bfloat16 autocast where it is faster; the weights stay float32."""
    return compute_dtype()
