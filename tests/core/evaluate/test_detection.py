"""Boxes against pycocotools, a case worked out by hand, and slow plain versions."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fieldtune.errors import InputError
from fieldtune.evaluate.detection import Boxes, average_precision, giou, iou, nms, report


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(4, 40, (count, 2))], axis=1)


def world(seed: int, pictures: int = 12) -> tuple[list[Boxes], list[Boxes]]:
    """True boxes and given ones, some near them, some anywhere, some twice."""
    rng = np.random.default_rng(seed)
    true, given = [], []
    for _ in range(pictures):
        real = random_boxes(rng, int(rng.integers(0, 6)))
        names = [str(name) for name in rng.choice(["a", "b", "c"], len(real))]
        near = np.repeat(real, rng.integers(0, 3, len(real)), axis=0)
        near = near + rng.normal(0, 3, near.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        found = np.concatenate([near, random_boxes(rng, int(rng.integers(0, 5)))])
        labels = [str(name) for name in rng.choice(["a", "b", "c", "d"], len(found))]
        true.append(Boxes(real, names, np.zeros(0)))
        given.append(Boxes(found, labels, rng.permutation(len(found)) / 100 + rng.uniform(0, 0.9)))
    return true, given


def reference(true: list[Boxes], given: list[Boxes]) -> Any:
    """precision [10, 101, labels] by pycocotools, over the labels that have true boxes."""
    labels = sorted({label for real in true for label in real.labels})

    def told(boxes: Boxes, picture: int) -> list[dict[str, Any]]:
        rows = []
        for place, (box, label) in enumerate(zip(boxes.boxes, boxes.labels, strict=True)):
            if label in labels:
                width, height = box[2:] - box[:2]
                rows.append({"image_id": picture, "category_id": labels.index(label) + 1, "iscrowd": 0})
                rows[-1] |= {"bbox": [*box[:2].tolist(), float(width), float(height)], "area": float(width * height)}
                if len(boxes.scores):
                    rows[-1]["score"] = float(boxes.scores[place])
        return rows

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        annotations = [row for picture, real in enumerate(true) for row in told(real, picture)]
        coco.dataset = {
            "info": {},
            "images": [{"id": picture} for picture in range(len(true))],
            "categories": [{"id": place + 1, "name": label} for place, label in enumerate(labels)],
            "annotations": [row | {"id": place + 1} for place, row in enumerate(annotations)],
        }
        coco.createIndex()
        results = coco.loadRes([row for picture, found in enumerate(given) for row in told(found, picture)])
        measured = COCOeval(coco, results, "bbox")
        measured.evaluate()
        measured.accumulate()
    return labels, measured.eval["precision"][:, :, :, 0, 2]


@pytest.mark.parametrize("seed", range(8))
def test_average_precision_is_that_of_pycocotools(seed: int) -> None:
    true, given = world(seed)
    labels, precision = reference(true, given)
    for place, label in enumerate(labels):
        assert average_precision(true, given, label) == pytest.approx(precision[:, :, place].mean(axis=1), abs=1e-9)
    found = report(true, given)
    assert found["map"] == pytest.approx(precision.mean(), abs=1e-9)
    assert found["map50"] == pytest.approx(precision[0].mean(), abs=1e-9)


def test_a_case_worked_out_by_hand() -> None:
    """Two true boxes; the surest given one finds the first exactly, the second is wrong, the third has IoU .6 with the
    second true box. At IoU .5: precision 1 up to recall .5 (51 of the 101 recalls), then 2/3 (50 of them). Above .6
    only the first counts: precision 1 at 51 recalls, 0 beyond."""
    true = [Boxes(np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]]), ["x", "x"], np.zeros(0))]
    given = [
        Boxes(np.array([[0.0, 0, 10, 10], [50, 50, 60, 60], [20, 0, 30, 6]]), ["x"] * 3, np.array([0.9, 0.8, 0.7]))
    ]
    low, high = (51 + 50 * 2 / 3) / 101, 51 / 101
    found = average_precision(true, given, "x")
    assert found[:2] == pytest.approx(low)
    assert found[3:] == pytest.approx(high)
    assert report(true, given)["map50"] == pytest.approx(low)


def test_overlaps_worked_out_by_hand() -> None:
    unit = [[0.0, 0, 2, 2]]
    assert iou(unit, [[1.0, 0, 3, 2], [2, 0, 4, 2], [0, 0, 2, 2]])[0] == pytest.approx([1 / 3, 0, 1])
    assert giou(unit, [[1.0, 0, 3, 2], [4, 0, 6, 2], [1, 1, 3, 3]])[0] == pytest.approx([1 / 3, -1 / 3, 1 / 7 - 2 / 9])


def test_duplicates_are_removed_as_a_slow_version_does() -> None:
    rng = np.random.default_rng(0)
    boxes, scores = random_boxes(rng, 60), rng.uniform(size=60)
    kept: list[int] = []
    for place in sorted(range(60), key=lambda row: -scores[row]):
        if all(iou([boxes[place]], [boxes[other]])[0, 0] <= 0.3 for other in kept):
            kept.append(place)
    assert nms(boxes, scores, 0.3).tolist() == kept
    assert 5 < len(kept) < 50
    assert nms(np.zeros((0, 4)), np.zeros(0)).tolist() == []


def test_empty_lists_are_no_crash() -> None:
    none = Boxes(np.zeros((0, 4)), [], np.zeros(0))
    one = Boxes(np.array([[0.0, 0, 5, 5]]), ["x"], np.zeros(0))
    assert report([one, none], [none, none])["map50"] == 0
    with pytest.raises(InputError, match="true box"):
        report([none], [none])
