"""A model of pictures with texts: an encoder for each, a fusion of both, one label. Either may be missing.

The text's vector is the pretrained encoder's, the picture's comes from a small convolutional network; both are brought to
one width. What is missing is zero and said to be missing, and the network has learnt to answer from what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from fieldtune.data.images import stack
from fieldtune.errors import InputError
from fieldtune.models import asked
from fieldtune.models.convnet import Centred, Pooled, trunk
from fieldtune.models.encoder import encoder_in
from fieldtune.models.features import EncoderFeatures
from fieldtune.models.image_classifier import tensors
from fieldtune.models.labelled import Labelled
from fieldtune.models.trained import labelled_of, save_labelled

FUSION = "fusion.safetensors"
WIDTHS = (16, 32, 64)
WIDTH = 64
_ROWS = 64
_PAIRS = "put both into a tuple, and the tuples into a list"
Item = tuple[Any, str]


class Fusion(nn.Module):
    """Pictures, text vectors and which of both is there -> logits.

    Two towers to one width, and a small network over both vectors, their product, and the two marks.
    """

    def __init__(
        self, channels: int, strides: Sequence[int], dimensions: int, classes: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.register_buffer(
            "centre", torch.zeros(dimensions)
        )  # of the training texts' vectors, which lie close together
        self.register_buffer("spread", torch.ones(dimensions))
        self.dropout = nn.Dropout(dropout)
        self.picture = nn.Sequential(
            Centred(), *trunk(channels, WIDTHS, strides), Pooled(), nn.Linear(WIDTHS[-1], WIDTH)
        )
        self.text = nn.Linear(dimensions, WIDTH)
        self.head = nn.Sequential(nn.Linear(3 * WIDTH + 2, 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, classes))

    def forward(self, pictures: torch.Tensor, vectors: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Logits ``[..., rows, classes]``.

        Args:
            pictures: float32 ``[rows, channels, h, w]``; whatever it holds where there is none.
            vectors: float32 ``[rows, dimensions]``.
            there: float32 ``[..., rows, 2]``, 1 where a picture, and a text, is shown; dimensions before the rows are
                ways to show them.
        """
        seen = self.dropout(torch.relu(self.picture(pictures))) * there[..., :1]
        read = self.dropout(torch.relu(self.text((vectors - self.centre) / self.spread))) * there[..., 1:]
        logits: torch.Tensor = self.head(torch.cat([seen, read, seen * read, there], dim=-1))
        return logits


@dataclass
class ImageTextClassifier(Labelled):
    """Picture and text -> one of ``labels`` with a calibrated probability.

    Attributes:
        features: texts -> unit vectors.
        net: the fusion.
        plan: size, channels and strides of the pictures.
        labels, temperature, threshold, card: see :class:`fieldtune.models.labelled.Labelled`.
    """

    features: EncoderFeatures
    net: Fusion
    plan: dict[str, Any]
    labels: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.0
    card: dict[str, Any] = field(default_factory=dict)

    def logits(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Raw scores of (picture or None, text or ""), float32 ``[items, classes]``."""
        items = asked.listed(items, "a list of pairs of a picture (or None) and a text", _PAIRS)
        found = [np.zeros((0, len(self.labels)), dtype=np.float32)]
        for start in range(0, len(items), _ROWS):
            pictures, vectors, there = inputs(items[start : start + _ROWS], self.features, self.plan)
            with torch.no_grad():
                found.append(self.net(tensors(pictures), torch.from_numpy(vectors), torch.from_numpy(there)).numpy())
        return np.concatenate(found)

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        self.features.save(folder)
        save_file(
            {name: tensor.detach().contiguous() for name, tensor in self.net.state_dict().items()}, folder / FUSION
        )
        self.card = {**self.card, "net": self.plan}
        save_labelled(folder, self)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "ImageTextClassifier":
        """Read what :meth:`save` wrote; use :func:`fieldtune.models.load`, which verifies first."""
        features = EncoderFeatures(encoder_in(folder), int(card["max_length"]))
        plan = card["net"]
        net = Fusion(plan["channels"], plan["strides"], features.encoder.dimensions, len(card["labels"]))
        tensors_ = load_file(folder / FUSION)
        if not all(torch.isfinite(tensor).all() for tensor in tensors_.values()):
            raise ValueError("weights that are not finite")
        try:
            net.load_state_dict(tensors_)
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        return cls(features, net.eval(), plan, **labelled_of(folder, card))


def inputs(
    items: Sequence[Item], features: EncoderFeatures, plan: dict[str, Any]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Pixels uint8 ``[n, h, w, channels]``, text vectors ``[n, d]``, and what is there, float32 ``[n, 2]``.

    Raises:
        InputError: items that are not pairs.
    """
    odd = [item for item in items if not isinstance(item, tuple) or len(item) != 2]
    if odd:
        raise InputError("pairs of a picture (or None) and a text", f"{odd[0]!r:.60}", _PAIRS)
    items = [(None if isinstance(image, str) and not image else image, text or "") for image, text in items]
    there = np.asarray([[image is not None, bool(text)] for image, text in items], dtype=np.float32)
    size, channels = (plan["size"][0], plan["size"][1]), plan["channels"]
    pixels = np.full((len(items), *size, channels), 128, dtype=np.uint8)
    shown = np.flatnonzero(there[:, 0])
    if len(shown):
        pixels[shown] = stack([items[int(row)][0] for row in shown], size, channels)
    return pixels, features([text for _, text in items]), there
