"""Learning on without forgetting: the mechanisms, each a function of arrays or of a module. Knows no task.

Statistics (McDonnell et al. 2023, arXiv 2307.02251): a frozen encoder, a random projection, and a ridge regression whose
sufficient statistics add up, so that blocks of rows in any order give the head that all rows together give. Replay with
exemplars chosen by herding (Rebuffi et al. 2017, arXiv 1611.07725). Elastic weight consolidation (Kirkpatrick et al.
2017, arXiv 1612.00796). Learning without forgetting by distillation (Li and Hoiem 2016, arXiv 1606.09282). Orthogonal subspaces (Nayak et al. 2025,
arXiv 2504.07097), PEFT's OSF: only the weaker half of each layer's directions is trained.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.train.problem import Problem

WIDTH = 2048
RIDGE = 0.01
HEAT = 2.0
Floats = NDArray[np.float32]


@dataclass
class Statistics:
    """What ridge regression needs of all rows seen.

    Attributes:
        projection: float32 ``[features, width]``, drawn once.
        gram: float32 ``[width, width]``, the sum of products of projected rows.
        sums: float32 ``[classes, width]``, the sum of projected rows of each class.
    """

    projection: Floats
    gram: Floats
    sums: Floats

    @classmethod
    def empty(cls, features: int, rng: np.random.Generator, width: int = WIDTH) -> "Statistics":
        """No rows seen; the projection is drawn from ``rng``."""
        return cls(
            rng.normal(size=(features, width)).astype(np.float32),
            np.zeros((width, width), dtype=np.float32),
            np.zeros((0, width), dtype=np.float32),
        )

    def add(self, vectors: Floats, targets: NDArray[np.int64]) -> None:
        """Take in rows; ``sums`` has a row for each of the classes already (see :meth:`moved`)."""
        rows = projected(vectors, self.projection)
        self.gram = self.gram + rows.T @ rows
        np.add.at(self.sums, targets, rows)

    def moved(self, places: Sequence[int], classes: int) -> None:
        """Give the classes seen new places among ``classes`` in all."""
        sums = np.zeros((classes, self.sums.shape[1]), dtype=np.float32)
        sums[list(places)] = self.sums
        self.sums = sums

    def weight(self) -> Floats:
        """Ridge regression of one-hot labels, float32 ``[classes, width]``; the penalty is a share of the mean variance."""
        gram = self.gram.astype(np.float64)
        gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram)
        return np.asarray(np.linalg.solve(gram, self.sums.T.astype(np.float64)).T, dtype=np.float32)


def projected(vectors: Floats, projection: Floats) -> Floats:
    """Random features: the positive part of a random projection, float32 ``[rows, width]``."""
    return np.asarray(np.maximum(vectors @ projection, 0.0), dtype=np.float32)


def herded(vectors: Floats, count: int) -> list[int]:
    """The rows whose running mean stays nearest to the mean of all, in that order; at most ``count``."""
    mean, total = vectors.mean(axis=0), np.zeros(vectors.shape[1])
    chosen: list[int] = []
    for size in range(1, min(count, len(vectors)) + 1):
        distances = np.linalg.norm(mean - (total + vectors) / size, axis=1)
        distances[chosen] = np.inf
        best = int(distances.argmin())
        chosen.append(best)
        total = total + vectors[best]
    return chosen


def fisher(module: nn.Module, problem: Problem, rows: Iterable[int]) -> dict[str, torch.Tensor]:
    """The diagonal of the empirical Fisher information: mean squared gradient of the loss of single rows."""
    found = {name: torch.zeros_like(weight) for name, weight in module.named_parameters() if weight.requires_grad}
    count = 0
    for row in rows:
        module.zero_grad()
        problem.loss(module, problem.collate([row])).backward()
        for name, weight in module.named_parameters():
            if name in found and weight.grad is not None:
                found[name] += weight.grad.detach() ** 2
        count += 1
    module.zero_grad()
    return {name: value / max(count, 1) for name, value in found.items()}


def moved_weights(
    module: nn.Module, importance: dict[str, torch.Tensor], anchor: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Elastic weight consolidation: half the squared distance from ``anchor``, each weight by its importance."""
    weights = dict(module.named_parameters())
    return (
        torch.stack([(value * (weights[name] - anchor[name]) ** 2).sum() for name, value in importance.items()]).sum()
        / 2
    )


def distillation(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with a teacher's softened answers, summed over rows: both ``[rows, old classes]``."""
    wanted = torch.softmax(teacher / HEAT, dim=1)
    return -(wanted * torch.log_softmax(logits / HEAT, dim=1)).sum() * HEAT**2


def forgetting(accuracy: NDArray[np.float64]) -> float:
    """Mean over all blocks but the last of the best accuracy a block ever had less what it has now (Chaudhry et al. 2018).

    Args:
        accuracy: float ``[steps, blocks]``, NaN where a block was not yet learnt.
    """
    if len(accuracy) < 2:
        return 0.0
    return float(np.mean(np.nanmax(accuracy[:-1, :-1], axis=0) - accuracy[-1, :-1]))
