"""A loss per example on an encoder: what the tasks share whose rows each have an answer of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.batching import by_length
from fieldtune.models.encoder import Encoder, pad
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.tuning import Body

Inputs = Callable[[list[int]], Tensors]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_READ = ("ids", "mask", "types")
_PIECE = 4096  # tokens at a time of rows that are only looked at


class Headed(nn.Module):
    """Encoder body, dropout and a linear head: ids, mask (and token types) -> logits ``[rows, outputs]``."""

    def __init__(self, body: Body, weight: NDArray[np.float32], bias: NDArray[np.float32], dropout: float) -> None:
        super().__init__()
        self.encoder = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.dropout(self.encoder(ids, mask, types)))
        return logits

    def weights(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight ``[outputs, d]`` and bias ``[outputs]`` of the head."""
        weight, bias = (value.detach().cpu().numpy() for value in (self.head.weight, self.head.bias))
        return weight, bias


def inputs_of(encoder: Encoder, tokens: list[list[int]], types: list[list[int]] | None = None) -> Inputs:
    """Rows -> their ids, mask and (for pairs) token types, padded to the longest of them."""

    def read(rows: list[int]) -> Tensors:
        ids, mask = pad([tokens[row] for row in rows], encoder.tokenizer.pad_token_id or 0)
        given = {} if types is None else {"types": pad([types[row] for row in rows], 0)[0]}
        return {"ids": ids, "mask": mask, **given}

    return read


@dataclass(frozen=True)
class KeptApart:
    """Rows kept apart, on which a module is looked at while it is tuned.

    Attributes:
        tokens: of each row.
        inputs: as of the training rows, see :func:`inputs_of`.
        figure: logits float32 ``[rows, outputs]`` -> how good they are, higher is better.
    """

    tokens: list[list[int]]
    inputs: Inputs
    figure: Callable[[NDArray[np.float32]], float]

    def score(self, module: nn.Module) -> float:
        """The figure of a module in evaluation mode."""
        device, pieces = next(module.parameters()).device, by_length([len(ids) for ids in self.tokens], _PIECE)
        found = [
            module(*(batch[name].to(device) for name in _READ if name in batch)) for batch in map(self.inputs, pieces)
        ]
        order = np.argsort([row for piece in pieces for row in piece])
        return self.figure(torch.cat(found).float().cpu().numpy()[order])


def accuracy_on(targets: Sequence[int] | NDArray[np.int64]) -> Callable[[NDArray[np.float32]], float]:
    """The share of rows whose largest logit is their target's."""
    return lambda logits: float((logits.argmax(axis=1) == np.asarray(targets)).mean())


def supervised(inputs: Inputs, targets: torch.Tensor, loss: Loss, weights: torch.Tensor | None = None) -> Problem:
    """A loss that is a sum over rows.

    Args:
        targets: a row each.
        loss: logits and targets -> the loss summed over the batch.
        weights: where an item is the weight of a row's class; without, it is a row.
    """

    def collate(rows: list[int]) -> Tensors:
        return {**inputs(rows), "targets": targets[rows]}

    def summed(module: nn.Module, batch: Tensors) -> torch.Tensor:
        logits = module(*(batch[name] for name in _READ if name in batch))
        return loss(logits.float(), batch["targets"])

    def items(batch: Tensors) -> float:
        return float(len(batch["ids"]) if weights is None else weights[batch["targets"].cpu()].sum())

    return Problem(collate, summed, items)
