"""Which weights a run ends with: those of the step that did best on rows kept apart, not the last ones.

They travel inside the run's checkpoints, so a resumed run remembers them and there are never more than two on disk.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

FILE = "best.safetensors"


def epoch_of(best: "Best | None", ends: Sequence[int]) -> int:
    """The epoch, from 1, whose weights a run ended with: those of the best step, or of the end where there is none.

    Args:
        ends: the optimizer step at the end of each epoch. Where several share one, it took the rows of all of them.
    """
    step = best.step if best and best.step else ends[-1]
    return len(ends) - ends[::-1].index(step)


class Best:
    """Watches a run of :func:`fieldtune.train.fit.fit`.

    Args:
        score: the module, in evaluation mode -> how good it is; higher is better, NaN is never best.
        steps: the optimizer steps after which to look.
        patience: the run may end after so many looks without a better one; 0 looks to the end.
    """

    def __init__(self, score: Callable[[nn.Module], float], steps: Iterable[int], patience: int = 0) -> None:
        self._score, self._steps, self._patience = score, frozenset(steps), patience
        self.highest, self.step = float("-inf"), 0
        self._weights: dict[str, torch.Tensor] = {}

    def look(self, module: nn.Module, step: int) -> None:
        """Score the module after ``step`` if it is one of the steps to look at; of equals the first is best."""
        if step not in self._steps or self.exhausted(step - 1):  # resumed at the very end, it looks no further either
            return
        training = module.training
        module.eval()
        with torch.no_grad():
            value = float(self._score(module))
        module.train(training)
        if value > self.highest:
            self.highest, self.step = value, step
            self._weights = {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}

    def exhausted(self, step: int) -> bool:
        """Whether by ``step`` patience has run out."""
        return 0 < self._patience <= sum(self.step < looked <= step for looked in self._steps)

    def settle(self, module: nn.Module) -> None:
        """Give the module the best weights; none were looked at: it keeps its own."""
        if self._weights:
            module.load_state_dict(self._weights)

    def save(self, folder: Path) -> None:
        """Write what is best so far into a checkpoint."""
        if self._weights:
            tensors = {name: tensor.contiguous() for name, tensor in self._weights.items()}
            save_file(tensors, folder / FILE, metadata={"score": repr(self.highest), "step": str(self.step)})

    def load(self, folder: Path) -> None:
        """Read it from a verified checkpoint; one without it was written before the first look."""
        if (folder / FILE).is_file():
            with safe_open(folder / FILE, framework="pt") as file:
                told: dict[str, Any] = file.metadata()
            self._weights = load_file(folder / FILE)
            self.highest, self.step = float(told["score"]), int(told["step"])
