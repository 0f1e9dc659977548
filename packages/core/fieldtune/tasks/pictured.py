"""What the picture tasks share: the examples of a run, how they are changed, the fit, and the digests of a start.

An example of a run is a row in an epoch, numbered epoch times rows plus row: what is drawn for it depends on its number
and the seed alone.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fieldtune.batching import Batch
from fieldtune.models.convnet import Still
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.folder import digest, verify_given
from fieldtune.runtime import generator
from fieldtune.train.augment import Change, draw
from fieldtune.train.best import Best, epoch_of
from fieldtune.train.problem import Problem
from fieldtune.train.run import ends, planned, run
from fieldtune.train.settings import Settings

_LOOKS = 10  # how often a run looks for its best weights


def tune(
    module: nn.Module,
    problem: Problem,
    rows: int,
    settings: Settings,
    *,
    body: nn.Module | None,
    score: Callable[[nn.Module], float] | None,
    seed: int,
    folder: Path,
    show: bool,
) -> int:
    """Train ``module`` in place on batches of examples, and keep the weights of the best look.

    Args:
        problem: its rows are numbers of examples.
        body: the part that is trained already and learns slowly.
        score: how good a module is on rows kept apart; None keeps the last weights.

    Returns:
        the epoch whose weights it ends with, counted from 1.
    """
    trained = Still(module) if settings.freeze_statistics else module
    epochs = shuffled(rows, settings, seed)
    plan = planned(epochs, settings)
    steps = ends(epochs, len(plan), settings.accumulate)
    best = None
    if score is not None:
        looked = score
        best = Best(lambda watched: looked(module), looks(steps))
    run(
        trained, problem, plan, settings,
        body=body, seed=seed, folder=folder, show=show, description="training", best=best,
    )  # fmt: skip
    return epoch_of(best, steps)


def shuffled(rows: int, settings: Settings, seed: int) -> list[list[Batch]]:
    """Per epoch its batches of examples, as equal in size as can be: batch norm dislikes a small last one."""
    rng = generator(seed)
    pieces = math.ceil(rows / settings.batch_rows)
    return [
        [(epoch * rows + batch).tolist() for batch in np.array_split(rng.permutation(rows), pieces)]
        for epoch in range(settings.epochs)
    ]


def looks(ends: Sequence[int]) -> list[int]:
    """Of the optimizer steps at the ends of epochs at most ten, evenly spread, the end of the run among them."""
    chosen = np.unique(np.linspace(len(ends) / _LOOKS, len(ends), _LOOKS).round().astype(int).clip(min=1)) - 1
    return sorted({ends[place] for place in chosen})


def kept(epoch: int) -> dict[str, Any]:
    """What the card tells of weights that did best: a training on all rows takes as many epochs."""
    return {"selected": True, "settled": {"epochs": epoch}}


def changes(
    examples: Sequence[int], change: Change, seed: int, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is drawn for these examples: maps ``[n, 2, 3]`` and tones ``[n, 2]``, see :mod:`fieldtune.train.augment`."""
    drawn = [draw(change, seed, example, size) for example in examples]
    return np.stack([affine for affine, _ in drawn]), np.array([tone for _, tone in drawn])


def weights(model: str, settings: Settings) -> list[str]:
    """Digests of the folder that a picture model starts from, after it was looked at; none from scratch."""
    if model == DEFAULT:
        return []
    folder = Path(model)
    if folder.is_dir():
        verify_given(folder)
    return [digest(file) for file in sorted([*folder.glob("*.safetensors"), *folder.glob("config.json")])]
