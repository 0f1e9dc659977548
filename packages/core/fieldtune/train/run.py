"""A run as tasks begin it: its batches, and AdamW that moves slowly what is pretrained. Knows no task.

Tests and other optimizers call :func:`fieldtune.train.fit.fit` itself.
"""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fieldtune.batching import Batch, epoch, whole_run
from fieldtune.infer.probe import compute_dtype
from fieldtune.runtime import generator
from fieldtune.train.best import Best
from fieldtune.train.problem import Problem
from fieldtune.train.settings import Settings


def run(
    module: nn.Module,
    problem: Problem,
    plan: Sequence[Batch],
    settings: Settings,
    *,
    body: nn.Module | None,
    seed: int,
    folder: Path,
    show: bool,
    description: str = "fine-tuning",
    dtype: torch.dtype | None = None,
    best: Best | None = None,
) -> None:
    """Train ``module`` in place; see :func:`fieldtune.train.fit.fit`.

    Args:
        body: the part that is trained already and learns slowly; None where all is new.
        dtype: None for the one that is fastest here.
    """
    from fieldtune.train.fit import fit  # the Trainer takes seconds to import: frozen encoders do without

    fit(
        module,
        problem,
        plan,
        settings,
        folder=folder,
        optimizer=adamw(body, module, settings),
        seed=seed,
        dtype=dtype or training_dtype(),
        description=description,
        show=show,
        best=best,
    )


def planned(epochs: Sequence[list[Batch]], settings: Settings) -> list[Batch]:
    """All batches of a run in order, as many as ``max_steps`` allows."""
    return whole_run(epochs, settings.max_steps * settings.accumulate or None)


def by_tokens(lengths: Sequence[int], settings: Settings, seed: int) -> list[Batch]:
    """The batches of a run, see :func:`epochs_by_tokens`."""
    return planned(epochs_by_tokens(lengths, settings, seed), settings)


def epochs_by_tokens(lengths: Sequence[int], settings: Settings, seed: int) -> list[list[Batch]]:
    """Per epoch its batches, each filled to the token budget, in another order every epoch."""
    rng = generator(seed)
    return [epoch(lengths, settings.token_budget, rng) for _ in range(settings.epochs)]


def ends(epochs: Sequence[list[Batch]], planned: int, accumulate: int) -> list[int]:
    """The optimizer step at the end of each epoch, of a plan of ``planned`` batches."""
    return [math.ceil(min(end, planned) / accumulate) for end in itertools.accumulate(map(len, epochs))]


def adamw(body: nn.Module | None, module: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW in which the pretrained ``body`` learns slowly and all else of ``module`` fast."""
    slow = [weight for weight in body.parameters() if weight.requires_grad] if body else []
    known = {id(weight) for weight in slow}
    fast = [weight for weight in module.parameters() if weight.requires_grad and id(weight) not in known]
    parts = ((slow, "learning_rate"), (fast, "head_learning_rate"))
    groups: list[dict[str, Any]] = [{"params": part, "lr": getattr(settings, rate)} for part, rate in parts if part]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)


def training_dtype() -> torch.dtype:
    """bfloat16 autocast where it is faster; the weights stay float32."""
    return compute_dtype()
