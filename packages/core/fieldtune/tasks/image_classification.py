"""Image classification: one label a picture. Methods: linear (edges in a grid), full (a small convolutional network from
scratch, or on from a folder trained here), head and top (only the upper layers of such a folder train).

Where only upper layers train, the lower ones run once: their outputs are kept, and their batch norm stays as it is.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.data.checks import OUT_OF_SCOPE, Finding, check_labels, placed
from fieldtune.data.images import height_width, is_grey, key, stack
from fieldtune.data.labelled_images import image_table, unlabelled_images
from fieldtune.data.parts import PART, of_part, places_of_part
from fieldtune.data.picture_checks import mixed
from fieldtune.data.split import Indices
from fieldtune.errors import ConfigError, InputError
from fieldtune.evaluate.skewed import balanced_accuracy, best_cut, mean_auc
from fieldtune.models.convnet import seeded
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.image_classifier import ImageClassifier, built
from fieldtune.models.scope import Signs
from fieldtune.models.trained import load
from fieldtune.models.upper import PIECE, Reader, cut, reading
from fieldtune.tasks import labelled, pictured
from fieldtune.train.augment import Change, apply
from fieldtune.train.head import probe
from fieldtune.train.heeds import ALWAYS, PICTURES, Names
from fieldtune.train.losses import class_weights, cross_entropy
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.settings import Settings

COLUMNS = (("image", "label"), (PART,))
INPUTS = ("image",)
DEFAULTS = Settings(
    epochs=20, learning_rate=5e-4, head_learning_rate=2e-3, batch_rows=64, weight_decay=0.05, class_weights="sqrt"
)
METHODS = ("linear", "head", "top", "full")
RIVALS = ("linear",)
ENCODERLESS = ("linear",)
SHARED = ("head", "top", "full")
FIGURE = "balanced_accuracy"
SELECTS = True
CHANGE = Change(shift=0.1, turn=10.0, scale=(0.9, 1.15), mirror=True, colour=0.15)
_WIDTHS = (16, 32, 64, 88)
_LARGEST = 96  # pixels of the longer side unless the settings say otherwise
_FINE = 40  # up to this many pixels the first convolutions keep the size
_LOOKED = 50  # pictures looked at for size and colour
read = image_table
read_inputs = unlabelled_images
weights = pictured.weights


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    if method == "linear":
        return ALWAYS | {"image_size"}
    own = {"top": ("learning_rate", "top_layers"), "full": ("learning_rate", "augment")}
    return PICTURES | {"label_smoothing", "class_weights", *own.get(method, ())}


def texts(table: pd.DataFrame) -> list[str]:
    """No words."""
    return []


def check(table: pd.DataFrame) -> list[Finding]:
    """Findings on the labels, and on pictures that occur twice."""
    rows = of_part(table, "train")
    pictures = list(rows["image"])
    found = check_labels([key(picture) for picture in pictures], rows["label"], "picture") + mixed(pictures)
    return placed(found, places_of_part(table, "train"))


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The official parts; without them a stratified tenth for validation, equal pictures on one side."""
    if PART in table and {"train", "valid"} <= set(table[PART]):
        return of_part(table, "train"), of_part(table, "valid")
    table = of_part(table, "train")
    return labelled.split(table, [key(picture) for picture in table["image"]], seed)


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
) -> ImageClassifier:
    """Fit on ``table`` (columns image, label); with ``valid``, the weights of the epoch that did best on it are kept."""
    table, labels, targets = labelled.classes(of_part(table, "train"))
    items = list(table["image"])
    if method == "linear":
        return _linear(items, targets, labels, settings, seed)
    base = _base(model, method, settings)
    plan = base.plan if base else {"kind": "convnet", "widths": list(_WIDTHS), **_shape(items, settings)}
    net = seeded(seed, built, plan, len(labels))
    if base:
        net.blocks.load_state_dict(base.net.blocks.state_dict())
    size, channels = (plan["size"][0], plan["size"][1]), plan["channels"]
    lower, module = (
        (nn.Identity(), net) if method == "full" else cut(net, settings.top_layers if method == "top" else 0)
    )
    reader = reading(lower, stack(items, size, channels))
    change = CHANGE if method == "full" and settings.augment else None
    made = problem(
        reader, torch.from_numpy(targets), class_weights(targets, labels, settings.class_weights),
        settings.label_smoothing, change, seed,
    )  # fmt: skip
    score = _score(valid, labels, lower, size, channels) if valid is not None else None
    epoch = pictured.tune(
        module,
        made,
        len(items),
        settings,
        body=module.blocks if base else None,
        score=score,
        seed=seed,
        folder=folder,
        show=show,
    )
    return ImageClassifier(net.eval(), plan, labels, card=pictured.kept(epoch) if score else {})


def finish(model: ImageClassifier, valid: pd.DataFrame) -> dict[str, Any]:
    """Fit temperature, in-scope threshold and cut on validation rows; returns the metrics on them."""
    valid = of_part(valid, "valid")
    signs, given = model.signs(list(valid["image"])), valid["label"]
    return _figures(model, signs, given, labelled.calibrate(model, signs, given, _fit))


def _fit(model: ImageClassifier, signs: Signs, given: pd.Series, enough: bool) -> None:
    labelled.fit(model, signs, given, enough)
    known = given.isin(model.labels).to_numpy()
    if len(model.labels) == 2 and enough:
        positive = (given == model.labels[1]).to_numpy()
        model.cut = best_cut(positive[known], model.chances(signs.logits[known])[:, 1])


def adopt(model: ImageClassifier, measured: ImageClassifier) -> None:
    """Calibrate ``model``, which was fitted on the validation rows too, as the one measured on them was."""
    labelled.adopt(model, measured)
    model.cut = measured.cut


def uncalibrated(model: ImageClassifier, valid: pd.DataFrame) -> list[str]:
    """What ``valid`` is too small to have fitted."""
    given = of_part(valid, "valid")["label"]
    cut = ["the probability from which one of two labels is the answer"] if len(model.labels) == 2 else []
    return labelled.uncalibrated(model, given, *cut)


def metrics(model: ImageClassifier, table: pd.DataFrame) -> dict[str, Any]:
    """What every classifier has, and auc, balanced_accuracy (of two classes at the cut chosen on validation rows)."""
    table = of_part(table, "test", "valid")
    return _figures(model, model.signs(list(table["image"])), table["label"])


def correct(model: ImageClassifier, table: pd.DataFrame) -> NDArray[np.float64]:
    """1.0 where the prediction is right, per row: what the gate compares."""
    table = of_part(table, "test", "valid")
    return labelled.correct(model, list(table["image"]), table["label"])


def predict(model: ImageClassifier, table: pd.DataFrame) -> pd.DataFrame:
    """predicted, probability, in_scope, in_scope_score and a ``p_<label>`` column each."""
    return labelled.predict(model, list(table["image"]))


def problem(
    reader: Reader, targets: torch.Tensor, weights: torch.Tensor, smooth: float, change: Change | None, seed: int
) -> Problem:
    """Cross-entropy summed over the batch; an item is a picture, or its class weight.

    Args:
        reader: rows -> what the module sees; ``change`` only where that is pixels.
        targets: int64 ``[rows]``; the problem's own rows are examples, see :mod:`fieldtune.tasks.pictured`.
    """

    def collate(examples: list[int]) -> Tensors:
        rows = [example % len(targets) for example in examples]
        inputs = reader(rows)
        if change:
            inputs = apply(inputs, *pictured.changes(examples, change, seed, (inputs.shape[2], inputs.shape[3])))
        return {"inputs": inputs, "targets": targets[rows]}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        return cross_entropy(module(batch["inputs"]).float(), batch["targets"], weights, smooth)

    return Problem(collate, loss, lambda batch: float(weights[batch["targets"].cpu()].sum()))


def _base(model: str, method: str, settings: Settings) -> ImageClassifier | None:
    if model == DEFAULT:
        if method == "full":
            return None
        raise InputError(
            f"a model to start from for --method {method}", "--model default, which is none for pictures",
            "--model FOLDER, an image classifier trained with fieldtune, or --method full",
        )  # fmt: skip
    base = load(model)
    if not isinstance(base, ImageClassifier) or base.plan["kind"] != "convnet":
        raise InputError(
            "a convolutional image classifier to start from", f"another model in {model}", "name another --model"
        )
    if settings.image_size not in (0, max(base.plan["size"])):
        raise ConfigError(
            f"the image_size {max(base.plan['size'])} of {model}",
            str(settings.image_size),
            "leave --set image_size out",
        )
    return base


def _shape(items: Sequence[Any], settings: Settings) -> dict[str, Any]:
    """Size, channels and strides that suit these pictures: as tall as they are wide, and no larger than they are."""
    looked = items[:: max(1, len(items) // _LOOKED)]
    side = settings.image_size or min(_LARGEST, int(np.median([max(height_width(item)) for item in looked])))
    side = max(8, side)
    strides = [1, 1, 2, 2] if side <= _FINE else [2, 2, 2, 2] if side > 2 * _FINE else [1, 2, 2, 2]
    return {"size": [side, side], "channels": 1 if all(map(is_grey, looked)) else 3, "strides": strides}


def _score(
    valid: pd.DataFrame, labels: tuple[str, ...], lower: nn.Module, size: tuple[int, int], channels: int
) -> Callable[[nn.Module], float] | None:
    """Less the log-loss on validation rows, every class counting alike."""
    valid = of_part(valid, "valid")
    valid = valid[valid["label"].isin(labels)]
    if valid.empty:
        return None
    targets = labelled.places(labels, valid["label"])
    reader, rows = reading(lower, stack(list(valid["image"]), size, channels)), range(len(valid))

    def score(module: nn.Module) -> float:
        device = next(module.parameters()).device
        pieces = [reader(rows[start : start + PIECE]) for start in range(0, len(rows), PIECE)]
        logits = torch.cat([module(piece.to(device)).float().cpu() for piece in pieces])
        lost = cross_entropy(logits, torch.from_numpy(targets), reduction="none").numpy()
        return -float(np.mean([lost[targets == place].mean() for place in np.unique(targets)]))

    return score


def _figures(
    model: ImageClassifier,
    signs: Signs,
    given: pd.Series,
    parts: Sequence[tuple[ImageClassifier, Indices]] = (),
) -> dict[str, Any]:
    known = {label: place for place, label in enumerate(model.labels)}
    targets, inside = given.map(known).fillna(-1).to_numpy(dtype=np.int64), (given != OUT_OF_SCOPE).to_numpy()
    decided = np.empty(len(given), dtype=np.int64)
    for judge, own in parts or [(model, np.arange(len(given)))]:
        decided[own] = judge.decide(judge.chances(signs.logits[own]))
    return {
        **labelled.figures(model, signs, given, parts),
        "auc": mean_auc(targets[inside], model.chances(signs.logits[inside])),
        "balanced_accuracy": balanced_accuracy(targets[inside], decided[inside]),
        **({"cut": model.cut} if len(model.labels) == 2 else {}),
    }


def _linear(
    items: Sequence[Any], targets: NDArray[np.int64], labels: tuple[str, ...], settings: Settings, seed: int
) -> ImageClassifier:
    """Logistic regression on edges; the scale of each feature is folded into the weights."""
    plan = {"kind": "linear", **_shape(items, settings)}
    net = built(plan, len(labels))
    pictures = stack(items, (plan["size"][0], plan["size"][1]), plan["channels"])
    reader = reading(net.blocks, pictures)
    vectors = reader(range(len(items))).numpy()
    mean, spread = vectors.mean(axis=0), vectors.std(axis=0) + 1e-3
    keys = [key(item) for item in items]
    weight, bias = probe((vectors - mean) / spread, targets, keys, len(labels), seed)
    with torch.no_grad():
        net.head.weight.copy_(torch.from_numpy(weight / spread))
        net.head.bias.copy_(torch.from_numpy(bias - (weight / spread) @ mean))
    return ImageClassifier(net.eval(), plan, labels)
