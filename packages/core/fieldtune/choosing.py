"""Method ``auto``: a cheap rule names candidates, cross-validation on the training rows chooses among them.

Knows a task only by the shape that all tasks have. What was found stays in the folder of the run: a run that was
killed does not choose again, and the model's card shows why.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import OUT_OF_SCOPE, text_key
from fieldtune.data.split import folds
from fieldtune.errors import InputError, MissingExtraError
from fieldtune.evaluate.figures import brief, without_nan
from fieldtune.evaluate.significance import bootstrap
from fieldtune.models.folder import write_whole
from fieldtune.progress import say
from fieldtune.runtime import generator
from fieldtune.tasks import CANDIDATES, Task
from fieldtune.train.checkpoint import CHOICE
from fieldtune.train.settings import Settings

FEW, ENOUGH = 30, 8
"""Rows in the middle one of the classes: up to FEW, few-shot tuning is tried; from ENOUGH on, full fine-tuning."""
_MANY = 2000  # rows of which one fold says enough


def candidates(labels: pd.Series) -> tuple[str, ...]:
    """Methods worth trying for a table with these labels, from cheap to dear."""
    typical = labels.value_counts().median()
    fits = {"fewshot": typical <= FEW, "full": typical >= ENOUGH}
    return tuple(method for method in CANDIDATES if fits.get(method, True))


def choose(
    about: Task, rows: pd.DataFrame, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> tuple[str, dict[str, Any]]:
    """The method with the best mean over the folds, and the figures: per candidate mean and 95 % interval.

    Args:
        about: a task whose rows have a text and a label.
        folder: of the run; trainings of the folds are resumed from there, the choice is kept there.

    Raises:
        InputError: no candidate could be trained.
    """
    file = folder / CHOICE
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))
        return str(kept["method"]), dict(kept)
    rows = rows[rows["label"] != OUT_OF_SCOPE].reset_index(drop=True)
    tried, settings = candidates(rows["label"]), settings.updated({"track": ""})
    count = 5 if len(rows) > _MANY else 3
    fold = folds(rows["label"].tolist(), [text_key(text) for text in rows["text"]], count, generator(seed))
    used = range(1 if len(rows) > _MANY else count)
    right: dict[str, NDArray[np.float64]] = {}
    for method in tried:
        if show:
            say(f"auto: trying {method} on {len(used)} of {count} folds")
        try:
            right[method] = np.concatenate(
                [_score(about, rows, fold == part, method, model, settings, seed, folder / f"try-{method}-{part}")
                 for part in used]
            )  # fmt: skip
        except MissingExtraError as error:
            say(f"note: auto leaves out {method}: {error}")
    if not right:
        raise InputError("a method that can be trained here", "none", "pip install 'fieldtune[pretrained]'")
    method, found = verdict(right, generator(seed))
    found |= {"folds": len(used), "of": count}
    write_whole(file, json.dumps(without_nan(found), indent=1, allow_nan=False))
    for place in folder.glob("try-*"):
        shutil.rmtree(place, ignore_errors=True)
    if show:
        means = ", ".join(f"{name} {brief(one['mean'])}" for name, one in found["candidates"].items())
        say(f"auto: {method}, {means}")
    return method, found


def verdict(right: dict[str, NDArray[np.float64]], rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    """The best method by its mean over the same rows; the first, cheapest, of equals."""
    best = max(right, key=lambda name: right[name].mean())
    told = {name: bootstrap(values, rng)._asdict() for name, values in right.items()}
    return best, {"method": best, "candidates": told, "rows": len(right[best])}


def _score(
    about: Task,
    rows: pd.DataFrame,
    held_out: NDArray[np.bool_],
    method: str,
    model: str,
    settings: Settings,
    seed: int,
    folder: Path,
) -> NDArray[np.float64]:
    """1.0 for each held-out row that a model fitted on the others gets right."""
    learnt, tested = (rows[part].reset_index(drop=True) for part in (~held_out, held_out))
    if learnt["label"].nunique() < 2:
        return np.zeros(len(tested))
    fitted = about.train(learnt, method, model, settings, seed=seed, folder=folder, show=False)
    return np.asarray(about.correct(fitted, tested), dtype=np.float64)
