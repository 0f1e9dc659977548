"""One training of a run: what is to be trained and how, on the training rows, and again on all of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.preparing import Rows
from fieldtune.progress import say
from fieldtune.tasks import Task, heeded
from fieldtune.train.processes import together
from fieldtune.train.settings import Settings

REFIT = "refit"


@dataclass(frozen=True)
class Job:
    """What is to be trained, and how."""

    task: str
    about: Task
    method: str
    model: str
    settings: Settings
    seed: int
    processes: int
    work: Path
    progress: bool

    def train(self, rows: Rows) -> Any:
        """A model of the training rows."""
        select = {"valid": rows.valid} if self.about.SELECTS and len(rows.valid) else {}
        trained = self._fit(rows.train, rows, self.work, **select)
        if self.progress and self.settings.keep_best and "epochs" not in trained.card.get("settled", {}):
            say("note: keep_best kept the last weights: there was nothing to compare epochs on, or no epochs")
        return trained

    def train_on_everything(self, rows: Rows) -> Any:
        """A model of these and of what was kept apart."""
        return self._fit(rows.everything, rows, self.work / REFIT)

    def _fit(self, table: pd.DataFrame, rows: Rows, folder: Path, **more: Any) -> Any:
        fit = self.about.train
        if rows.unlabelled:
            fit = partial(fit, unlabelled=self.about.texts(rows.unlabelled[0]))
        if self.processes > 1:
            card = {"task": self.task, "method": self.method, "max_length": self.settings.max_length}
            fit = partial(_together, fit, self.processes, card)
        return fit(
            table, self.method, self.model, self.settings,
            seed=self.seed, folder=folder, show=self.progress, **more,
        )  # fmt: skip


def worthwhile_again(job: Job, rows: Rows) -> bool:
    """Whether rows were kept apart that can be learnt from too, by a method that may learn from them."""
    wanted = job.settings.refit and REFIT in heeded(job.task, job.method, job.settings) and len(rows.valid) > 0
    if wanted and len(rows.everything) == len(rows.train):
        if job.progress:
            say("note: not trained again: of a table that names its parts only the part train is learnt")
        return False
    return wanted


def train_again(job: Job, measured: Any, rows: Rows) -> Any:
    """A model of all rows, calibrated as the one that was measured, and trained with what settled itself in that."""
    settled = measured.card.get("settled", {})
    job = replace(job, settings=job.settings.updated(settled))
    if job.progress:
        say(f"note: measured on {len(rows.valid)} rows kept apart; training again on all {len(rows.everything)}")
    trained = job.train_on_everything(rows)
    job.about.adopt(trained, measured)
    if settled:
        trained.card = {**trained.card, "settled": settled}
    return trained


def _together(fit: Callable[..., Any], processes: int, card: dict[str, Any], *given: Any, **named: Any) -> Any:
    """What ``fit`` returns, computed by several processes."""
    return together(fit, processes, card, given, **named)
