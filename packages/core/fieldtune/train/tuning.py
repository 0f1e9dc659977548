"""An encoder while it is tuned: its body with pooling, batches of tokens, groups of parameters, the run over all epochs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fieldtune.batching import by_length, epoch, whole_run
from fieldtune.infer.probe import compute_dtype
from fieldtune.models import adapters
from fieldtune.models.encoder import Encoder, load_encoder_folder, pad, pool
from fieldtune.runtime import generator
from fieldtune.train import heeds
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.quick import quicken
from fieldtune.train.settings import Settings
from fieldtune.train.top import freeze_below, known_below

TUNED = ("full", *adapters.METHODS)
"""Methods that train the encoder itself, wholly or in part."""
TOP = "top"
"""The one that trains its upper layers alone: for tasks that train nothing before them, and by :func:`tune`."""


class Body(nn.Module):
    """An encoder's body with pooling: ids, mask (and, of pairs, token types) -> unit vectors, float32 ``[rows, d]``."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.body, self.pooling = encoder.body, encoder.pooling

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
        given = {} if types is None else {"token_type_ids": types}
        hidden = self.body(input_ids=ids, attention_mask=mask, **given).last_hidden_state
        return nn.functional.normalize(pool(hidden, mask, self.pooling), dim=1)


def text_heeds(method: str, *tuning: str) -> heeds.Names:
    """The settings that ``linear``, ``head`` and the methods of :data:`TUNED` and :data:`TOP` read on texts.

    Args:
        tuning: those that tuning reads beside, as the task's loss does.
    """
    if method in ("linear", "head"):
        return heeds.TEXTS if method == "linear" else heeds.ENCODED
    own = ("top_layers",) if method == TOP else adapters.OPTIONS.get(method, ())
    return heeds.TUNED | {*tuning, *own}


def trainable(model: str | Path, method: str, settings: Settings) -> Encoder:
    """An encoder to fine-tune by one of :data:`TUNED` or :data:`TOP`, in float32, with the settings' dropout everywhere."""
    dropout = settings.dropout
    encoder = load_encoder_folder(model)
    if not torch.cuda.is_available() and not adapters.adapter_of(encoder.body):  # a prefix is attention of its own
        # The fused attention's backward pass on a CPU took 58 % of a training step on short texts; matrix products 16 %.
        encoder.body.set_attn_implementation("eager")
    for module in encoder.body.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if hasattr(encoder.body.config, name):
            setattr(encoder.body.config, name, dropout)
    if method in adapters.METHODS:
        adapters.adapted(encoder, method, {name: getattr(settings, name) for name in adapters.OPTIONS[method]})
    if method == TOP:
        freeze_below(encoder.body, settings.top_layers)
    if not torch.cuda.is_available() and method != "adalora":  # PEFT adds to a layer's output in place
        quicken(encoder.body, training_dtype())
    return encoder


def batch_of(encoder: Encoder, tokens: Sequence[list[int]], rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of these rows, padded to the longest of them."""
    return pad([tokens[row] for row in rows], encoder.tokenizer.pad_token_id or 0)


def in_pieces(encoder: Encoder, texts: Sequence[list[int]], token_budget: int) -> Tensors:
    """Texts of one batch as pieces of similar length: padded to one length they would cost several times as much.

    :func:`vectors_of` puts the vectors together again in the order of ``texts``.
    """
    pieces = by_length([len(ids) for ids in texts], token_budget)
    batch: Tensors = {"order": torch.argsort(torch.tensor([place for piece in pieces for place in piece]))}
    for number, piece in enumerate(pieces):
        batch[f"ids_{number}"], batch[f"mask_{number}"] = batch_of(encoder, texts, piece)
    return batch


def vectors_of(module: Callable[..., torch.Tensor], batch: Tensors) -> torch.Tensor:
    """The vectors of a batch made by :func:`in_pieces`, ``[texts, d]``."""
    count = sum(name.startswith("ids_") for name in batch)
    pieces = [module(batch[f"ids_{number}"], batch[f"mask_{number}"]) for number in range(count)]
    return torch.cat(pieces)[batch["order"]]


def adamw(body: nn.Module | None, module: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW in which the pretrained ``body`` learns slowly and all else of ``module`` fast."""
    slow = [weight for weight in body.parameters() if weight.requires_grad] if body else []
    known = {id(weight) for weight in slow}
    fast = [weight for weight in module.parameters() if weight.requires_grad and id(weight) not in known]
    parts = ((slow, "learning_rate"), (fast, "head_learning_rate"))
    groups: list[dict[str, Any]] = [{"params": part, "lr": getattr(settings, rate)} for part, rate in parts if part]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)


def training_dtype() -> torch.dtype:
    """bfloat16 autocast where it is faster; the weights stay float32."""
    return compute_dtype()


def tune(
    module: nn.Module,
    problem: Problem,
    tokens: Sequence[list[int]],
    settings: Settings,
    *,
    seed: int,
    folder: Path,
    show: bool,
) -> None:
    """Fine-tune ``module`` in place: token-budget batches over all epochs, the head at its own learning rate.

    Args:
        module: has ``encoder``, the pretrained part; all its other parameters are new and learn fast.
        problem: whose items are rows.
        tokens: per row, what its cost is measured by.
    """
    from fieldtune.train.fit import fit

    lengths, rng = [len(ids) for ids in tokens], generator(seed)
    epochs = [epoch(lengths, settings.token_budget, rng) for _ in range(settings.epochs)]
    with known_below(module, problem, lengths, settings.token_budget, training_dtype()) as known:
        fit(
            module,
            known,
            whole_run(epochs, settings.max_steps * settings.accumulate or None),
            settings,
            folder=folder,
            optimizer=adamw(module.encoder, module, settings),
            seed=seed,
            dtype=training_dtype(),
            description="fine-tuning",
            show=show,
        )
