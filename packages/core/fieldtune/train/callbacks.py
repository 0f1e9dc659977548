"""What happens between the steps of a training: looking, saving, adapting ranks, curves, a bar."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn
from transformers import TrainerCallback

from fieldtune.progress import say
from fieldtune.train.best import Best
from fieldtune.train.processes import agreed, total
from fieldtune.train.ranks import Ranks
from fieldtune.train.track import Track


class Look(TrainerCallback):
    """Lets :class:`fieldtune.train.best.Best` see the module after each step, and ends the run when its patience has."""

    def __init__(self, best: Best, module: nn.Module) -> None:
        self._best, self._module = best, module

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._best.look(self._module, state.global_step)
        control.should_training_stop |= self._best.exhausted(state.global_step)


class SaveRegularly(TrainerCallback):
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


class Adapt(TrainerCallback):
    """AdaLoRA looks at the gradients of every step before they go."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.ranks.step(state.global_step + 1)


class Curves(TrainerCallback):
    """Loss and learning rates of every step to the trackers."""

    def __init__(self, track: Track, trainer: Any) -> None:
        self.track, self.trainer = track, trainer

    def on_step_end(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
        seen = total(self.trainer.seen)
        if self.track.writers and optimizer is not None:
            rates = {f"learning_rate/{place}": group["lr"] for place, group in enumerate(optimizer.param_groups)}
            self.track(state.global_step, {"loss": seen, **rates})
        self.trainer.seen = 0.0


class Lines(TrainerCallback):
    """Where stderr is no terminal: now and then a line with step, mean loss since the last line, and seconds left.

    Args:
        description: what it begins with.
        trainer: its ``seen`` is the loss of the step at hand; of several processes, the part of this one.
        seconds: at least so long between two lines.
        clock: seconds from any moment on.
    """

    def __init__(
        self, description: str, trainer: Any, seconds: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._description, self._trainer, self._seconds, self._clock = description, trainer, seconds, clock
        self._losses: list[float] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = self._told = self._clock()
        self._first = state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._losses.append(float(self._trainer.seen) * args.world_size)
        now, done, left = self._clock(), state.global_step - self._first, state.max_steps - state.global_step
        if now - self._told < self._seconds or not left:
            return
        loss, remaining = sum(self._losses) / len(self._losses), (now - self._began) / done * left
        at = f"step {state.global_step} of {state.max_steps}"
        say(f"{self._description}: {at}, loss {loss:.4g}, about {remaining:.0f} s left")
        self._losses, self._told = [], now


class Bar(TrainerCallback):
    """A progress bar over optimizer steps on stderr."""

    def __init__(self, description: str) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._description = description

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._progress.start()
        self._task = self._progress.add_task(self._description, total=state.max_steps, completed=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._progress.update(self._task, completed=state.global_step)

    def stop(self) -> None:
        """Take it off the terminal."""
        self._progress.stop()


@contextlib.contextmanager
def shown(description: str, trainer: Any) -> Iterator[None]:
    """A bar on a terminal, lines elsewhere, until the block ends: by an interrupt too, or the cursor would stay hidden."""
    bar = Bar(description) if sys.stderr.isatty() else None
    trainer.add_callback(bar or Lines(description, trainer))
    try:
        yield
    finally:
        if bar:
            bar.stop()
