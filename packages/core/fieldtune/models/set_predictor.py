"""The YOLOS and DETR classes of transformers behind the verbs of our own detector: a fixed set of boxes a picture.

Loss: each true box is given to one prediction so that the whole costs least, then cross-entropy (what sees nothing
counts a tenth) + L1 + GIoU (Carion et al. 2020, arXiv 2005.12872). Knows pixels of its canvas, no files.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import nn

from fieldtune.models.anchor_free import NOTHING, Tensors, paired_giou

TYPES = ("detr", "yolos")
"""Values of ``model_type`` in config.json that may be built."""
_EMPTY = 0.1
_CLASS, _L1, _GIOU = 1.0, 5.0, 2.0
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the pictures these models were pretrained on


class SetPredictor(nn.Module):
    """Pictures float32 ``[n, 3, h, w]``, values 0 to 1 -> logits ``[n, queries, classes + 1]`` and boxes
    ``[n, queries, 4]`` as centre, width and height from 0 to 1."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(_SPREAD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.inner(pixel_values=(pictures - self.mean) / self.spread)
        return found.logits, found.pred_boxes

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the pictures it was made for; None where it takes any."""
        known = getattr(self.inner.config, "image_size", None)
        return (int(known[0]), int(known[1])) if known else None

    @staticmethod
    def targets(
        boxes: Sequence[NDArray[np.float64]], classes: Sequence[NDArray[np.int64]], size: tuple[int, int]
    ) -> Tensors:
        """The true boxes, padded to as many a picture: ``classes`` int64 ``[n, most]`` (-1: none), ``boxes`` float32."""
        most = max(1, *map(len, boxes))
        given = torch.full((len(boxes), most), NOTHING, dtype=torch.long)
        places = torch.full((len(boxes), most, 4), 0.5)
        scale = np.array([size[1], size[0]] * 2, dtype=np.float64)
        for row, (own, names) in enumerate(zip(boxes, classes, strict=True)):
            corners = own / scale
            middle = (
                np.concatenate([corners[:, :2] + corners[:, 2:], (corners[:, 2:] - corners[:, :2]) * 2], axis=1) / 2
            )
            places[row, : len(own)] = torch.from_numpy(middle.astype(np.float32))
            given[row, : len(own)] = torch.from_numpy(names)
        return {"classes": given, "boxes": places}

    @staticmethod
    def items(batch: Tensors) -> float:
        """Boxes; a picture without any counts as one."""
        return float((batch["classes"] != NOTHING).sum(dim=1).clamp(min=1).sum())

    @staticmethod
    def terms(outputs: tuple[torch.Tensor, torch.Tensor], batch: Tensors) -> Tensors:
        """The three terms of the loss, each summed over the batch and weighted: class, l1, giou."""
        logits, boxes = outputs[0].float(), outputs[1].float()
        nothing = logits.shape[-1] - 1
        wanted = torch.full(logits.shape[:2], nothing, dtype=torch.long, device=logits.device)
        given, true = [], []
        for row, names in enumerate(batch["classes"]):
            names = names[names != NOTHING]
            own = batch["boxes"][row, : len(names)]
            queries, places = matched(logits[row], boxes[row], names, own)
            wanted[row, queries] = names[places]
            given.append(boxes[row, queries])
            true.append(own[places])
        found, right = torch.cat(given), torch.cat(true)
        weights = torch.ones(nothing + 1, device=logits.device)
        weights[nothing] = _EMPTY
        lost = nn.functional.cross_entropy(logits.transpose(1, 2), wanted, weight=weights, reduction="sum")
        return {
            "class": _CLASS * lost,
            "l1": _L1 * (found - right).abs().sum(),
            "giou": _GIOU * (1 - paired_giou(corners(found), corners(right))).sum(),
        }

    @staticmethod
    def scored(outputs: tuple[torch.Tensor, torch.Tensor], size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes in pixels ``[n, queries, 4]`` and a probability for every class ``[n, queries, classes]``."""
        scale = torch.tensor([size[1], size[0]] * 2, dtype=torch.float32, device=outputs[1].device)
        return corners(outputs[1].float()) * scale, outputs[0].float().softmax(dim=-1)[..., :-1]


def matched(
    logits: torch.Tensor, boxes: torch.Tensor, names: torch.Tensor, own: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and true boxes of one picture, paired so that the whole costs least (Kuhn 1955)."""
    logits, boxes, count = logits.detach(), boxes.detach(), len(names)
    left, right = corners(boxes).repeat_interleave(count, 0), corners(own).repeat(len(boxes), 1)
    cost = (
        -_CLASS * logits.softmax(dim=-1)[:, names]
        + _L1 * torch.cdist(boxes, own, p=1)
        - _GIOU * paired_giou(left, right).view(len(boxes), count)
    )
    queries, places = linear_sum_assignment(cost.cpu().numpy())
    return torch.from_numpy(queries).to(names.device), torch.from_numpy(places).to(names.device)


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """Centre, width and height -> x0, y0, x1, y1."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], dim=-1)
