"""transformers' ``Trainer`` with our batches, our scale of the loss and our checkpoints; :mod:`fieldtune.train.fit` says why."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, TrainingArguments
from transformers import Trainer as HubTrainer

from fieldtune.batching import Batch, dealt
from fieldtune.errors import DivergedError
from fieldtune.models.folder import staged
from fieldtune.text.shown import some_of
from fieldtune.train.best import Best
from fieldtune.train.checkpoint import prune
from fieldtune.train.problem import Problem, Tensors

_IDLE = "idle"  # marks a batch that a process computes only to keep step
_RANDOM = "random.safetensors"


class Trainer(HubTrainer):
    """transformers' Trainer with our batches, our loss scale and our checkpoints."""

    _staging: Path | None = None
    seen = 0.0  # the loss of the step so far, over its batches
    _at = (0, -1)  # the step at hand, and how many of its batches came before this one
    loss_is_scaled_for_ga = True  # compute_loss divides by the items of the whole step itself

    def __init__(
        self,
        module: nn.Module,
        problem: Problem,
        plan: Sequence[Batch],
        arguments: TrainingArguments,
        optimizer: torch.optim.Optimizer,
        best: Best | None,
    ) -> None:
        rows = _Rows(1 + max(max(batch) for batch in plan))
        super().__init__(model=module, args=arguments, train_dataset=rows, optimizers=(optimizer, None))
        for noisy in (PrinterCallback, ProgressCallback):  # both print on stdout, which belongs to results
            self.remove_callback(noisy)
        self.folder, self.problem, self.best = Path(str(arguments.output_dir)), problem, best
        self._module = module  # as it was given, without what DDP or autocast put around it
        several = arguments.world_size > 1
        self.plan = dealt(plan, arguments.process_index, arguments.world_size) if several else plan

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
        return some_of(rows, most)

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
        prune(self.folder / name)

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


def _not_finite(found: str) -> DivergedError:
    return DivergedError(
        "a finite loss",
        found,
        "lower the learning rate (--set learning_rate=5e-5) or look for broken rows with `fieldtune data check`",
    )
