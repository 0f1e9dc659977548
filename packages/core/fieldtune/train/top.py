"""Text encoders of which only the upper layers train: what the layers below give of a text is computed once and kept.

The layers below are frozen and drop nothing out, so what is kept is what they would give again. Knows no task: rows are
read through the problem's own batches, and in training the layers below answer with what is known of the batch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from fieldtune.batching import by_length
from fieldtune.errors import ConfigError
from fieldtune.train.problem import Problem, Tensors

_CACHE = 2**30  # bytes of hidden states that are kept; beyond, they are computed again in every epoch
_BELOW = "below"


def freeze_below(body: nn.Module, layers: int) -> None:
    """Let only the ``layers`` upper layers of an encoder's body train, and those below drop nothing out.

    Raises:
        ConfigError: there are no such many, or none of its own above another: ALBERT's are one and the same.
    """
    known = _layers(body)
    if not 0 < layers < len(known):
        raise ConfigError(
            f"top_layers from 1 to {len(known) - 1}, below the {len(known)} of this encoder", str(layers),
            "correct --set top_layers=..., or use --method full to train all",
        )  # fmt: skip
    body.requires_grad_(False)
    upper = known[-layers:].requires_grad_(True)
    trained = set(upper.modules())
    for module in body.modules():
        if isinstance(module, nn.Dropout) and module not in trained:
            module.p = 0.0


@contextmanager
def known_below(
    module: nn.Module, problem: Problem, lengths: Sequence[int], token_budget: int, dtype: torch.dtype
) -> Iterator[Problem]:
    """Inside, ``problem`` as given here trains ``module`` to the same weights without computing the frozen layers.

    Nothing changes where no layer is frozen below others that train, or where the states would not fit.

    Args:
        module: its ``encoder`` holds the layers; nothing that trains may come before them.
        lengths: tokens of each row.
        dtype: of training.
    """
    layers = list(_layers(module.encoder))
    below, recall = _frozen(module.encoder, layers), _Recall()
    hidden: list[torch.Tensor] = []
    if below:
        with _instead(layers[below:], recall):
            hidden = _read(layers[below - 1], module, problem, lengths, token_budget, dtype, recall)
    if not hidden:
        yield problem
        return

    def collate(rows: list[int]) -> Tensors:
        return {**problem.collate(rows), _BELOW: pad_sequence([hidden[row] for row in rows], batch_first=True)}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        recall.hidden = batch[_BELOW]
        return problem.loss(module, batch)

    with _instead(layers[:below], recall):
        yield Problem(collate, loss, problem.items, problem.divisible)


class _Recall:
    """Stands for a layer: whatever it is given, it returns the hidden states at hand, in the form that layers do."""

    hidden: torch.Tensor
    alone = True

    def see(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        """A hook: take over what a layer gave."""
        self.alone = isinstance(output, torch.Tensor)
        self.hidden = output if self.alone else output[0]

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self.hidden if self.alone else (self.hidden,)


@contextmanager
def _instead(layers: Sequence[Any], recall: _Recall) -> Iterator[None]:
    """Inside, these layers answer with what is recalled; their weights and names stay where they are."""
    for layer in layers:
        layer.forward = recall
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _read(
    last: nn.Module, module: nn.Module, problem: Problem, lengths: Sequence[int], token_budget: int,
    dtype: torch.dtype, recall: _Recall,
) -> list[torch.Tensor]:  # fmt: skip
    """Per row the hidden states ``[tokens, d]`` that layer ``last`` gives; none where they would not fit."""
    hidden = [torch.empty(0)] * len(lengths)
    hook, mode = last.register_forward_hook(recall.see), module.training
    module.eval()
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
            for rows in by_length(lengths, token_budget):
                problem.loss(module, problem.collate(rows))
                if sum(lengths) * recall.hidden[0, 0].nbytes > _CACHE:
                    return []
                for row, states in zip(rows, recall.hidden, strict=True):
                    hidden[row] = states[: lengths[row]].clone()
    finally:
        hook.remove()
        module.train(mode)
    return hidden


def _layers(body: nn.Module) -> nn.ModuleList:
    """An encoder's layers, the lowest first."""
    return max((part for part in body.modules() if isinstance(part, nn.ModuleList)), key=len, default=nn.ModuleList())


def _frozen(body: nn.Module, layers: Sequence[nn.Module]) -> int:
    """How many layers are frozen below others all of whose weights train; 0 where anything else trains."""
    trains = [all(weight.requires_grad for weight in layer.parameters()) for layer in layers]
    below = trains.index(True) if True in trains else 0
    upper = {id(weight) for layer in layers[below:] for weight in layer.parameters()}
    whole = {id(weight) for weight in body.parameters() if weight.requires_grad} == upper
    return below if whole else 0
