"""What every model shares that answers with one label: calibrated probabilities and the scope.

A model with a ``temperature`` and a ``threshold`` of its own inherits from :class:`Labelled` and says how it gets
``logits`` from whatever it looks at.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.evaluate.calibration import softmax
from fieldtune.models.scope import Signs, score


class Labelled:
    """A model of labels.

    Attributes:
        labels: class names, in the order of the logits' columns.
        temperature: divides the logits; fitted on validation rows.
        threshold: an item whose score (see :mod:`fieldtune.models.scope`) lies below is out of scope.
        card: the rest of ``fieldtune.json``.
    """

    labels: tuple[str, ...]
    temperature: float
    threshold: float
    card: dict[str, Any]

    def logits(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """Raw scores, float32 ``[items, classes]``."""
        raise NotImplementedError

    def signs(self, items: Sequence[Any]) -> Signs:
        """Logits, and whatever else tells whether an item belongs to any class."""
        return Signs.bare(self.logits(items))

    def probabilities(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """Calibrated probabilities, float32 ``[items, classes]``, each row summing to one."""
        return self.chances(self.logits(items))

    def chances(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same from logits at hand."""
        return np.asarray(softmax(logits, self.temperature), dtype=np.float32)

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """The place of the label each row is given, int64 ``[items]``: that of the highest probability."""
        return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)

    def in_scope(self, items: Sequence[Any]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Whether each item belongs to any class at the model's own threshold, and the score compared with it."""
        return self.scope_of(self.signs(items))

    def scope_of(self, signs: Signs) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """The same from signs at hand."""
        found = score(signs, self.temperature)
        return found >= self.threshold, found
