"""Trained models of pairs of texts: one that labels them, and one that scores documents for a query."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.models.labelled import Labelled
from fieldtune.models.pair_features import Pair, PairFeatures, pair_features_of
from fieldtune.models.trained import labelled_of, read_tensors, save_card, save_labelled, save_tensors


@dataclass
class PairClassifier(Labelled):
    """Pair of texts -> one of ``labels`` with a calibrated probability.

    Attributes:
        features: pairs -> matrix.
        weight: float32 ``[classes, features]``; bias: float32 ``[classes]``.
        labels, temperature, threshold, card: see :class:`fieldtune.models.labelled.Labelled`.
    """

    features: PairFeatures
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    labels: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.0
    card: dict[str, Any] = field(default_factory=dict)

    def logits(self, items: Sequence[Pair]) -> NDArray[np.float32]:
        """Raw scores of pairs, float32 ``[pairs, classes]``."""
        return np.asarray(self.features(items) @ self.weight.T + self.bias, dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        save_tensors(folder, {"weight": self.weight, "bias": self.bias, **self.features.save(folder)})
        save_labelled(folder, self)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "PairClassifier":
        """Read what :meth:`save` wrote; use :func:`fieldtune.load`, which verifies first."""
        tensors = read_tensors(folder)
        features = pair_features_of(folder, card, tensors)
        return cls(features, tensors["weight"], tensors["bias"], **labelled_of(folder, card))


@dataclass
class Reranker:
    """Query and document -> how well the document answers it: the second stage behind a search.

    Attributes:
        features: pairs -> matrix.
        weight: float32 ``[features]``; bias: of the score.
        card: the rest of ``fieldtune.json``.
    """

    features: PairFeatures
    weight: NDArray[np.float32]
    bias: float
    card: dict[str, Any] = field(default_factory=dict)

    def score(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Log-odds that the document is relevant, float32 ``[pairs]``: above 0 is more likely than not."""
        return np.asarray(self.features(pairs) @ self.weight + self.bias, dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        head = {"weight": self.weight, "bias": np.asarray([self.bias], dtype=np.float32)}
        save_tensors(folder, {**head, **self.features.save(folder)})
        save_card(folder, self.card)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "Reranker":
        """Read what :meth:`save` wrote; use :func:`fieldtune.load`, which verifies first."""
        tensors = read_tensors(folder)
        return cls(pair_features_of(folder, card, tensors), tensors["weight"], float(tensors["bias"][0]), card)
