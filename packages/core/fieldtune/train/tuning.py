"""An encoder while it is tuned: its body with pooling, batches of tokens, the run over all epochs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from fieldtune.batching import by_length
from fieldtune.models import adapter_options, adapters
from fieldtune.models.encoder import Encoder, load_encoder_folder, pad, pool
from fieldtune.train import heeds
from fieldtune.train.best import Best, epoch_of
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.quick import quicken
from fieldtune.train.run import ends, epochs_by_tokens, planned, run, training_dtype
from fieldtune.train.settings import Settings
from fieldtune.train.top import freeze_below, known_below

TUNED = ("full", *adapters.METHODS)
"""Methods that train the encoder itself, wholly or in part."""
TOP = "top"
"""The one that trains its upper layers alone: for tasks that train nothing before them, and by :func:`tune`."""

_SELECTING = tuple(method for method in TUNED if method != "adalora")
"""Methods that may keep the best epoch's weights. Under :data:`TOP` the layers below know the training rows by heart and no
others; AdaLoRA's ranks fall to the end, so earlier weights are of other ranks."""


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
    own = ("top_layers",) if method == TOP else adapter_options.OPTIONS.get(method, ())
    return heeds.TUNED | {*tuning, *own}


def keeps_best(method: str, settings: Settings) -> bool:
    """Whether a task that can is to keep the best epoch's weights."""
    return method in _SELECTING and settings.keep_best


def selecting(method: str, settings: Settings) -> tuple[str, ...]:
    """The settings that such a task reads for it."""
    if method not in _SELECTING:
        return ()
    return ("keep_best", "patience") if settings.keep_best else ("keep_best",)


def trainable(model: str | Path, method: str, settings: Settings) -> Encoder:
    """An encoder to fine-tune by one of :data:`TUNED` or :data:`TOP`, in float32, with the settings' dropout everywhere."""
    encoder = load_encoder_folder(model)
    if not torch.cuda.is_available() and not adapters.adapter_of(encoder.body):  # a prefix is attention of its own
        # The fused attention's backward pass on a CPU took 58 % of a training step on short texts; matrix products 16 %.
        encoder.body.set_attn_implementation("eager")
    set_dropout(encoder.body, settings.dropout)
    if method in adapters.METHODS:
        adapters.adapted(encoder, method, {name: getattr(settings, name) for name in adapter_options.OPTIONS[method]})
    if method == TOP:
        freeze_below(encoder.body, settings.top_layers)
    if not torch.cuda.is_available() and method != "adalora":  # PEFT adds to a layer's output in place
        quicken(encoder.body, training_dtype())
    return encoder


def set_dropout(body: nn.Module, share: float) -> None:
    """The same dropout everywhere: in layers of that name, where an attention drops out by itself, in the configuration."""
    for module in body.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name in ("dropout", "attention_dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if hasattr(body.config, name):
            setattr(body.config, name, share)


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


def tune(
    module: nn.Module,
    problem: Problem,
    tokens: Sequence[list[int]],
    settings: Settings,
    *,
    seed: int,
    folder: Path,
    show: bool,
    score: Callable[[nn.Module], float] | None = None,
) -> int:
    """Fine-tune ``module`` in place: token-budget batches over all epochs, the head at its own learning rate.

    Args:
        module: has ``encoder``, the pretrained part; all its other parameters are new and learn fast.
        problem: whose items are rows.
        tokens: per row, what its cost is measured by.
        score: how good a module is on rows kept apart, looked at after each epoch; None keeps the last weights.

    Returns:
        the epoch whose weights it ends with, counted from 1.
    """
    lengths = [len(ids) for ids in tokens]
    epochs = epochs_by_tokens(lengths, settings, seed)
    plan = planned(epochs, settings)
    steps = ends(epochs, len(plan), settings.accumulate)
    best = Best(score, steps, settings.patience) if score else None
    with known_below(module, problem, lengths, settings.token_budget, training_dtype()) as known:
        run(module, known, plan, settings, body=module.encoder, seed=seed, folder=folder, show=show, best=best)
    return epoch_of(best, steps)
