"""A small residual convolutional network for pictures, trained from scratch on a CPU. Knows no task.

He et al. 2016 (arXiv 1512.03385) in small: a stem, then stages of residual blocks, each stage half as wide in pixels and
wider in channels than the one before.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import nn

Made = TypeVar("Made", bound=nn.Module)


class Residual(nn.Module):
    """Two 3x3 convolutions with batch norm, added to what came in."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = normed(inside, outside, 3, stride), normed(outside, outside, 3)
        self.short = nn.Identity() if inside == outside and stride == 1 else normed(inside, outside, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.short(x) + self.second(nn.functional.relu(self.first(x))))


def normed(inside: int, outside: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution followed by batch norm."""
    convolution = nn.Conv2d(inside, outside, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside))


def trunk(channels: int, widths: Sequence[int], strides: Sequence[int]) -> nn.Sequential:
    """The stem and one residual block a stage: pictures ``[n, channels, h, w]`` -> ``[n, widths[-1], ...]``."""
    stem = nn.Sequential(normed(channels, widths[0], 3, strides[0]), nn.ReLU())
    pairs = zip(widths[:-1], widths[1:], strides[1:], strict=True)
    return nn.Sequential(stem, *(Residual(inside, outside, stride) for inside, outside, stride in pairs))


class ConvNet(nn.Module):
    """Pictures float32 ``[n, channels, h, w]`` with values from 0 to 1 -> logits ``[n, classes]``.

    Attributes:
        blocks: the stem, the residual blocks, the mean over all places: a cut between any two gives hidden states.
        head: the linear layer on top.
    """

    def __init__(self, channels: int, classes: int, widths: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Centred(), *trunk(channels, widths, strides), Pooled())
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.blocks(pictures))
        return logits


class Centred(nn.Module):
    """Values from 0 to 1 -> from -1 to 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 - 1


class Pooled(nn.Module):
    """The mean over all places: ``[n, c, h, w]`` -> ``[n, c]``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))


class Still(nn.Module):
    """A module whose batch norm uses the statistics it has, in training too.

    Each picture's loss is then its own affair, so k micro-batches equal one batch.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def train(self, mode: bool = True) -> "Still":
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(*inputs)
        return found


def seeded(seed: int, make: Callable[..., Made], *arguments: object) -> Made:
    """What ``make`` builds, its random weights depending on ``seed`` alone; torch's global state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(*arguments)
