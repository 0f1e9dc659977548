"""What is being fitted. Apart from :mod:`fieldtune.train.fit`, whose training loop takes seconds to import."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Problem:
    """What is being fitted, in three functions.

    Attributes:
        collate: row numbers -> the tensors of one batch.
        loss: module and batch -> the loss summed over the batch.
        items: batch -> how many items (examples, weighted or not) that sum counts.
        divisible: whether the loss of a batch is the sum of those of its parts; not so where rows are compared.
    """

    collate: Callable[[list[int]], Tensors]
    loss: Callable[[nn.Module, Tensors], torch.Tensor]
    items: Callable[[Tensors], float]
    divisible: bool = True
