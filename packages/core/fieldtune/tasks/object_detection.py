"""Object detection: boxes with a label each. Method full: a small anchor-free network of ours from scratch or on from a
folder trained here; with ``--model FOLDER`` also a YOLOS or DETR of transformers (a config alone starts from scratch).

Loss: class + L1 + GIoU. Boxes are pixels of the picture as it is seen, from its top left corner.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.data.boxes import box_table, unboxed_images
from fieldtune.data.checks import Finding, placed, rows_of, spelling_twins, too_many
from fieldtune.data.images import Pixels, height_width, key, stack
from fieldtune.data.parts import PART, of_part, places_of_part
from fieldtune.data.picture_checks import mixed
from fieldtune.data.split import rarest, tenth
from fieldtune.errors import ConfigError, InputError
from fieldtune.evaluate.detection import Boxes, average_precision, report
from fieldtune.models.convnet import seeded
from fieldtune.models.detector import CONFIG, Detector, Net, built, detections, loaded
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.folder import CARD
from fieldtune.models.image_classifier import tensors
from fieldtune.models.trained import load
from fieldtune.progress import say
from fieldtune.tasks import pictured
from fieldtune.text.shown import some_of
from fieldtune.train.augment import Change, Sample, apply, moved
from fieldtune.train.heeds import PICTURES, Names
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.settings import Settings

COLUMNS = (("image", "boxes"), (PART,))
INPUTS = ("image",)
DEFAULTS = Settings(epochs=25, learning_rate=5e-4, head_learning_rate=2e-3, batch_rows=4, weight_decay=0.01)
METHODS = ("full",)
RIVALS = ()
ENCODERLESS = ()
SHARED = METHODS
FIGURE = "map50"
SELECTS = True
CHANGE = Change(shift=0.1, scale=(0.8, 1.25), mirror=True, colour=0.1)
_WIDTHS = (16, 32, 64, 96)
_NECK = 64
_LONGEST = 320  # pixels of the canvas unless the settings say otherwise
_STEP = 16  # the canvas is a multiple of the coarsest stride
_SURE = 0.5
read = box_table
read_inputs = unboxed_images
weights = pictured.weights


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    return PICTURES | {"learning_rate", "augment"}


def texts(table: pd.DataFrame) -> list[str]:
    """No words."""
    return []


def check(table: pd.DataFrame) -> list[Finding]:
    """Findings: no box at all, labels with one box only, pictures that occur twice."""
    rows = of_part(table, "train")
    counts = pd.Series([entry["label"] for boxes in rows["boxes"] for entry in boxes], dtype=object).value_counts()
    if counts.empty:
        return [Finding("no-box", "error", "no picture has a box: there is nothing to learn", ())]
    found = []
    single = sorted(map(str, counts.index[counts == 1]))
    if single:
        found.append(Finding("single-box-label", "warning", f"labels with one box only: {some_of(single)}", ()))
    found += too_many(len(counts)) + spelling_twins(
        rows_of([entry["label"] for entry in boxes] for boxes in rows["boxes"])
    )
    repeated = pd.Series([key(picture) for picture in rows["image"]]).duplicated()
    if repeated.any():
        message = f"pictures repeat an earlier one: {int(repeated.sum())} rows"
        found.append(Finding("duplicate", "warning", message, tuple(np.flatnonzero(repeated).tolist())))
    return placed(found + mixed(list(rows["image"])), places_of_part(table, "train"))


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The official parts; without them a tenth of the pictures for validation, by their rarest label."""
    if PART in table and {"train", "valid"} <= set(table[PART]):
        return of_part(table, "train"), of_part(table, "valid")
    table = of_part(table, "train")
    names = [{entry["label"] for entry in boxes} for boxes in table["boxes"]]
    return tenth(table, [key(picture) for picture in table["image"]], seed, rarest(names))


def train(
    table: pd.DataFrame,
    method: str,
    model: str,
    settings: Settings,
    *,
    seed: int,
    folder: Path,
    show: bool,
    valid: pd.DataFrame | None = None,
) -> Detector:
    """Fit on ``table`` (columns image, boxes); with ``valid``, the weights that did best on it are kept."""
    table = of_part(table, "train")
    labels = tuple(sorted({entry["label"] for boxes in table["boxes"] for entry in boxes}))
    started = _start(model, list(table["image"]), labels, settings, seed)
    pictures, samples = _samples(table, labels, started.canvas)
    score = _score(valid, labels, started.canvas) if valid is not None else None
    epoch = pictured.tune(
        started.net,
        problem(started.net, pictures, samples, CHANGE if settings.augment else None, seed),
        len(table),
        settings,
        body=None if model == DEFAULT else started.net,
        score=score,
        seed=seed,
        folder=folder,
        show=show,
    )
    started.card = pictured.kept(epoch) if score else {}  # nothing of the card of a folder it went on from
    return started


def finish(model: Detector, valid: pd.DataFrame) -> dict[str, Any]:
    """Nothing to calibrate; returns the metrics on validation rows."""
    return metrics(model, of_part(valid, "valid"))


def adopt(model: Detector, measured: Detector) -> None:
    """Nothing to take over from the model that was measured."""


def metrics(model: Detector, table: pd.DataFrame) -> dict[str, Any]:
    """map50, map, n, per_class; a label that training never saw counts with precision 0, and is told."""
    table = of_part(table, "test", "valid")
    true = [_true(boxes) for boxes in table["boxes"]]
    strangers = sorted({label for own in true for label in own.labels} - set(model.labels))
    if strangers:
        say(f"note: labels the model does not know: {some_of(strangers)} (it knows {some_of(model.labels)})")
    return report(true, model.detect(list(table["image"])))


def correct(model: Detector, table: pd.DataFrame) -> NDArray[np.float64]:
    """Average precision at IoU .5 of each picture by itself: what the gate compares. Without boxes: 1 if none is given."""
    table, found = of_part(table, "test", "valid"), []
    for boxes, given in zip(table["boxes"], model.detect(list(table["image"])), strict=True):
        true = _true(boxes)
        values = [average_precision([true], [given], label)[0] for label in sorted(set(true.labels))]
        found.append(float(np.mean(values)) if values else float(not (given.scores >= _SURE).any()))
    return np.array(found)


def predict(model: Detector, table: pd.DataFrame) -> pd.DataFrame:
    """One column, ``boxes``: per picture a list of {label, score, box: [x0, y0, x1, y1]} in its pixels, the surest first."""
    found = [
        [
            {"label": label, "score": float(score), "box": [round(float(side), 2) for side in box]}
            for box, label, score in zip(given.boxes, given.labels, given.scores, strict=True)
        ]
        for given in model.detect(list(table["image"]))
    ]
    return pd.DataFrame({"boxes": pd.Series(found, dtype=object)})


def problem(net: Net, pictures: Pixels, samples: Sequence[Sample], change: Change | None, seed: int) -> Problem:
    """Class + L1 + GIoU, summed over the batch; an item is what the network says a box counts for.

    Args:
        pictures: uint8 ``[rows, h, w, 3]``; ``samples``: per row boxes ``[m, 4]`` in its pixels and classes ``[m]``.
    """
    size = (pictures.shape[1], pictures.shape[2])

    def collate(examples: list[int]) -> Tensors:
        rows = [example % len(samples) for example in examples]
        inputs, wanted = tensors(pictures[rows]), [samples[row] for row in rows]
        if change:
            maps, tones = pictured.changes(examples, change, seed, size)
            inputs = apply(inputs, maps, tones)
            wanted = [moved(sample, affine, size) for sample, affine in zip(wanted, maps, strict=True)]
        targets = net.targets([boxes for boxes, _ in wanted], [classes for _, classes in wanted], size)
        return {"pictures": inputs, **targets}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        return torch.stack(list(net.terms(module(batch["pictures"]), batch).values())).sum()

    return Problem(collate, loss, net.items)


def _start(model: str, items: Sequence[Any], labels: tuple[str, ...], settings: Settings, seed: int) -> Detector:
    """The network to train: from scratch, on from a folder of ours, or one of transformers'."""
    if model == DEFAULT:
        plan = {"kind": "anchor-free", "widths": list(_WIDTHS), "neck": _NECK, "canvas": _canvas(items, settings)}
        return Detector(seeded(seed, built, plan, len(labels)), plan, labels)
    folder = Path(model)
    if not folder.is_dir():
        raise InputError("a detector's folder", f"nothing at {model}", "name a folder, or --model default")
    if (folder / CARD).is_file():
        base = load(folder)
        if not isinstance(base, Detector):
            raise InputError("a detector to start from", f"another model in {model}", "name another --model")
        if base.labels != labels:
            raise InputError(
                f"the labels of {model}: {', '.join(base.labels)}", ", ".join(labels), "start from another"
            )
        _refuse_size(settings, model, base.plan["canvas"])
        return base
    if not (folder / CONFIG).is_file():
        raise InputError(f"a model folder, or one with {CONFIG}", f"neither in {model}", "name another --model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = loaded(folder, labels)
    if net.size:
        _refuse_size(settings, model, net.size)
    return Detector(net, {"kind": "transformers", "canvas": _canvas(items, settings, net.size)}, labels)


def _refuse_size(settings: Settings, model: str, size: Sequence[int]) -> None:
    """A network that was trained on pictures of one size is not shown others."""
    if settings.image_size not in (0, max(size)):
        raise ConfigError(
            f"the image_size {max(size)} of {model}", str(settings.image_size), "leave --set image_size out"
        )


def _canvas(items: Sequence[Any], settings: Settings, fixed: tuple[int, int] | None = None) -> list[int]:
    """Height and width the pictures are scaled to: of their usual shape, the longer side as the settings say."""
    if fixed:
        return list(fixed)
    shapes = np.array([height_width(item) for item in items])
    tall = float(np.median(shapes[:, 0] / shapes[:, 1]))
    longest = settings.image_size or min(_LONGEST, int(shapes.max()))
    sides = (longest * min(tall, 1.0), longest / max(tall, 1.0))
    return [max(2 * _STEP, math.ceil(side / _STEP) * _STEP) for side in sides]


def _samples(table: pd.DataFrame, labels: tuple[str, ...], canvas: tuple[int, int]) -> tuple[Pixels, list[Sample]]:
    """Pictures on the canvas, uint8 ``[n, h, w, 3]``, and each one's boxes in its pixels."""
    places = {label: place for place, label in enumerate(labels)}
    samples = []
    for picture, boxes in zip(table["image"], table["boxes"], strict=True):
        height, width = height_width(picture)
        scale = np.array([canvas[1] / width, canvas[0] / height] * 2)
        sides = np.array([entry["box"] for entry in boxes], dtype=np.float64).reshape(-1, 4) * scale
        samples.append((sides, np.array([places[entry["label"]] for entry in boxes], dtype=np.int64)))
    return stack(list(table["image"]), canvas, 3), samples


def _score(valid: pd.DataFrame, labels: tuple[str, ...], canvas: tuple[int, int]) -> Callable[[Any], float] | None:
    """Mean average precision on validation rows."""
    valid = of_part(valid, "valid")
    true = [_true(boxes) for boxes in valid["boxes"]]
    if not any(len(own.labels) for own in true):
        return None
    pictures, sizes = stack(list(valid["image"]), canvas, 3), [height_width(picture) for picture in valid["image"]]

    def score(module: Any) -> float:
        given: list[Boxes] = []
        for start in range(0, len(sizes), 8):
            piece = slice(start, start + 8)
            given += detections(module, tensors(pictures[piece]), sizes[piece], labels)
        return float(report(true, given)["map"])

    return score


def _true(boxes: list[dict[str, Any]]) -> Boxes:
    sides = np.array([entry["box"] for entry in boxes], dtype=np.float64).reshape(-1, 4)
    return Boxes(sides, [entry["label"] for entry in boxes], np.zeros(0))
