"""Image and text together, one label a row: either may be missing, and the answer gets worse but never fails.

Every row is learnt three times in a batch, with both parts, with the picture alone and with the text alone, so the network
knows what to do without one of them. Methods: text and image (one part alone, the rivals), full.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.data.checks import OUT_OF_SCOPE, Finding, check_labels, over_long, placed, text_key
from fieldtune.data.images import height_width, is_grey, key
from fieldtune.data.picture_checks import mixed
from fieldtune.data.pictured_texts import image_text_table, unlabelled_image_texts
from fieldtune.errors import InputError
from fieldtune.models.convnet import seeded
from fieldtune.models.features import EncoderFeatures
from fieldtune.models.image_classifier import tensors
from fieldtune.models.image_text import Fusion, ImageTextClassifier, inputs
from fieldtune.models.trained import load_encoder
from fieldtune.tasks import labelled, pictured
from fieldtune.train.heeds import ENCODED, PICTURES, Names
from fieldtune.train.losses import class_weights, cross_entropy
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.settings import Settings

COLUMNS = (("label",), ("image", "text"))
INPUTS = ("image", "text")
DEFAULTS = Settings(epochs=20, head_learning_rate=2e-3, batch_rows=32, dropout=0.3, class_weights="sqrt")
METHODS = ("text", "image", "full")
RIVALS = ("text", "image")
ENCODERLESS: tuple[str, ...] = ()
SHARED = METHODS
FIGURE = labelled.FIGURE
SPREAD = 1e-3  # of a number that is the same for all texts
_LARGEST = 96
_LOOKED = 50
_PARTS = {"full": ((1, 1), (1, 1), (1, 0), (0, 1)), "image": ((1, 0),), "text": ((0, 1),)}
"""Method -> which of picture and text are shown; each row is learnt once for each, both together counting twice."""
read = image_text_table
read_inputs = unlabelled_image_texts
adopt = labelled.adopt


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    return PICTURES | ENCODED | {"dropout", "label_smoothing", "class_weights"}


def texts(table: pd.DataFrame) -> list[str]:
    """What the encoder reads of each row."""
    return list(table["text"])


def items(table: pd.DataFrame) -> list[tuple[Any, str]]:
    """Picture (or None) and text of each row."""
    return list(zip(table["image"], table["text"], strict=True))


def check(table: pd.DataFrame) -> list[Finding]:
    """Findings on the labels, and on rows that occur twice."""
    pictures = table["image"].dropna()
    made = placed(mixed(pictures.tolist()), np.flatnonzero(table["image"].notna()).tolist())
    return check_labels(_keys(table), table["label"], "row") + over_long(table["text"]) + made


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified tenth for validation; equal rows stay on one side."""
    return labelled.split(table, _keys(table), seed)


def train(
    table: pd.DataFrame, method: str, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> ImageTextClassifier:
    """Fit on ``table`` (columns image, text, label)."""
    table, labels, targets = labelled.classes(table)
    features = load_encoder(model, settings.max_length).features
    assert isinstance(features, EncoderFeatures)
    rows = items(table)
    plan = _plan([image for image, _ in rows if image is not None], settings)
    pixels, vectors, there = inputs(rows, features, plan)
    net = seeded(seed, Fusion, plan["channels"], plan["strides"], vectors.shape[1], len(labels), settings.dropout)
    written = vectors[there[:, 1] > 0]
    if len(written):
        net.centre.copy_(torch.from_numpy(written.mean(axis=0)))
        net.spread.copy_(torch.from_numpy(written.std(axis=0) + SPREAD))
    weights = class_weights(targets, labels, settings.class_weights)
    made = problem(pixels, vectors, there, targets, weights, method, settings.label_smoothing)
    pictured.tune(net, made, len(rows), settings, body=None, score=None, seed=seed, folder=folder, show=show)
    return ImageTextClassifier(features, net.eval(), plan, labels)


def problem(
    pixels: NDArray[np.uint8],
    vectors: NDArray[np.float32],
    there: NDArray[np.float32],
    targets: NDArray[np.int64],
    weights: torch.Tensor,
    method: str,
    smooth: float,
) -> Problem:
    """Cross-entropy summed over the batch, the mean of the ways a row is shown; an item is a row, or its class weight.

    A way that would show nothing of a row is not learnt from.
    """
    ways = torch.tensor(_PARTS[method], dtype=torch.float32)

    def collate(examples: list[int]) -> Tensors:
        rows = [example % len(targets) for example in examples]
        return {
            "pixels": tensors(pixels[rows]),
            "vectors": torch.from_numpy(vectors[rows]),
            "there": torch.from_numpy(there[rows]),
            "targets": torch.from_numpy(targets[rows]),
        }

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        shown = batch["there"] * ways[:, None, :].to(batch["there"].device)
        logits = module(batch["pixels"], batch["vectors"], shown).float()
        lost = cross_entropy(
            logits.flatten(0, 1), batch["targets"].repeat(len(ways)), weights, smooth, reduction="none"
        )
        some = shown.amax(dim=-1)
        return (lost.view_as(some) * some / some.sum(dim=0).clamp(min=1)).sum()

    return Problem(collate, loss, lambda batch: float(weights[batch["targets"].cpu()].sum()))


def finish(model: ImageTextClassifier, valid: pd.DataFrame) -> dict[str, Any]:
    """Fit temperature and in-scope threshold on validation rows; returns the metrics on them."""
    return {**labelled.finish(model, items(valid), valid["label"]), "without": _without(model, valid)}


def uncalibrated(model: ImageTextClassifier, valid: pd.DataFrame) -> list[str]:
    """What ``valid`` is too small to have fitted."""
    return labelled.uncalibrated(model, valid["label"])


def metrics(model: ImageTextClassifier, table: pd.DataFrame) -> dict[str, Any]:
    """What every classifier has, and ``without``: the accuracy when pictures, or texts, are taken away."""
    return {**labelled.metrics(model, items(table), table["label"]), "without": _without(model, table)}


def correct(model: ImageTextClassifier, table: pd.DataFrame) -> NDArray[np.float64]:
    """1.0 where the prediction is right, per row: what the gate compares."""
    return labelled.correct(model, items(table), table["label"])


def predict(model: ImageTextClassifier, table: pd.DataFrame) -> pd.DataFrame:
    """predicted, probability, in_scope, in_scope_score and a ``p_<label>`` column each."""
    return labelled.predict(model, items(table))


def _without(model: ImageTextClassifier, table: pd.DataFrame) -> dict[str, float]:
    table = table[table["label"] != OUT_OF_SCOPE]  # of which there is no accuracy
    if table.empty:
        return {}
    rows = items(table)
    taken = {"image": [(None, text) for _, text in rows], "text": [(image, "") for image, _ in rows]}
    return {name: float(labelled.correct(model, left, table["label"]).mean()) for name, left in taken.items()}


def _keys(table: pd.DataFrame) -> list[tuple[str, str]]:
    return [("" if image is None else key(image), text_key(text)) for image, text in items(table)]


def _plan(pictures: Sequence[Any], settings: Settings) -> dict[str, Any]:
    """Size, channels and strides for these pictures."""
    if not pictures:
        raise InputError("a picture on some rows", "none on any", "use --task text-classification")
    looked = pictures[:: max(1, len(pictures) // _LOOKED)]
    side = settings.image_size or min(_LARGEST, int(np.median([max(height_width(one)) for one in looked])))
    side = max(8, side)
    strides = [1, 2, 2] if side <= 40 else [2, 2, 2]
    return {"size": [side, side], "channels": 1 if all(map(is_grey, looked)) else 3, "strides": strides}
