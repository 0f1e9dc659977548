"""Quality of boxes: intersection over union, duplicate removal, and mean average precision as COCO defines it.

Knows numbers only; a box is x0, y0, x1, y1 with x1 > x0 and y1 > y0, in one unit throughout.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fieldtune.errors import InputError

Floats = NDArray[np.float64]
THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
_RECALLS: Floats = np.linspace(0.0, 1.0, 101)
MOST = 100
"""Boxes of a class that count in one picture, the surest first (COCO's maxDets)."""


class Boxes(NamedTuple):
    """The boxes of one picture: ``boxes`` float [n, 4], ``labels`` str [n], ``scores`` float [n] (empty for true ones)."""

    boxes: Floats
    labels: Sequence[str]
    scores: Floats


def iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Intersection over union of every pair: ``[n, 4]`` and ``[m, 4]`` -> float64 ``[n, m]``."""
    return _overlap(first, second)[0]


def giou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Generalised IoU of every pair, in (-1, 1]: what lies between two boxes counts against them.

    Rezatofighi et al. 2019 (arXiv 1902.09630): IoU minus the share of the enclosing box that neither covers.
    """
    a, b = _rows(first)[:, None], _rows(second)[None]
    shared, union = _overlap(first, second)
    low, high = np.minimum(a[..., :2], b[..., :2]), np.maximum(a[..., 2:], b[..., 2:])
    around = (high - low).prod(axis=-1)
    return np.asarray(shared - (around - union) / around)


def nms(boxes: ArrayLike, scores: ArrayLike, overlap: float = 0.5) -> NDArray[np.int64]:
    """Places of the boxes that stay, the surest first: none overlaps a surer one by more than ``overlap`` (IoU)."""
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    shared = iou(np.asarray(boxes)[order], np.asarray(boxes)[order])
    kept = np.ones(len(order), dtype=bool)
    for place in range(len(order)):
        if kept[place]:
            kept[place + 1 :] &= shared[place, place + 1 :] <= overlap
    return np.asarray(order[kept], dtype=np.int64)


def average_precision(true: Sequence[Boxes], given: Sequence[Boxes], label: str) -> Floats:
    """AP of one label at each of :data:`THRESHOLDS`, float64 [10]; NaN where no picture has a true box of it.

    Pictures in the same order. Lin et al. 2014 (arXiv 1405.0312) and the reference code pycocotools: a given box, the
    surest first, takes the true box of its picture with the highest IoU that is still free; precision is made to fall
    with recall and read at 101 recalls.
    """
    hits, scores, count = [np.zeros((len(THRESHOLDS), 0), dtype=bool)], [np.zeros(0)], 0
    for real, found in zip(true, given, strict=True):
        wanted = _of(real, label).boxes
        surest = _of(found, label)
        order = np.argsort(-surest.scores, kind="stable")[:MOST]
        hits.append(_matched(iou(surest.boxes[order], wanted)))
        scores.append(surest.scores[order])
        count += len(wanted)
    if not count:
        return np.full(len(THRESHOLDS), np.nan)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return np.array([_area(row[order], count) for row in np.concatenate(hits, axis=1)])


def report(true: Sequence[Boxes], given: Sequence[Boxes]) -> dict[str, Any]:
    """map50 (IoU .5), map (mean over .5 to .95), n pictures, per_class; means over the labels that have true boxes.

    Raises:
        InputError: no true box at all, or pictures that do not pair up.
    """
    labels = sorted({label for real in true for label in real.labels})
    if not labels or len(true) != len(given):
        raise InputError(
            "pictures with at least one true box, and boxes given for each",
            f"{len(true)} pictures with {len(labels)} labels, {len(given)} predictions",
            "evaluate on pictures that show something",
        )
    found = {label: average_precision(true, given, label) for label in labels}
    support = {label: sum(list(real.labels).count(label) for real in true) for label in labels}
    return {
        "map50": float(np.mean([values[0] for values in found.values()])),
        "map": float(np.mean([values.mean() for values in found.values()])),
        "n": len(true),
        "per_class": {
            label: {"ap50": float(values[0]), "ap": float(values.mean()), "support": support[label]}
            for label, values in found.items()
        },
    }


def _matched(shared: Floats) -> NDArray[np.bool_]:
    """Whether each given box (rows, surest first) finds a free true one, at each threshold: bool [10, given]."""
    hits = np.zeros((len(THRESHOLDS), len(shared)), dtype=bool)
    for level, least in enumerate(THRESHOLDS):
        free = np.ones(shared.shape[1], dtype=bool)
        for row, values in enumerate(shared):
            open_ = np.where(free, values, -1.0)
            # Of equal overlaps the last one, as the reference code takes it.
            best = len(open_) - 1 - int(np.argmax(open_[::-1])) if len(open_) else -1
            if best >= 0 and open_[best] >= min(least, 1 - 1e-10):
                hits[level, row], free[best] = True, False
    return hits


def _area(hits: NDArray[np.bool_], count: int) -> float:
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(right / count, _RECALLS, side="left")
    return float(np.append(falling, 0.0)[places].mean())


def _of(found: Boxes, label: str) -> Boxes:
    own = np.array([name == label for name in found.labels], dtype=bool)
    scores = found.scores[own] if len(found.scores) else np.zeros(0)
    return Boxes(_rows(found.boxes)[own], [label] * int(own.sum()), scores)


def _overlap(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    a, b = _rows(first)[:, None], _rows(second)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inside = np.maximum(sides, 0.0).prod(axis=-1)
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - inside
    return inside / union, union


def _rows(boxes: ArrayLike) -> Floats:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
