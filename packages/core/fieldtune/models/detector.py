"""A trained detector: network, the canvas its pictures are scaled to, labels. Saved without pickle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fieldtune.data.images import height_width, stack
from fieldtune.errors import ArtefactError, InputError
from fieldtune.evaluate.detection import Boxes, nms
from fieldtune.models import asked, guard
from fieldtune.models.anchor_free import AnchorFree
from fieldtune.models.image_classifier import load_weights, save_weights, tensors
from fieldtune.models.set_predictor import TYPES, SetPredictor
from fieldtune.models.trained import save_card

Net = AnchorFree | SetPredictor
CONFIG = "config.json"
_ROWS = 8  # pictures computed together
_CANDIDATES = 300  # boxes of a picture that are looked at, the surest first
_SUREST = 100  # boxes of a picture that are given
_LEAST = 0.05  # a surer box than this is worth giving
_OVERLAP = 0.5


@dataclass
class Detector:
    """Picture -> boxes, each with a label and a score.

    Attributes:
        net: one of :data:`Net`.
        plan: what :func:`built` builds ``net`` from: kind and canvas (height, width); widths and neck, or a config.
        labels: in the order of the scores' columns.
        card: the rest of ``fieldtune.json``.
    """

    net: Net
    plan: dict[str, Any]
    labels: tuple[str, ...]
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width that every picture is scaled to."""
        return int(self.plan["canvas"][0]), int(self.plan["canvas"][1])

    def detect(self, items: Sequence[Any]) -> list[Boxes]:
        """The boxes of pictures (paths, bytes or arrays) in pixels of each picture, the surest first."""
        items, found = asked.pictures(items), []
        for start in range(0, len(items), _ROWS):
            piece = items[start : start + _ROWS]
            sizes = [height_width(item) for item in piece]
            found += detections(self.net, tensors(stack(piece, self.canvas, 3)), sizes, self.labels)
        return found

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        if isinstance(self.net, SetPredictor):
            self.net.inner.save_pretrained(folder)
        else:
            save_weights(folder, self.net)
        self.card = {**self.card, "net": self.plan, "labels": list(self.labels)}
        save_card(folder, self.card)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "Detector":
        """Read what :meth:`save` wrote; use :func:`fieldtune.models.trained.load`, which verifies first."""
        labels = tuple(card["labels"])
        if card["net"]["kind"] == "transformers":
            return cls(loaded(folder, labels), card["net"], labels, card)
        net = built(card["net"], len(labels))
        load_weights(folder, net)
        return cls(net, card["net"], labels, card)


def built(plan: Mapping[str, Any], classes: int) -> AnchorFree:
    """Our own network of this plan with whatever weights torch draws.

    Raises:
        ValueError: no plan of ours.
    """
    if plan["kind"] != "anchor-free" or max(*plan["widths"], plan["neck"], classes) > 4096:
        raise ValueError(f"a network of kind {plan['kind']!r}")
    return AnchorFree(classes, plan["widths"], plan["neck"])


def loaded(folder: Path, labels: Sequence[str]) -> SetPredictor:
    """A YOLOS or DETR for these labels from a folder: its weights, or random ones where it holds only a config.

    The layer that names classes begins anew where the folder was trained for others.

    Raises:
        ArtefactError: another kind of model, code of its own, pickled weights, or files that do not fit.
    """
    from transformers import AutoConfig, AutoModelForObjectDetection
    from transformers.utils import logging

    logging.disable_progress_bar()  # a small file needs none, and it writes over ours
    _check(folder)
    names = dict(enumerate(labels))
    try:
        config = AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True, id2label=names,
            label2id={name: place for place, name in names.items()}, num_labels=len(names),
        )  # fmt: skip
        if not any(folder.glob("*.safetensors")):
            return SetPredictor(AutoModelForObjectDetection.from_config(config, trust_remote_code=False).eval())
        inner = AutoModelForObjectDetection.from_pretrained(
            folder, config=config, dtype=torch.float32, trust_remote_code=False, use_safetensors=True,
            local_files_only=True, ignore_mismatched_sizes=True,
        )  # fmt: skip
    except Exception as error:  # transformers raises a dozen kinds; each means: this folder is no usable detector
        raise ArtefactError(
            f"a detector that transformers can load from {folder}",
            f"{type(error).__name__}: {error}",
            "restore the folder",
        ) from error
    return SetPredictor(inner.eval())


def _check(folder: Path) -> None:
    """Refuse a folder whose files could run code, or reach for others, before anything in it is loaded."""
    guard.harmless(folder)
    guard.readable(folder)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind, backbone = config.get("model_type"), config.get("backbone_config") or {}
        wrong = kind not in TYPES or "auto_map" in config or config.get("use_timm_backbone") or config.get("backbone")
        wrong = wrong or backbone.get("model_type", "resnet") != "resnet"
    except (OSError, ValueError, AttributeError) as error:
        raise ArtefactError(f"a readable {CONFIG}", f"none in {folder}", "restore the folder") from error
    if wrong:
        raise ArtefactError(
            f"a model_type out of {', '.join(TYPES)}, without code of its own and with a backbone of transformers' own",
            f"{kind!r} in {folder}",
            "use a model of these types, or --model default",
        )


def detections(
    net: Net, pictures: torch.Tensor, sizes: Sequence[tuple[int, int]], labels: Sequence[str]
) -> list[Boxes]:
    """Boxes of pictures float32 ``[n, 3, h, w]`` in pixels of their own ``sizes`` (height, width)."""
    canvas = (pictures.shape[2], pictures.shape[3])
    device = next(net.parameters()).device
    with torch.no_grad():
        boxes, scores = net.scored(net(pictures.to(device)), canvas)
    rows = zip(boxes.cpu().numpy(), scores.cpu().numpy(), sizes, strict=True)
    return [_surest(own, given, canvas, size, labels) for own, given, size in rows]


def _surest(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    canvas: tuple[int, int],
    size: tuple[int, int],
    labels: Sequence[str],
) -> Boxes:
    """The boxes of one picture that are worth giving: sure enough, inside it, and one for each object."""
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise InputError("finite boxes", "others", "the weights are damaged: train again")
    candidates = np.flatnonzero(scores.ravel() > _LEAST)
    candidates = candidates[np.argsort(-scores.ravel()[candidates], kind="stable")][:_CANDIDATES]
    places, classes = np.divmod(candidates, scores.shape[1])
    limits = np.array([size[1], size[0]] * 2, dtype=np.float64)
    found = np.clip(boxes[places] * (limits / np.array([canvas[1], canvas[0]] * 2)), 0, limits)
    some = (found[:, 2:] > found[:, :2]).all(axis=1)
    found, classes, sure = found[some], classes[some], scores.ravel()[candidates][some].astype(np.float64)
    groups = [np.flatnonzero(classes == name) for name in np.unique(classes)]
    kept = [own[nms(found[own], sure[own], _OVERLAP)] for own in groups]
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *kept])
    rows = rows[np.argsort(-sure[rows], kind="stable")][:_SUREST]
    return Boxes(found[rows], [labels[name] for name in classes[rows]], sure[rows])
