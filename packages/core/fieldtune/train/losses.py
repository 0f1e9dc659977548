"""Losses of labels, summed over a batch, and what each counts as items: divided by these, k small batches equal one
large. Knows logits and targets, no model.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.errors import ConfigError
from fieldtune.text.shown import some_of
from fieldtune.train.settings import label_weights

_POWERS = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}
_SURE = 1e-7  # below, the power of what is missing to certainty has no finite slope


def class_weights(targets: NDArray[np.int_], labels: Sequence[str], chosen: str) -> torch.Tensor:
    """A weight per class, float32 ``[classes]``, with mean one over the rows.

    Args:
        targets: the class of each row.
        chosen: ``none``, ``sqrt`` or ``balanced`` (inverse class frequency, or its square root), or weights by name,
            ``spam=3,ham=1``; a label that is not named weighs 1.

    Raises:
        ConfigError: a weight for a label that no row has.
    """
    counts = np.bincount(targets, minlength=len(labels)).astype(np.float64)
    if chosen in _POWERS:
        weights = (counts.sum() / np.maximum(counts, 1) / len(labels)) ** _POWERS[chosen]
    else:
        weights = _named(chosen, labels)
    return torch.tensor(weights / (weights * counts).sum() * counts.sum(), dtype=torch.float32)


def cross_entropy(
    logits: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    smoothing: float = 0.0,
    gamma: float = 0.0,
    reduction: Literal["sum", "none"] = "sum",
) -> torch.Tensor:
    """Weighted cross-entropy of one label a row, summed; an item is the weight of a row's class.

    Args:
        logits: float32 ``[rows, classes]``.
        targets: int64 ``[rows]``.
        weights: float32 ``[classes]``; None where all weigh one.
        smoothing: share of the target spread over all classes.
        gamma: above 0 the focal loss (Lin et al. 2017, arXiv 1708.02002): a row counts ``(1 - p)^gamma`` of its loss,
            p being the probability of its class, so rows that are known already count little.
        reduction: ``none`` for the loss of each row, ``[rows]``.
    """
    losses = nn.functional.cross_entropy(
        logits,
        targets,
        weight=None if weights is None else weights.to(logits.device),
        reduction="none",
        label_smoothing=smoothing,
    )
    if gamma:
        known = torch.softmax(logits, dim=1).gather(1, targets[:, None])[:, 0]
        losses = losses * (1 - known).clamp(min=_SURE) ** gamma
    return losses.sum() if reduction == "sum" else losses


def binary_cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, smoothing: float = 0.0, gamma: float = 0.0
) -> torch.Tensor:
    """The same where every label is a question of its own: summed over rows and labels; an item is a row.

    Args:
        logits, targets: float32 ``[rows, labels]``, targets 0 or 1.
        weights: float32 ``[labels]``, what a row that has the label counts against one that has not.
        smoothing: share of the target spread over yes and no.
    """
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits, targets * (1 - smoothing) + smoothing / 2, pos_weight=weights.to(logits.device), reduction="none"
    )
    if gamma:
        likely = torch.sigmoid(logits)
        losses = losses * (1 - torch.where(targets > 0, likely, 1 - likely)).clamp(min=_SURE) ** gamma
    return losses.sum()


def positive_weights(targets: NDArray[np.float32], labels: Sequence[str], chosen: str) -> torch.Tensor:
    """For :func:`binary_cross_entropy`: rows without a label against rows with it, or weights by name.

    Args:
        targets: 0 or 1, ``[rows, labels]``; chosen: as in :func:`class_weights`.
    """
    if chosen not in _POWERS:
        return torch.tensor(_named(chosen, labels), dtype=torch.float32)
    counts = np.maximum(targets.sum(axis=0, dtype=np.float64), 1)
    ratio = np.maximum(len(targets) - counts, 1) / counts
    return torch.tensor(ratio ** _POWERS[chosen], dtype=torch.float32)


def _named(chosen: str, labels: Sequence[str]) -> NDArray[np.float64]:
    named = label_weights(chosen)
    strangers = sorted(set(named) - set(labels))
    if strangers:
        raise ConfigError(
            f"class_weights of labels out of {some_of(labels, 10)}", repr(strangers[0]), "correct the name"
        )
    return np.asarray([named.get(label, 1.0) for label in labels])
