"""Whether an item belongs to any class at all: what a model reads of it beside its logits, and the score made of that.

A foreign item may get a high probability of some class, since probabilities only compare the classes with each other. Three
signs are multiplied, each between 0 and 1: the highest probability, softened (Liang et al. 2018, arXiv 1706.02690: with a
higher temperature it tells foreign items better); how close the item's vector lies to training rows (after Sun et al. 2022,
arXiv 2204.06507, with a few means of each class in the place of all its rows); and, where foreign rows were among the training
rows, what a further class that learnt them leaves of it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fieldtune.evaluate.calibration import softmax

Vectors = NDArray[np.float32]
SOFTER = 4.0
"""What the temperature is multiplied by before the highest probability counts as a sign."""


class Signs(NamedTuple):
    """What a model reads of items.

    Attributes:
        logits: float32 ``[items, classes]``.
        closeness: float32 ``[items]``, 0 to 1; ones where the model keeps nothing to compare with.
        foreign: float32 ``[items]``, logit of belonging to no class; minus infinity where it has not learnt that.
    """

    logits: Vectors
    closeness: Vectors
    foreign: Vectors

    @classmethod
    def bare(cls, logits: Vectors) -> "Signs":
        """Of a model that has its logits alone to go by."""
        rows = len(logits)
        return cls(logits, np.ones(rows, dtype=np.float32), np.full(rows, -np.inf, dtype=np.float32))

    def of(self, rows: Any) -> "Signs":
        """The same of some items, a slice or their places."""
        return Signs(*(part[rows] for part in self))


def joined(signs: list[Signs]) -> Signs:
    """The signs of all items in one."""
    return Signs(*(np.concatenate(parts) for parts in zip(*signs, strict=True)))


def score(signs: Signs, temperature: float) -> Vectors:
    """How well each item fits the classes, float32 ``[items]``, 0 to 1: the three multiplied."""
    highest = softmax(signs.logits, SOFTER * temperature).max(axis=1)
    largest = signs.logits.max(axis=1).astype(np.float64)
    classes = largest + np.log(np.exp(signs.logits - largest[:, None]).sum(axis=1))
    own = 1 / (1 + np.exp(np.minimum(signs.foreign - classes, 500.0)))
    return np.asarray(highest * signs.closeness * own, dtype=np.float32)


@dataclass(frozen=True)
class Scope:
    """What a classifier keeps to tell foreign vectors from those of its classes.

    Attributes:
        anchors: float32 ``[anchors, features]``, unit vectors that stand for training rows; None where there are none.
        foreign: float32 ``[features + 1]``, weight and bias of the class of foreign rows; None where none were shown.
    """

    anchors: Vectors | None = None
    foreign: Vectors | None = None

    def read(self, vectors: Any, logits: Vectors) -> Signs:
        """Logits with what the vectors ``[items, features]`` (dense or sparse) tell beside them."""
        bare = Signs.bare(logits)
        close = bare.closeness if self.anchors is None else np.clip((vectors @ self.anchors.T).max(axis=1), 0.0, 1.0)
        foreign = bare.foreign if self.foreign is None else vectors @ self.foreign[:-1] + self.foreign[-1]
        return Signs(logits, close.astype(np.float32), foreign.astype(np.float32))

    def tensors(self) -> dict[str, Vectors]:
        """By name, to be stored with the head."""
        parts = {"anchors": self.anchors, "foreign": self.foreign}
        return {name: tensor for name, tensor in parts.items() if tensor is not None}

    def misfit(self, features: int) -> str:
        """What does not fit vectors of so many ``features``; empty where all does."""
        if self.anchors is not None and (self.anchors.ndim != 2 or self.anchors.shape[1] != features):
            return f"anchors of {self.anchors.shape} for {features} features"
        if self.foreign is not None and self.foreign.shape != (features + 1,):
            return f"a class of foreign rows of {self.foreign.shape} for {features} features"
        return ""
