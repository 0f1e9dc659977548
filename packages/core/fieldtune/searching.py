"""``search``: the best settings for a task on the user's rows, by trials of :func:`fieldtune.pipeline.finetune`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.data.given import Given, tabled
from fieldtune.data.leaks import leaked
from fieldtune.data.places import path_of
from fieldtune.errors import InputError
from fieldtune.fingerprint import fingerprint, start
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.folder import locked
from fieldtune.pipeline import finetune
from fieldtune.progress import say
from fieldtune.tasks import Task, heeded, resolved, task_module
from fieldtune.train.search import Found, search, space


def find_settings(
    task: str,
    train: Given,
    *,
    out: Path | str,
    trials: int = 20,
    valid: Given | None = None,
    model: str = DEFAULT,
    method: str = "full",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: bool = True,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Found:
    """Try settings on one fixed set of validation rows and keep the best model in ``OUT/best``.

    The best of many trials is flattered by the rows it was chosen on: measure it on others. Killed at any moment, the
    same call goes on, and no more than two models ever lie on disk.

    Args:
        trials: how many are to be tried; the first is the task's defaults. One that diverges or has no figure counts too.
        settings: fixed ones, which are not searched.
        task, train, valid, model, method, seed, progress, rename, labels: see :func:`fieldtune.pipeline.finetune`.

    Raises:
        InputError: no trials, nothing to search for with this method, or no trial with a figure; ArtefactError, ConfigError: see `finetune`.
    """
    folder = path_of(out)
    if trials < 1:
        raise InputError("at least one trial", str(trials), "give --trials 20")
    task, chosen = resolved(task, method, settings)
    fixed = dict(settings or {})
    about = task_module(task)
    defaults = asdict(chosen)
    ranges = space(defaults, heeded(task, method, chosen) - fixed.keys())
    if not ranges:
        raise InputError(
            "a method with settings left to search for", repr(method), "choose one that is tuned, like full"
        )
    rows = about.read(tabled(train), rename=rename, labels=labels)
    held_out = about.read(tabled(valid), rename=rename, labels=labels) if valid is not None else None
    rows, held_out = _comparable(about, rows, held_out, seed)
    run = fingerprint(task, method, start(about, method, model, chosen), chosen, seed, (rows, held_out))
    apart = leaked(rows, held_out, task)  # once for all trials
    for finding in apart.findings() if progress and valid is not None else ():
        say(f"note: {finding.message}")
    digest = hashlib.sha256(json.dumps([run, ranges], sort_keys=True).encode()).hexdigest()

    def one(changes: Mapping[str, Any], work: Path) -> float:
        done = finetune(
            task, rows, valid=held_out, model=model, method=method, out=work, settings=changes, seed=seed,
            progress=progress, apart=apart, split_off=valid is None,
        )  # fmt: skip
        return float(done.metrics[about.FIGURE])

    with locked(folder):
        return search(one, trials, folder, seed=seed, run=digest, fixed=fixed, ranges=ranges, defaults=defaults)


def _comparable(
    about: Task, rows: pd.DataFrame, held_out: pd.DataFrame | None, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from and those on which all trials are compared, split off where the user gave none."""
    if held_out is None:
        rows, held_out = about.split(rows, seed)
    if held_out.empty:
        raise InputError(
            "validation rows, on which trials are compared",
            f"none left of {len(rows)} training rows",
            "give more rows that differ (equal ones stay together), or --valid FILE",
        )
    return rows, held_out
