"""The plain model of pictures: which way edges run where, under a linear layer.

In the manner of histograms of oriented gradients (Dalal and Triggs 2005): strengths of edges in eight directions, summed
over the cells of a grid and set in relation to their sum, and how bright each cell is.
"""

import math

import torch
from torch import nn

GRID = 7
_DIRECTIONS = 8


class Gradients(nn.Module):
    """Pictures float32 ``[n, channels, h, w]`` with values from 0 to 1 -> features ``[n, :func:`width`]``."""

    def __init__(self) -> None:
        super().__init__()
        angles = torch.arange(_DIRECTIONS) * (2 * math.pi / _DIRECTIONS)
        compass = torch.stack([angles.cos(), angles.sin()], dim=1).view(_DIRECTIONS, 2, 1, 1)
        self.register_buffer("compass", compass, persistent=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        grey = nn.functional.pad(pictures.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        across = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
        down = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
        edges = nn.functional.conv2d(torch.cat([across, down], dim=1), self.compass).clamp(min=0)
        cells = nn.functional.adaptive_avg_pool2d(edges, GRID)
        shares = (cells / (cells.sum(dim=1, keepdim=True) + 0.02)).sqrt()
        bright = nn.functional.adaptive_avg_pool2d(pictures, GRID)
        return torch.cat([shares.flatten(1), bright.flatten(1)], dim=1)


def width(channels: int) -> int:
    """How many features a picture has."""
    return GRID * GRID * (_DIRECTIONS + channels)


class PlainNet(nn.Module):
    """The features under a linear layer: logits ``[n, classes]``."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.blocks, self.head = Gradients(), nn.Linear(width(channels), classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.blocks(pictures))
        return logits
