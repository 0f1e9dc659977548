"""``search``: the best settings for a task on the user's rows, by trials of :func:`fieldtune.pipeline.finetune`."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fieldtune.data.given import Given, by_name
from fieldtune.data.places import path_of
from fieldtune.errors import InputError
from fieldtune.fingerprint import fingerprint, start
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.folder import locked
from fieldtune.pipeline import finetune_prepared, goes_on, possible
from fieldtune.preparing import prepared
from fieldtune.tasks import check_rename, heeded, resolved, task_module
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
    possible(about, task, method, chosen, seed, 1, valid)
    by_name(rename=rename, labels=labels)
    check_rename(task, rename)
    rows = prepared(  # once for all trials, which are compared on the same rows
        about, task, method, train, valid, None, rename=rename, labels=labels, scrub=chosen.scrub, apart=True,
        goes_on=goes_on(method, model), seed=seed, progress=progress,
    )  # fmt: skip
    if rows.valid.empty:
        raise InputError(
            "validation rows, on which trials are compared",
            f"none left of {len(rows.everything)} training rows",
            "give more rows that differ (equal ones stay together), or --valid FILE",
        )
    run = fingerprint(task, method, start(about, method, model, chosen), chosen, seed, rows.tables)
    digest = hashlib.sha256(json.dumps([run, ranges], sort_keys=True).encode()).hexdigest()

    def one(changes: Mapping[str, Any], work: Path) -> float:
        done = finetune_prepared(
            task, rows, method, model, resolved(task, method, changes)[1], work,
            seed=seed, progress=progress, split_off=valid is None, again=False,
        )  # fmt: skip
        figure = done.metrics[about.FIGURE]
        return math.nan if figure is None else float(figure)  # as a finished folder holds NaN

    with locked(folder):
        return search(one, trials, folder, seed=seed, run=digest, fixed=fixed, ranges=ranges, defaults=defaults)
