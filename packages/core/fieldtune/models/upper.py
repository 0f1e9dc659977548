"""The upper layers of a network, trained by themselves: the lower ones run once, and what they give is kept.

The lower layers are no part of what trains, so nothing of theirs can change, batch norm's statistics included.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from fieldtune.data.images import Pixels
from fieldtune.errors import ConfigError
from fieldtune.models.image_classifier import tensors

Reader = Callable[[Sequence[int]], torch.Tensor]
PIECE = 64  # pictures computed together
_CACHE = 2**30  # bytes of hidden states that are kept; beyond, they are computed again in every epoch


class Top(nn.Module):
    """The layers of a network that train: hidden states of those below -> logits."""

    def __init__(self, blocks: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.blocks, self.head = blocks, head

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.blocks(hidden))
        return logits


def cut(net: nn.Module, layers: int) -> tuple[nn.Module, Top]:
    """The frozen part of a network, and its ``layers`` residual blocks or stem below the head, which train.

    Raises:
        ConfigError: there are no such many.
    """
    trained = [place for place, block in enumerate(net.blocks) if any(True for _ in block.parameters())]
    if layers >= len(trained):
        raise ConfigError(
            f"top_layers below {len(trained)}, as many as this network has",
            str(layers),
            "use --method full to train all",
        )
    place = trained[-layers] if layers else len(net.blocks)
    lower, upper = net.blocks[:place], net.blocks[place:]
    return lower.eval().requires_grad_(False), Top(upper, net.head)


def reading(lower: nn.Module, pictures: Pixels) -> Reader:
    """Rows -> what the trained layers see of these pictures: hidden states, kept when they fit, or the pixels."""

    def seen(rows: Sequence[int]) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = lower(tensors(pictures[rows]))
        return found

    numbers = range(len(pictures))
    if isinstance(lower, nn.Identity) or seen([0]).numel() * 4 * len(pictures) > _CACHE:
        return seen
    kept = torch.cat([seen(numbers[start : start + PIECE]) for start in range(0, len(pictures), PIECE)])

    def known(rows: Sequence[int]) -> torch.Tensor:
        found: torch.Tensor = kept[list(rows)]
        return found

    return known
