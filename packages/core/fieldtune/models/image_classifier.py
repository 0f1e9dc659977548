"""A trained model of pictures with one label each: network, size of its pictures, calibration. Saved without pickle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from fieldtune.data.images import Pixels, stack
from fieldtune.models import asked
from fieldtune.models.convnet import ConvNet
from fieldtune.models.gradients import PlainNet
from fieldtune.models.labelled import Labelled
from fieldtune.models.trained import labelled_of, save_labelled

WEIGHTS = "model.safetensors"
_ROWS = 64  # pictures computed together
_WIDEST = 4096  # channels; a card that asks for more is not ours


@dataclass
class ImageClassifier(Labelled):
    """Picture -> one of ``labels`` with a calibrated probability.

    Attributes:
        net: pictures float32 ``[n, channels, h, w]``, values 0 to 1 -> logits.
        plan: what :func:`built` builds ``net`` from: kind, size, channels, and a ConvNet's widths and strides.
        cut: of two classes, the probability of the second from which it is the answer; 0.5 until validation rows chose the
            one of the best balanced accuracy.
        labels, temperature, threshold, card: see :class:`fieldtune.models.labelled.Labelled`.
    """

    net: nn.Module
    plan: dict[str, Any]
    labels: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.0
    cut: float = 0.5
    card: dict[str, Any] = field(default_factory=dict)

    def logits(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """Raw scores of pictures (paths, bytes or arrays), float32 ``[pictures, classes]``."""
        items = asked.pictures(items)
        size, channels = (self.plan["size"][0], self.plan["size"][1]), self.plan["channels"]
        pieces = [items[start : start + _ROWS] for start in range(0, len(items), _ROWS)]
        found = [scores(self.net, stack(piece, size, channels)) for piece in pieces]
        return np.concatenate([np.zeros((0, len(self.labels)), dtype=np.float32), *found])

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """The place of the label each row is given, int64 ``[pictures]``; of two classes by ``cut``."""
        if len(self.labels) != 2:
            return super().decide(probabilities)
        return (probabilities[:, 1] >= self.cut).astype(np.int64)

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        save_weights(folder, self.net)
        self.card = {**self.card, "net": self.plan, "cut": self.cut}
        save_labelled(folder, self)

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "ImageClassifier":
        """Read what :meth:`save` wrote; use :func:`fieldtune.models.trained.load`, which verifies first."""
        net = built(card["net"], len(card["labels"]))
        load_weights(folder, net)
        return cls(net, card["net"], cut=float(card["cut"]), **labelled_of(folder, card))


def built(plan: Mapping[str, Any], classes: int) -> nn.Module:
    """A network of this plan with whatever weights torch draws.

    Raises:
        ValueError: no plan of ours.
    """
    channels = int(plan["channels"])
    match plan["kind"]:
        case "linear":
            return PlainNet(channels, classes)
        case "convnet" if max(*plan["widths"], classes) <= _WIDEST:
            return ConvNet(channels, classes, plan["widths"], plan["strides"])
    raise ValueError(f"a network of kind {plan['kind']!r}")


def tensors(pictures: Pixels) -> torch.Tensor:
    """uint8 ``[n, h, w, c]`` -> float32 ``[n, c, h, w]`` from 0 to 1, laid out as convolutions on a CPU like it."""
    values = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    return values.contiguous(memory_format=torch.channels_last).float() / 255


def scores(net: nn.Module, pictures: Pixels) -> NDArray[np.float32]:
    """Logits of pictures uint8 ``[n, h, w, c]``, computed in pieces, float32 ``[n, classes]``."""
    device = next(net.parameters()).device
    pieces = [tensors(pictures[start : start + _ROWS]).to(device) for start in range(0, len(pictures), _ROWS)]
    with torch.no_grad():
        return np.concatenate([net(piece).float().cpu().numpy() for piece in pieces])


def save_weights(folder: Path, net: nn.Module) -> None:
    """Write every parameter and buffer of a network as safetensors."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}, folder / WEIGHTS)


def load_weights(folder: Path, net: nn.Module) -> None:
    """Read them back, all of them, into a network of the same plan, ready to answer.

    Raises:
        ValueError: the weights are of another network, or not finite.
    """
    found = load_file(folder / WEIGHTS)
    if not all(torch.isfinite(tensor).all() for tensor in found.values()):
        raise ValueError("weights that are not finite")
    try:
        net.load_state_dict(found)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    net.eval()
