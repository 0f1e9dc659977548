"""A trained model of any number of labels a text: features, a linear head, and a threshold per label."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from fieldtune.models.features import Features
from fieldtune.models.trained import CALIBRATION, features_of, read_tensors, save_card, save_tensors


@dataclass
class MultiLabelClassifier:
    """Text -> those of ``labels`` whose probability reaches their threshold, possibly none.

    Attributes:
        features: texts -> matrix.
        weight: float32 ``[labels, features]``; bias: float32 ``[labels]``.
        labels: their names.
        thresholds: float32 ``[labels]``; fitted on validation rows.
        card: the rest of ``fieldtune.json``.
    """

    features: Features
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    labels: tuple[str, ...]
    thresholds: NDArray[np.float32]
    card: dict[str, Any] = field(default_factory=dict)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Of each label by itself, float32 ``[texts, labels]``."""
        return np.asarray(expit(self.features(texts) @ self.weight.T + self.bias), dtype=np.float32)

    def given(self, probabilities: NDArray[np.float32]) -> list[tuple[str, ...]]:
        """The labels of each row of :meth:`probabilities`."""
        return [tuple(self.labels[place] for place in np.flatnonzero(row)) for row in probabilities >= self.thresholds]

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        save_tensors(folder, {"weight": self.weight, "bias": self.bias, **self.features.save(folder)})
        save_card(folder, {**self.card, "labels": list(self.labels)})
        (folder / CALIBRATION).write_text(
            json.dumps({"thresholds": [float(value) for value in self.thresholds]}, allow_nan=False), encoding="utf-8"
        )

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "MultiLabelClassifier":
        """Read what :meth:`save` wrote; use :func:`fieldtune.load`, which verifies first."""
        tensors, calibration = read_tensors(folder), json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))
        thresholds = np.asarray(calibration["thresholds"], dtype=np.float32)
        head = (tensors["weight"], tensors["bias"], tuple(card["labels"]), thresholds)
        return cls(features_of(folder, card, tensors), *head, card)
