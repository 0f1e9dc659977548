"""A small anchor-free detector, trained from scratch: every place of two feature maps says what it sees and how far
the box around it reaches. Knows pixels of its canvas, no files.

After FCOS (Tian et al. 2019, arXiv 1904.01355), with places near a box's centre responsible for it and no centre-ness;
loss: focal (Lin et al. 2017, arXiv 1708.02002) + L1 + GIoU (Rezatofighi et al. 2019, arXiv 1902.09630).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.models.convnet import Centred, trunk

Tensors = dict[str, torch.Tensor]
STRIDES = (8, 16)
NOTHING = -1
_PER_STRIDE = 3.0  # a box about so many strides wide belongs to a map of that stride
_RADIUS = 1.5  # strides from a box's centre within which a place is responsible for it
_ALPHA, _GAMMA = 0.25, 2.0
_L1, _GIOU = 0.2, 2.0
_GROUPS = 8
_RARE = 0.01  # the probability of every class at the start: nearly all places see nothing


class AnchorFree(nn.Module):
    """Pictures float32 ``[n, 3, h, w]``, values 0 to 1, sides multiples of 16 -> logits ``[n, places, classes]`` and
    boxes ``[n, places, 4]`` in pixels."""

    def __init__(self, classes: int, widths: Sequence[int], neck: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(Centred(), *trunk(3, widths, [2] * len(widths)))
        self.sides = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in widths[-2:])
        self.tower = nn.Sequential(*(layer for _ in range(2) for layer in _grouped(neck)))
        self.classes, self.reach = nn.Conv2d(neck, classes, 3, padding=1), nn.Conv2d(neck, 4, 3, padding=1)
        nn.init.constant_(self.classes.bias, float(np.log(_RARE / (1 - _RARE))))
        nn.init.zeros_(self.reach.bias)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self.trunk[:-1](pictures)
        coarse = self.sides[1](self.trunk[-1](fine))
        maps = (self.sides[0](fine) + nn.functional.interpolate(coarse, scale_factor=2.0), coarse)
        logits, boxes = [], []
        for stride, seen in zip(STRIDES, maps, strict=True):
            towered = self.tower(seen)
            logits.append(self.classes(towered).flatten(2).transpose(1, 2))
            reach = self.reach(towered).float().flatten(2).transpose(1, 2).clamp(-4, 4).exp() * (stride * 2)
            centres = torch.from_numpy(_centres(seen.shape[2:], stride)).to(reach)
            boxes.append(torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], dim=-1))
        return torch.cat(logits, dim=1), torch.cat(boxes, dim=1)

    @staticmethod
    def targets(
        boxes: Sequence[NDArray[np.float64]], classes: Sequence[NDArray[np.int64]], size: tuple[int, int]
    ) -> Tensors:
        """What each place should say, per picture: ``classes`` int64 ``[n, places]`` (-1: nothing), ``boxes`` float32."""
        found = [assigned(own, size) for own in boxes]
        wanted = [np.where(at >= 0, np.append(own, 0)[at], NOTHING) for at, own in zip(found, classes, strict=True)]
        rows = [np.vstack([own, np.ones((1, 4))])[at] for at, own in zip(found, boxes, strict=True)]
        return {
            "classes": torch.from_numpy(np.stack(wanted).astype(np.int64)),
            "boxes": torch.from_numpy(np.stack(rows).astype(np.float32)),
        }

    @staticmethod
    def items(batch: Tensors) -> float:
        """Places that are responsible for a box; a picture without any counts as one."""
        return float((batch["classes"] != NOTHING).sum(dim=1).clamp(min=1).sum())

    @staticmethod
    def terms(outputs: tuple[torch.Tensor, torch.Tensor], batch: Tensors) -> Tensors:
        """The three terms of the loss, each summed over the batch and weighted: class, l1 (in strides), giou."""
        logits, boxes = outputs
        logits, seen = logits.float(), batch["classes"] != NOTHING
        wanted = nn.functional.one_hot(batch["classes"].clamp(min=0), logits.shape[-1]) * seen[..., None]
        given, true = boxes[seen], batch["boxes"][seen]
        strides = _strides(batch["pictures"].shape[2:]).to(boxes).expand(seen.shape)[seen]
        return {
            "class": focal(logits, wanted.to(logits.dtype)),
            "l1": _L1 * ((given - true).abs().mean(dim=1) / strides).sum(),
            "giou": _GIOU * (1 - paired_giou(given, true)).sum(),
        }

    @staticmethod
    def scored(outputs: tuple[torch.Tensor, torch.Tensor], size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes in pixels ``[n, places, 4]`` and a probability for every class ``[n, places, classes]``."""
        return outputs[1], outputs[0].float().sigmoid()


def _grouped(width: int) -> tuple[nn.Module, ...]:
    """A layer of the tower. Both maps pass through it, so batch norm's one memory would fit neither of them."""
    return nn.Conv2d(width, width, 3, padding=1, bias=False), nn.GroupNorm(_GROUPS, width), nn.ReLU()


def focal(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Focal loss summed: binary cross-entropy in which what is already right counts little."""
    plain = nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    right = torch.exp(-plain)
    weight = wanted * _ALPHA + (1 - wanted) * (1 - _ALPHA)
    return (weight * (1 - right) ** _GAMMA * plain).sum()


def paired_giou(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Generalised IoU row by row: ``[n, 4]`` and ``[n, 4]`` -> ``[n]``, see :func:`fieldtune.evaluate.detection.giou`."""
    inner = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(min=0)
    outer = torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])
    shared, around = inner.prod(dim=1), outer.prod(dim=1)
    union = (first[:, 2:] - first[:, :2]).prod(dim=1) + (second[:, 2:] - second[:, :2]).prod(dim=1) - shared
    return shared / union - (around - union) / around


def assigned(boxes: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.int64]:
    """Which of ``boxes`` ``[m, 4]`` each place is responsible for, int64 ``[places]``; -1 for none.

    A place lies inside the box and near its centre, on the map whose stride suits the box; the smallest box has it.
    The place nearest to the centre is responsible in any case, so that no box is lost.
    """
    places = np.concatenate([_centres(_map(size, stride), stride) for stride in STRIDES])
    strides = np.concatenate([np.full(len(_centres(_map(size, stride), stride)), stride) for stride in STRIDES])
    found = np.full(len(places), NOTHING, dtype=np.int64)
    if not len(boxes):
        return found
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    wide = np.sqrt(area)[:, None] / (np.array(STRIDES) * _PER_STRIDE)
    own = np.array(STRIDES)[np.abs(np.log(wide)).argmin(axis=1)]
    for box in np.argsort(-area, kind="stable"):  # a smaller one overwrites
        here = strides == own[box]
        away = np.abs(places - (boxes[box, :2] + boxes[box, 2:]) / 2).max(axis=1)
        inside = ((places > boxes[box, :2]) & (places < boxes[box, 2:])).all(axis=1)
        near = here & inside & (away < _RADIUS * own[box])
        near[np.where(here, away, np.inf).argmin()] = True
        found[near] = box
    return found


def _map(size: Sequence[int], stride: int) -> tuple[int, int]:
    return size[0] // stride, size[1] // stride


def _centres(size: Sequence[int], stride: int) -> NDArray[np.float32]:
    """x, y of the places of a map, row by row, float32 ``[places, 2]`` in pixels."""
    y, x = np.mgrid[: size[0], : size[1]]
    return ((np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * stride).astype(np.float32)


def _strides(size: Sequence[int]) -> torch.Tensor:
    counts = [int(np.prod(_map(size, stride))) for stride in STRIDES]
    return torch.cat([torch.full((count,), float(stride)) for count, stride in zip(counts, STRIDES, strict=True)])
