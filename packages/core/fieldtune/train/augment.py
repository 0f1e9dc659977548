"""Pictures shown a little differently each time: shifted, turned, scaled, mirrored, brighter or darker.

All of one picture's changes but colour are one affine map, so pixels are interpolated once. What is drawn depends on the
seed and the number of the example in the run alone, not on the batch it is in or on what was drawn before: a resumed
run, and a batch cut into smaller ones, see the same pictures.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Sample = tuple[NDArray[np.float64], NDArray[np.int64]]
"""The boxes ``[n, 4]`` of a picture in its pixels, and their classes ``[n]``."""
_LEFT = 0.3  # share of a box that must stay in a changed picture for the box to count
_SMALLEST = 2.0  # pixels


@dataclass(frozen=True)
class Change:
    """How much may change; nothing by default.

    Attributes:
        shift: share of the side that a picture moves at most, what comes in from outside repeating the edge's pixels;
            with a scale, a random crop.
        turn: degrees, either way.
        scale: smallest and largest factor.
        mirror: left and right may change places.
        colour: brightness and contrast change by at most this share.
    """

    shift: float = 0.0
    turn: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    mirror: bool = False
    colour: float = 0.0


def draw(
    change: Change, seed: int, example: int, size: tuple[int, int]
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """For one example: the map from old to new pixel coordinates ``[2, 3]``, and contrast and brightness.

    Args:
        example: number in the whole run: epoch times rows, plus row.
        size: height and width.
    """
    rng = np.random.default_rng([seed, example])
    height, width = size
    angle = np.deg2rad(rng.uniform(-change.turn, change.turn))
    factor = np.exp(rng.uniform(*np.log(change.scale)))
    side = -1.0 if change.mirror and rng.random() < 0.5 else 1.0
    cosine, sine = factor * np.cos(angle), factor * np.sin(angle)
    linear = np.array([[cosine * side, -sine], [sine * side, cosine]])
    centre = np.array([width / 2, height / 2])
    moved = centre + rng.uniform(-change.shift, change.shift, 2) * [width, height]
    contrast, brightness = 1 + rng.uniform(-change.colour, change.colour), rng.uniform(-change.colour, change.colour)
    return np.column_stack([linear, moved - linear @ centre]), (float(contrast), float(brightness))


def apply(pictures: torch.Tensor, maps: NDArray[np.float64], tones: NDArray[np.float64]) -> torch.Tensor:
    """Pictures float32 ``[n, c, h, w]`` moved by ``maps`` ``[n, 2, 3]``, then contrast and brightness ``[n, 2]``."""
    _, _, height, width = pictures.shape
    theta = torch.from_numpy(_normalised(maps, height, width)).to(pictures.dtype)
    grid = nn.functional.affine_grid(theta, list(pictures.shape), align_corners=False)
    moved = nn.functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    tone = torch.from_numpy(tones).to(pictures.dtype)[:, :, None, None, None]
    return moved * tone[:, 0] + tone[:, 1]


def moved_boxes(boxes: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes float ``[n, 4]`` under a map ``[2, 3]``: the smallest upright box around each one's corners."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2) @ affine[:, :2].T + affine[:, 2]
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def moved(sample: Sample, affine: NDArray[np.float64], size: tuple[int, int]) -> Sample:
    """A picture's boxes after it was changed: cut at its sides, those mostly outside or tiny left out."""
    boxes, classes = moved_boxes(sample[0], affine), sample[1]
    seen = np.clip(boxes, 0, [size[1], size[0]] * 2)
    sides = seen[:, 2:] - seen[:, :2]
    share = sides.prod(axis=1) / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    kept = (share >= _LEFT) & (sides >= _SMALLEST).all(axis=1)
    return seen[kept], classes[kept]


def _normalised(maps: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """From new to old places in torch's coordinates, where a picture reaches from -1 to 1."""
    unit = np.array([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
    full = np.concatenate([maps, np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(maps), 1, 3))], axis=1)
    inverse: NDArray[np.float64] = (np.linalg.inv(unit) @ np.linalg.inv(full) @ unit)[:, :2]
    return inverse
