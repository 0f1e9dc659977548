"""The one training entry point: a module, a plan of batches and a loss -> trained weights, through any crash.

The transformers ``Trainer`` runs the loop (its resume is exact, and DDP, trackers and adapters come with it).
Three things are ours: the loss is a sum over the batch divided by the items of the whole optimizer step, because
``Trainer`` multiplies loss and gradient of many heads by the accumulation count; the batches are planned for the
whole run in advance, so a resumed run skips exactly what was done; and a checkpoint is staged, hashed and renamed.
"""

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainingArguments

from fieldtune.batching import Batch, dealt
from fieldtune.errors import InputError
from fieldtune.models.adapters import settle
from fieldtune.models.folder import staged
from fieldtune.train.best import Best
from fieldtune.train.checkpoint import newest, prune, step
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.processes import agreed, total
from fieldtune.train.quick import plain
from fieldtune.train.ranks import Ranks, adaptive
from fieldtune.train.settings import Settings
from fieldtune.train.stopping import stoppable
from fieldtune.train.track import Track, opened, run_name


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
        description: shown beside the progress bar.
        show: progress on stderr.
        best: looks at the module now and then; it ends with the weights that did best, else with the last ones.

    Raises:
        InputError: no batch, no room for a checkpoint, or the loss or a weight is not a finite number; the checkpoint
            before it stays.
        ArtefactError: all checkpoints of the run are damaged.
        SystemExit: with 143, once the checkpoint that a SIGTERM asked for is written.
    """
    if not plan:
        raise InputError("batches to train on", "none", "give more rows")
    alone = not torch.distributed.is_initialized()
    if not (alone or problem.divisible):
        raise InputError("one process for a loss that compares rows", "several", "leave --processes out")
    gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,
        gradient_accumulation_steps=settings.accumulate,
        warmup_steps=settings.warmup,
        lr_scheduler_type="linear",
        seed=seed,
        use_cpu=not gpu,
        bf16=dtype is torch.bfloat16,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
    )
    trainer = _Trainer(
        model=module,
        args=arguments,
        train_dataset=_Rows(1 + max(max(batch) for batch in plan)),
        optimizers=(optimizer, None),
        callbacks=[
            *([_Look(best, module)] if best else []),
            _SaveRegularly(settings.checkpoint_steps),
            *([_Bar(description)] if show else []),
        ],
    )
    for noisy in (PrinterCallback, ProgressCallback):  # both print on stdout, which belongs to results
        trainer.remove_callback(noisy)
    ranks = adaptive(module, math.ceil(len(plan) / settings.accumulate))
    if ranks:
        problem = ranks.penalised(problem)
        trainer.add_callback(_Adapt(ranks))
    trainer.problem, trainer.plan, trainer.folder, trainer._module = problem, plan, folder, module
    if not alone:
        trainer.plan = dealt(plan, arguments.process_index, arguments.world_size)
    trainer.best = best
    checkpoint = newest(folder)
    if checkpoint and best:
        best.load(checkpoint)
    done = step(checkpoint) if checkpoint else 0
    track = opened(
        settings.track if arguments.process_index == 0 else "",
        Path(settings.track_dir),
        run_name(folder),
        settings.as_dict(),
        done,
    )
    trainer.add_callback(_Curves(track, trainer))
    try:
        with stoppable() as stop:
            trainer.add_callback(stop)
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        track.close()
    trainer.check_weights()
    if best:
        best.settle(module)
    module.cpu().eval()  # what uses the weights from here on runs on the processor
    if ranks:
        ranks.leave()
    plain(module)
    for part in list(module.modules()):
        settle(part)


def _not_finite(found: str) -> InputError:
    return InputError(
        "a finite loss",
        found,
        "lower the learning rate (--set learning_rate=5e-5) or look for broken rows with `fieldtune data check`",
    )


_IDLE = "idle"  # marks a batch that a process computes only to keep step
_RANDOM = "random.safetensors"


class _Trainer(Trainer):
    """transformers' Trainer with our batches, our loss scale and our checkpoints."""

    problem: Problem
    plan: Sequence[Batch]
    folder: Path
    best: Best | None
    _module: nn.Module
    _staging: Path | None = None
    seen = 0.0  # the loss of the step so far, over its batches
    _at = (0, -1)  # the step at hand, and how many of its batches came before this one
    loss_is_scaled_for_ga = True  # compute_loss divides by the items of the whole step itself

    def get_train_dataloader(self) -> Any:
        loader = DataLoader(self.train_dataset, batch_sampler=self.plan, collate_fn=self._collate)
        # With several processes the plan is this one's own already, and accelerate would deal it out once more.
        return self.accelerator.prepare(loader) if self.args.world_size == 1 else loader

    def _collate(self, rows: Batch) -> Tensors:
        idle = rows[0] < 0
        batch = self.problem.collate([-1 - row for row in rows] if idle else rows)
        return batch | {_IDLE: torch.ones(1)} if idle else batch

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        counts = [self.problem.items(batch) for batch in batch_samples if _IDLE not in batch]
        items = torch.tensor(float(sum(counts)), device=device)
        return torch.as_tensor(self.accelerator.gather(items).sum() if self.args.world_size > 1 else items)

    def compute_loss(
        self, model: nn.Module, inputs: Tensors, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        step = self.state.global_step
        self._at = (step, self._at[1] + 1 if step == self._at[0] else 0)
        share = 0.0 if inputs.pop(_IDLE, None) is not None else 1.0
        loss = share * self.problem.loss(model, inputs) / num_items_in_batch
        if not torch.isfinite(loss):
            raise _not_finite(f"{loss.item()} at step {step + 1}, in the batch of training rows {self._rows()}")
        self.seen += float(loss.detach())
        return loss * self.args.world_size  # DDP averages gradients over the processes

    def _rows(self, most: int = 20) -> str:
        """Rows of the batch at hand, counted from 0."""
        step, before = self._at
        place = step * self.args.gradient_accumulation_steps + before
        rows = self.plan[place] if place < len(self.plan) else []
        return ", ".join(map(str, rows[:most])) + (f" and {len(rows) - most} more" if len(rows) > most else "")

    def check_weights(self) -> None:
        """Refuse weights that are no numbers: a finite loss can be followed by a step that ruins them."""
        if not all(torch.isfinite(weight).all() for weight in self._module.parameters()):
            raise _not_finite(f"weights that are none after {self.state.global_step} steps")

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._staging or self.folder)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Trainer writes in place; here its files go to a staging folder that is hashed and renamed."""
        self.check_weights()
        if not self.args.should_save:  # the first process writes what all of them know
            self._save_rng_state(None)
            return
        name = f"checkpoint-{self.state.global_step}"
        shutil.rmtree(self.folder / name, ignore_errors=True)  # there is one only where `newest` found it damaged
        with staged(self.folder / name, {"step": self.state.global_step}) as temporary:
            self._staging = temporary
            super()._save_checkpoint(model, trial)
            for file in (temporary / name).iterdir():
                file.rename(temporary / file.name)
            (temporary / name).rmdir()
            if self.best:
                self.best.save(temporary)
            self._staging = None
        prune(self.folder)

    def store_flos(self) -> None:
        """Nobody reads that count, and gathering it would wait for processes that save nothing."""

    def _save_rng_state(self, output_dir: str | None) -> None:
        """Several processes: one file with the state of each, which no other format than numbers needs."""
        if self.args.world_size == 1:
            super()._save_rng_state(output_dir)
            return
        own = torch.get_rng_state()
        states = [torch.empty_like(own) for _ in range(self.args.world_size)]
        torch.distributed.all_gather(states, own)
        if output_dir is not None:
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            save_file({str(rank): state for rank, state in enumerate(states)}, Path(output_dir) / _RANDOM)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        file = Path(checkpoint or "") / _RANDOM
        state = load_file(file).get(str(self.args.process_index)) if file.is_file() else None
        if state is None:
            super()._load_rng_state(checkpoint)
        else:
            torch.set_rng_state(state)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Weights only, as safetensors; Trainer would add a pickle of its arguments."""
        path = Path(str(output_dir or self.args.output_dir))
        path.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.contiguous().clone() for name, tensor in self._module.state_dict().items()}
        save_file(tensors, path / "model.safetensors")


class _Rows(torch.utils.data.Dataset[int]):
    """The row numbers themselves: the collate function knows what they stand for."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> int:
        return row


class _Look(TrainerCallback):
    """Lets :class:`fieldtune.train.best.Best` see the module after each step."""

    def __init__(self, best: Best, module: nn.Module) -> None:
        self._best, self._module = best, module

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._best.look(self._module, state.global_step)


class _SaveRegularly(TrainerCallback):
    """Ask for a checkpoint every ``steps`` steps, or about once a minute; when does not change the weights."""

    def __init__(self, steps: int, seconds: float = 60.0) -> None:
        self.steps, self.seconds = steps, seconds
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        due = (
            state.global_step % self.steps == 0 if self.steps else agreed(time.monotonic() - self._last > self.seconds)
        )
        if due and state.global_step < state.max_steps:
            control.should_save = True
            self._last = time.monotonic()
        return control


class _Adapt(TrainerCallback):
    """AdaLoRA looks at the gradients of every step before they go."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.ranks.step(state.global_step + 1)


class _Curves(TrainerCallback):
    """Loss and learning rates of every step to the trackers."""

    def __init__(self, track: Track, trainer: "_Trainer") -> None:
        self.track, self.trainer = track, trainer

    def on_step_end(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
        seen = total(self.trainer.seen)
        if self.track.writers and optimizer is not None:
            rates = {f"learning_rate/{place}": group["lr"] for place, group in enumerate(optimizer.param_groups)}
            self.track(state.global_step, {"loss": seen, **rates})
        self.trainer.seen = 0.0


class _Bar(TrainerCallback):
    """A progress bar over optimizer steps on stderr, where stderr is a terminal."""

    def __init__(self, description: str) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._progress = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._description = description

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._progress.start()
        self._task = self._progress.add_task(self._description, total=state.max_steps, completed=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._progress.update(self._task, completed=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._progress.stop()
