"""The plain rival of a model that writes: copy the reply that the most similar known source got."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.models.encoder import encoder_in
from fieldtune.models.features import EncoderFeatures
from fieldtune.models.trained import read_tensors, save_card, save_tensors

REPLIES = "replies.json"


@dataclass
class Copier:
    """Source text -> a known reply.

    Attributes:
        features: the frozen encoder.
        vectors: float32 ``[known, dimensions]``, the known sources.
        replies: the reply of each.
        card: the rest of ``fieldtune.json``.
    """

    features: EncoderFeatures
    vectors: NDArray[np.float32]
    replies: list[str]
    card: dict[str, Any] = field(default_factory=dict)

    def generate(self, sources: Sequence[str]) -> list[str]:
        """The reply of the nearest known source, each."""
        nearest = (self.features(sources) @ self.vectors.T).argmax(axis=1)
        return [self.replies[row] for row in nearest]

    def save(self, folder: Path) -> None:
        """Write the model into ``folder``."""
        save_tensors(folder, {"vectors": self.vectors, **self.features.save(folder)})
        (folder / REPLIES).write_text(json.dumps(self.replies, ensure_ascii=False), encoding="utf-8")
        save_card(folder, self.card)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "Copier":
        """Read what :meth:`save` wrote."""
        features = EncoderFeatures(encoder_in(folder), int(card["max_length"]))
        return cls(
            features, read_tensors(folder)["vectors"], json.loads((folder / REPLIES).read_text(encoding="utf-8")), card
        )
