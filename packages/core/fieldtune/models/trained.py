"""A trained model ready to answer: features, a linear head, and what calibrates it. Saved without pickle.

The folder holds ``fieldtune.json`` (task, labels, metrics, thresholds), ``calibration.json``, ``head.safetensors``,
the encoder's own files or ``vocabulary.json``, and ``MANIFEST.json``.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fieldtune.data.checks import OUT_OF_SCOPE as OUT_OF_SCOPE
from fieldtune.errors import ArtefactError
from fieldtune.evaluate.calibration import softmax
from fieldtune.models.encoder import DEFAULT, MAX_LENGTH, load_encoder_folder, positions
from fieldtune.models.features import VOCABULARY, EncoderFeatures, Features, NgramFeatures
from fieldtune.models.folder import verify

CARD = "fieldtune.json"


@dataclass
class Classifier:
    """Text -> one of ``labels`` with a calibrated probability.

    Attributes:
        features: texts -> matrix.
        weight: float32 ``[classes, features]``.
        bias: float32 ``[classes]``.
        labels: class names, in the order of the columns.
        temperature: divides the logits; fitted on validation rows.
        threshold: a text whose highest probability lies below is out of scope.
        card: the rest of ``fieldtune.json``.
    """

    features: Features
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    labels: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.0
    card: dict[str, Any] = field(default_factory=dict)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Raw scores, float32 ``[texts, classes]``."""
        return np.asarray(self.features(texts) @ self.weight.T + self.bias, dtype=np.float32)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated probabilities, float32 ``[texts, classes]``, each row summing to one."""
        return np.asarray(softmax(self.logits(texts), self.temperature), dtype=np.float32)

    def in_scope(self, texts: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Whether each text belongs to any class at the model's own threshold, and the score compared with it."""
        return self.scope_of(self.probabilities(texts))

    def scope_of(self, probabilities: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """The same from probabilities at hand: the score is the highest one."""
        score = probabilities.max(axis=1)
        return score >= self.threshold, score

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        tensors = {"weight": self.weight, "bias": self.bias, **self.features.save(folder)}
        _save(folder, tensors, {**self.card, "labels": list(self.labels), "in_scope_threshold": self.threshold})
        (folder / "calibration.json").write_text(json.dumps({"temperature": self.temperature}))


@dataclass
class Embedder:
    """Text -> unit vector.

    Attributes:
        features: texts -> matrix.
        projection: float32 ``[dimensions, features]`` applied to the features, or None.
        card: the rest of ``fieldtune.json``.
    """

    features: Features
    projection: NDArray[np.float32] | None = None
    card: dict[str, Any] = field(default_factory=dict)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: float32 ``[texts, dimensions]``, each row of unit length (zero where nothing is known)."""
        vectors = self.features(texts)
        if self.projection is None:
            return np.asarray(vectors, dtype=np.float32)
        vectors = np.asarray(vectors @ self.projection.T, dtype=np.float32)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        tensors = dict(self.features.save(folder))
        if self.projection is not None:
            tensors["projection"] = self.projection
        _save(folder, tensors, self.card)


def load_encoder(name: str | Path = DEFAULT, max_length: int = MAX_LENGTH) -> Embedder:
    """A pretrained encoder as it is: ``"default"``, a folder, or a hub name; texts are cut where it stops reading."""
    encoder = load_encoder_folder(name)
    return Embedder(EncoderFeatures(encoder, min(max_length, positions(encoder.folder) or max_length)))


def load(path: Path | str) -> Classifier | Embedder:
    """Load a model folder written by fieldtune. The only loader; it verifies every file first.

    Raises:
        InputError: no such folder.
        ArtefactError: no manifest, a damaged or foreign file, anything that could run code.
    """
    path = Path(path)
    verify(path)
    try:
        card = json.loads((path / CARD).read_text())
        tensors = load_file(path / "head.safetensors") if (path / "head.safetensors").is_file() else {}
        if card["task"] == "embedding":
            return Embedder(_features(path, card, tensors), tensors.get("projection"), card)
        calibration = json.loads((path / "calibration.json").read_text())
        return Classifier(
            _features(path, card, tensors),
            tensors["weight"],
            tensors["bias"],
            tuple(card["labels"]),
            float(calibration["temperature"]),
            float(card["in_scope_threshold"]),
            card,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"a model folder of this version of fieldtune at {path}",
            f"{type(error).__name__}: {error}",
            "train it again",
        ) from error


def _features(path: Path, card: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> Features:
    if card["method"] == "linear":
        return NgramFeatures(json.loads((path / VOCABULARY).read_text()), tensors["idf"])
    return EncoderFeatures(load_encoder_folder(path), int(card["max_length"]))


def _save(folder: Path, tensors: dict[str, NDArray[np.float32]], card: dict[str, Any]) -> None:
    if tensors:
        save_file(
            {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()},
            folder / "head.safetensors",
        )
    (folder / CARD).write_text(json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False, default=float))
