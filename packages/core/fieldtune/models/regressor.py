"""A trained model of one number a text: features, a linear head, and the width of its interval."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.models.features import Features
from fieldtune.models.trained import CALIBRATION, features_of, read_tensors, save_card, save_tensors


@dataclass
class Regressor:
    """Text -> a number, and an interval round it.

    Attributes:
        features: texts -> matrix.
        weight: float32 ``[1, features]``; bias: float32 ``[1]``, both in standard deviations of the labels.
        centre, scale: mean and standard deviation of the labels it was trained on.
        width: half the width of the interval that holds 90 % of new rows; infinite until enough rows have shown it.
        card: the rest of ``fieldtune.json``.
    """

    features: Features
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    centre: float
    scale: float
    width: float = math.inf
    card: dict[str, Any] = field(default_factory=dict)

    def values(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """A number a text, float64 ``[texts]``."""
        standard = np.asarray(self.features(texts) @ self.weight.T + self.bias, dtype=np.float64)[:, 0]
        return standard * self.scale + self.centre

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        save_tensors(folder, {"weight": self.weight, "bias": self.bias, **self.features.save(folder)})
        save_card(folder, self.card)
        known = {"centre": self.centre, "scale": self.scale, "width": self.width if self.width < math.inf else None}
        (folder / CALIBRATION).write_text(json.dumps(known, allow_nan=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "Regressor":
        """Read what :meth:`save` wrote; use :func:`fieldtune.load`, which verifies first."""
        tensors, known = read_tensors(folder), json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))
        width = math.inf if known["width"] is None else float(known["width"])
        head = (tensors["weight"], tensors["bias"], float(known["centre"]), float(known["scale"]), width)
        return cls(features_of(folder, card, tensors), *head, card)
