"""The one training entry point: a module, a plan of batches and a loss -> trained weights, through any crash.

The transformers ``Trainer`` runs the loop (its resume is exact, and DDP, trackers and adapters come with it).
Three things are ours: the loss is a sum over the batch divided by the items of the whole optimizer step, because
``Trainer`` multiplies loss and gradient of many heads by the accumulation count; the batches are planned for the
whole run in advance, so a resumed run skips exactly what was done; and a checkpoint is staged, hashed and renamed.
"""

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from transformers import TrainingArguments

from fieldtune.batching import Batch
from fieldtune.errors import InputError
from fieldtune.models.adapters import settle
from fieldtune.progress import say
from fieldtune.train import callbacks
from fieldtune.train.best import Best
from fieldtune.train.checkpoint import newest, step
from fieldtune.train.problem import Problem
from fieldtune.train.quick import plain
from fieldtune.train.randomness import borrowed
from fieldtune.train.ranks import Ranks, adaptive
from fieldtune.train.settings import Settings
from fieldtune.train.stopping import stoppable
from fieldtune.train.track import Track, opened, run_name
from fieldtune.train.trainer import Trainer


@borrowed()
def fit(
    module: nn.Module,
    problem: Problem,
    plan: Sequence[Batch],
    settings: Settings,
    *,
    folder: Path,
    optimizer: torch.optim.Optimizer,
    seed: int,
    dtype: torch.dtype,
    description: str,
    show: bool = True,
    best: Best | None = None,
) -> None:
    """Train ``module`` in place.

    Args:
        module: float32 weights; autocast to ``dtype`` in the forward pass.
        problem: batches, loss and item counts.
        plan: every batch of the run, in order.
        settings: accumulation, warm-up and checkpoints are read from here.
        folder: where checkpoints go; a run found there is continued from its newest good checkpoint.
        optimizer: over the parameters to train, with their peak learning rates.
        seed: of dropout.
        dtype: ``torch.float32`` or ``torch.bfloat16``.
        description: shown beside the progress.
        show: progress on stderr, a bar on a terminal and else a line every 30 s, and the step that a run goes on after.
        best: looks at the module now and then; it ends with the weights that did best, else with the last ones.

    Raises:
        InputError: no batch, or no room for a checkpoint; DivergedError: the loss or a weight is not a finite number. The
            checkpoint before it stays.
        ArtefactError: all checkpoints of the run are damaged.
        SystemExit: with 143, once the checkpoint that a SIGTERM asked for is written; KeyboardInterrupt for Ctrl-C.
    """
    if not plan:
        raise InputError("batches to train on", "none", "give more rows")
    if torch.distributed.is_initialized() and not problem.divisible:
        raise InputError("one process for a loss that compares rows", "several", "leave --processes out")
    steps = math.ceil(len(plan) / settings.accumulate)
    ranks = adaptive(module, steps)
    if ranks:
        problem = ranks.penalised(problem)
    arguments = _arguments(settings, steps, folder, seed, dtype)
    trainer = Trainer(module, problem, plan, arguments, optimizer, best)
    checkpoint = newest(folder)
    if best and checkpoint:
        best.load(checkpoint)
    if show and checkpoint:
        say(f"{description}: going on after step {step(checkpoint)} of {steps}")
    _accompany(trainer, module, settings, best, ranks)
    with callbacks.shown(description, trainer) if show else contextlib.nullcontext():
        _run(trainer, checkpoint, _opened(settings, arguments, folder, checkpoint))
    trainer.check_weights()
    _settle(module, best, ranks)


def _accompany(trainer: Trainer, module: nn.Module, settings: Settings, best: Best | None, ranks: Ranks | None) -> None:
    """What is done beside the steps; a look comes before the checkpoint that is to hold it."""
    if best:
        trainer.add_callback(callbacks.Look(best, module))
    trainer.add_callback(callbacks.SaveRegularly(settings.checkpoint_steps))
    if ranks:
        trainer.add_callback(callbacks.Adapt(ranks))


def _settle(module: nn.Module, best: Best | None, ranks: Ranks | None) -> None:
    """Leave a trained module as a loaded one is, with the weights that are to stay."""
    if best:
        best.settle(module)
    module.cpu().eval()  # what uses the weights from here on runs on the processor
    if ranks:
        ranks.leave()
    plain(module)
    for part in list(module.modules()):
        settle(part)


def _arguments(settings: Settings, steps: int, folder: Path, seed: int, dtype: torch.dtype) -> TrainingArguments:
    rising = steps * settings.warmup
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,
        gradient_accumulation_steps=settings.accumulate,
        warmup_steps=math.ceil(rising) if rising >= 1 else 0,  # the first rising step learns nothing
        lr_scheduler_type="linear",
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=dtype is torch.bfloat16,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
    )


def _opened(settings: Settings, arguments: TrainingArguments, folder: Path, checkpoint: Path | None) -> Track:
    """Where the curves go: the first process writes them, from the step on at which this run begins."""
    where = settings.track if arguments.process_index == 0 else ""
    done = step(checkpoint) if checkpoint else 0
    return opened(where, Path(settings.track_dir), run_name(folder), settings.as_dict(), done)


def _run(trainer: Trainer, checkpoint: Path | None, track: Track) -> None:
    """All steps that are left, until the end or until a signal asks to stop."""
    trainer.add_callback(callbacks.Curves(track, trainer))
    try:
        with stoppable() as stop:
            trainer.add_callback(stop)
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            stop.leave()  # if it was asked to after the last step
    finally:
        track.close()
