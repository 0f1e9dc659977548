"""A trained model ready to answer: features, a linear head, and what calibrates it. Saved without pickle.

The folder holds ``fieldtune.json`` (task, labels, metrics, thresholds), ``calibration.json``, ``head.safetensors``,
the encoder's own files or ``vocabulary.json``, ``README.md`` (the model card), and ``MANIFEST.json``.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fieldtune.data.checks import OUT_OF_SCOPE as OUT_OF_SCOPE
from fieldtune.data.places import path_of
from fieldtune.errors import ArtefactError, FieldtuneError
from fieldtune.evaluate.figures import without_nan
from fieldtune.models import asked, guard
from fieldtune.models.card import PAGE, markdown
from fieldtune.models.encoder import DEFAULT, MAX_LENGTH, encoder_in, load_encoder_folder, positions
from fieldtune.models.features import (
    PROJECTION,
    VOCABULARY,
    EncoderFeatures,
    Features,
    NgramFeatures,
    ProjectedFeatures,
)
from fieldtune.models.folder import CARD as CARD
from fieldtune.models.folder import CHECKPOINTS, RUN, verify
from fieldtune.models.guard.weights import finite
from fieldtune.models.labelled import Labelled
from fieldtune.models.memory import Memory
from fieldtune.models.scope import Scope, Signs

HEAD = "head.safetensors"
GRAPH = "model.onnx"  # in the place of the encoder's weights, where a model was exported
CALIBRATION = "calibration.json"
MODELS = {
    "image-text": ("fieldtune.models.image_text", "ImageTextClassifier"),
    "text-classification": ("fieldtune.models.trained", "Classifier"),
    "multi-label-classification": ("fieldtune.models.multi_label", "MultiLabelClassifier"),
    "regression": ("fieldtune.models.regressor", "Regressor"),
    "text-pair": ("fieldtune.models.pairs", "PairClassifier"),
    "token-classification": ("fieldtune.models.tagger", "Tagger"),
    "embedding": ("fieldtune.models.trained", "Embedder"),
    "reranking": ("fieldtune.models.pairs", "Reranker"),
    "seq2seq": ("fieldtune.models.generator", "Generator"),
    "dialogue": ("fieldtune.models.generator", "Generator"),
    "image-classification": ("fieldtune.models.image_classifier", "ImageClassifier"),
    "object-detection": ("fieldtune.models.detector", "Detector"),
}
"""Task -> module and class of its model, which has ``save(folder)`` and ``load(folder, card)``."""


@dataclass
class Classifier(Labelled):
    """Text -> one of ``labels`` with a calibrated probability.

    Attributes:
        features: texts -> matrix.
        weight: float32 ``[classes, features]``.
        bias: float32 ``[classes]``.
        scope: what tells foreign texts from those of its classes.
        memory: what it remembers of its past, where it goes on learning.
        lean: float32 ``[classes]``, log of the weights its classes had in training, until calibration takes it off.
        taken: how much of it calibration took off; forgotten when saved.
        labels, temperature, threshold, card: see :class:`fieldtune.models.labelled.Labelled`.
    """

    features: Features
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    labels: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.0
    card: dict[str, Any] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    memory: Memory | None = None
    lean: NDArray[np.float32] | None = None
    taken: float = 0.0

    def logits(self, items: Sequence[str]) -> NDArray[np.float32]:
        """Raw scores of texts, float32 ``[texts, classes]``."""
        return self.scored(self.features(items))

    def scored(self, vectors: Any) -> NDArray[np.float32]:
        """The same from vectors at hand."""
        return np.asarray(vectors @ self.weight.T + self.bias, dtype=np.float32)

    def signs(self, items: Sequence[str]) -> Signs:
        """Logits, and how the texts lie to the training rows."""
        vectors = self.features(items)
        return self.scope.read(vectors, self.scored(vectors))

    def straighten(self, share: float) -> None:
        """Take ``share`` of the lean off the logits, for good."""
        if self.lean is not None:
            self.bias, self.taken, self.lean = self.bias - np.float32(share) * self.lean, share, None

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        lean = {} if self.lean is None else {"lean": self.lean}
        save_tensors(
            folder,
            {"weight": self.weight, "bias": self.bias, **lean, **self.scope.tensors(), **self.features.save(folder)},
        )
        save_labelled(folder, self)
        if self.memory is not None:
            self.memory.save(folder)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "Classifier":
        """Read what :meth:`save` wrote; use :func:`load`, which verifies first."""
        tensors, memory = read_tensors(folder), Memory.load(folder)
        features = features_of(folder, card, tensors)
        made = cls(
            features, tensors["weight"], tensors["bias"], **labelled_of(folder, card), memory=memory,
            scope=Scope(tensors.get("anchors"), tensors.get("foreign")), lean=tensors.get("lean"),
        )  # fmt: skip
        classes = len(made.labels)
        if made.weight.shape != (classes, features.width) or made.bias.shape != (classes,):
            raise unusable(folder, f"a head of {made.weight.shape} for {classes} labels and {features.width} features")
        if misfit := made.scope.misfit(features.width):
            raise unusable(folder, misfit)
        if made.lean is not None and made.lean.shape != (classes,):
            raise unusable(folder, f"a lean of {made.lean.shape} for {classes} labels")
        return made


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
        save_tensors(folder, tensors)
        save_card(folder, self.card)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "Embedder":
        """Read what :meth:`save` wrote; use :func:`load`, which verifies first."""
        tensors = read_tensors(folder)
        made = cls(features_of(folder, card, tensors), tensors.get("projection"), card)
        if made.projection is not None and made.projection.shape[1:] != (made.features.width,):
            raise unusable(folder, f"a projection of {made.projection.shape} for {made.features.width} features")
        return made


def load_encoder(name: str | Path = DEFAULT, max_length: int = MAX_LENGTH, *, cached: bool = False) -> Embedder:
    """A pretrained encoder as it is: ``"default"``, a folder, or a hub name; texts are cut where it stops reading.

    Args:
        cached: keep embeddings under ``FIELDTUNE_HOME`` and take them from there, see :mod:`fieldtune.infer.cache`.
    """
    from fieldtune.infer.cache import Cache

    encoder = load_encoder_folder(name)
    length = min(max_length, positions(encoder.folder) or max_length)
    return Embedder(EncoderFeatures(encoder, length, Cache() if cached else None))


def embedder_of(model: Any) -> Embedder | None:
    """What embeds texts in a model: itself, or its encoder; None where it has none, or only counts n-grams."""
    if isinstance(model, Embedder):
        embedder = model
    elif isinstance(getattr(model, "features", None), (EncoderFeatures, NgramFeatures)):
        embedder = Embedder(model.features)
    else:
        return None
    return None if embedder.projection is None and isinstance(embedder.features, NgramFeatures) else embedder


def load(path: Path | str) -> Any:
    """Load a model folder written by fieldtune. The only loader; it verifies every file first.

    Returns:
        A :class:`Classifier`, an :class:`Embedder`, or what else the task of the folder saves.

    Raises:
        InputError: no such folder, or no path.
        ArtefactError: no manifest, a damaged or foreign file, anything that could run code.
    """
    path = path_of(path)
    if (path / CHECKPOINTS / RUN).is_file():
        verify(path)  # a training that was stopped is no danger: it says how to finish it
    guard.harmless(path)
    verify(path)
    guard.readable(path)
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
        module, name = MODELS[card["task"]]
        model = getattr(import_module(module), name).load(path, card)
    except FieldtuneError:
        raise
    except Exception as error:  # whatever a library makes of files that belong together and do not fit
        raise unusable(path, f"{type(error).__name__}: {error}") from error
    asked.reads_as_trained(model, card)
    return model


def unusable(path: Path, found: str) -> ArtefactError:
    """The error of a folder whose files are harmless and make no model."""
    return ArtefactError(f"a model folder of this version of fieldtune at {path}", found, "train it again")


def features_of(path: Path, card: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> Features:
    """The features that a model folder was saved with."""
    if card["method"] == "linear":
        return NgramFeatures(json.loads((path / VOCABULARY).read_text(encoding="utf-8")), tensors["idf"])
    if (path / GRAPH).is_file():
        from fieldtune.infer.onnx_graph import OnnxFeatures

        return OnnxFeatures(path, int(card["max_length"]))
    length, longest = int(card["max_length"]), positions(path)
    if not 0 < length <= (longest or length):
        raise unusable(path, f"a max_length of {length}, where the encoder reads {longest}")
    features = EncoderFeatures(encoder_in(path), length)
    return ProjectedFeatures(features, tensors[PROJECTION]) if PROJECTION in tensors else features


def save_tensors(folder: Path, tensors: dict[str, NDArray[np.float32]]) -> None:
    """Write the tensors of a head, float32, into ``folder``."""
    if tensors:
        save_file(
            {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()},
            folder / HEAD,
        )


def read_tensors(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The tensors of a head by name; none where the model has no head."""
    tensors = dict(load_file(folder / HEAD)) if (folder / HEAD).is_file() else {}
    finite(folder / HEAD, all(np.isfinite(tensor).all() for tensor in tensors.values()))
    return tensors


def save_card(folder: Path, card: dict[str, Any]) -> None:
    """Write ``fieldtune.json``; a figure that could not be had is null."""
    (folder / CARD).write_text(
        json.dumps(without_nan(card), indent=1, sort_keys=True, ensure_ascii=False, default=float, allow_nan=False),
        encoding="utf-8",
    )


def save_page(folder: Path) -> None:
    """Write the model card, ``README.md``, from the ``fieldtune.json`` and ``calibration.json`` of a saved model."""
    files = [folder / name for name in (CARD, CALIBRATION) if (folder / name).is_file()]
    facts = {name: value for file in files for name, value in json.loads(file.read_text(encoding="utf-8")).items()}
    (folder / PAGE).write_text(markdown(facts), encoding="utf-8")


def save_labelled(folder: Path, model: Labelled) -> None:
    """Write the card of a model of labels, and its calibration."""
    save_card(folder, {**model.card, "labels": list(model.labels), "scope_threshold": model.threshold})
    (folder / CALIBRATION).write_text(json.dumps({"temperature": model.temperature}, allow_nan=False), encoding="utf-8")


def labelled_of(folder: Path, card: dict[str, Any]) -> dict[str, Any]:
    """What :func:`save_labelled` wrote, as the fields of the model."""
    labels, threshold = tuple(card["labels"]), float(card["scope_threshold"])
    temperature = float(json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))["temperature"])
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        raise unusable(folder, "labels that are no texts, or twice the same")
    if not (0 < temperature < np.inf and np.isfinite(threshold)):
        raise unusable(folder, f"a temperature of {temperature} and a threshold of {threshold}")
    return {"labels": labels, "temperature": temperature, "threshold": threshold, "card": card}
