"""The figures of a run: the model calibrated and measured on rows kept apart, with its rivals; and which of them are kept."""

import shutil
from typing import Any

import pandas as pd

from fieldtune.data.tables import NUMBERS, SETS
from fieldtune.errors import FieldtuneError
from fieldtune.evaluate.privacy import membership_auc
from fieldtune.job import Job
from fieldtune.models.adapters import adapter_of
from fieldtune.models.readable import encoder_of, warn_unread, warn_unwritten
from fieldtune.preparing import Rows
from fieldtune.progress import say
from fieldtune.tasks import Task

BETRAYED = 1000  # training rows of which a loss is looked at
_BETRAYING = ("membership_auc", "rivals", "leaked")
"""Figures of which the training rows could be guessed, as from a digest."""


def measured(job: Job, trained: Any, rows: Rows, rivals: bool) -> dict[str, Any]:
    """Calibrate the model; its figures on the validation rows, and what else a card shows."""
    about = job.about
    metrics: dict[str, Any] = {"n": 0}
    if len(rows.valid):
        metrics = about.finish(trained, rows.valid) | ({"leaked": rows.leaked.counts} if rows.leaked else {})
    metrics |= _uncalibrated(job, trained, rows.valid)
    metrics |= _betrayed(about, trained, rows)
    metrics |= _adapter_share(trained, job.method)
    if job.progress:
        warn_unread(trained, about.read_at_once(rows.train), linear="linear" in about.METHODS)
        warn_unwritten(trained, rows.train.get("target", ()))
    if rivals and len(rows.valid):
        metrics["rivals"] = _rivals(job, rows)
    if "privacy" in trained.card:
        metrics["privacy"] = trained.card["privacy"]
    return metrics


def shipped(job: Job, metrics: dict[str, Any]) -> dict[str, Any]:
    """What the folder keeps of the figures: of a private model none that other weights or training rows gave."""
    if not job.settings.epsilon:
        return metrics
    if job.progress:
        left_out = ", ".join(name for name in _BETRAYING if name in metrics)
        say(
            "note: private are the rows it learnt from; validation rows are not: thresholds and figures in the folder come of "
            f"them{f'. Not kept in it, since they come of training rows: {left_out}' if left_out else ''}"
        )
    return {name: value for name, value in metrics.items() if name not in _BETRAYING}


def _uncalibrated(job: Job, trained: Any, valid: pd.DataFrame) -> dict[str, list[str]]:
    """What too few validation rows left as it was, for the card; it is said too."""
    lacking = job.about.uncalibrated(trained, valid) if job.about.uncalibrated else []
    if lacking and job.progress:
        say(f"note: not calibrated, with {len(valid)} validation rows: {'; '.join(lacking)}")
    return {"not_calibrated": lacking} if lacking else {}


def _betrayed(about: Task, trained: Any, rows: Rows) -> dict[str, float]:
    """What a loss-threshold attack learns of the training rows, from a sample of them."""
    if not (about.losses and len(rows.valid)):
        return {}
    sample = rows.train.iloc[:: max(1, len(rows.train) // BETRAYED)]
    return {"membership_auc": membership_auc(about.losses(trained, sample), about.losses(trained, rows.valid))}


def _adapter_share(trained: Any, method: str) -> dict[str, float]:
    """Which share of the encoder's parameters was trained, where a method trained few; the adapter may be an earlier one's."""
    adapter = adapter_of(getattr(encoder_of(trained), "body", None))
    return {"trainable_share": adapter.share} if adapter and adapter.method == method else {}


def _rivals(job: Job, rows: Rows) -> dict[str, Any]:
    """Metrics of the plain model and the frozen encoder on the same validation rows."""
    found: dict[str, Any] = {}
    about = job.about
    if job.task not in (*SETS, *NUMBERS) and "label" in rows.train and rows.train["label"].nunique() < 2:
        say("note: nothing is measured beside it: the rows to learn from have one label")
        return found
    for other in (name for name in about.RIVALS if name != job.method):
        folder = job.work / f"rival-{other}"
        try:
            rival = about.train(
                rows.train, other, job.model, job.settings, seed=job.seed, folder=folder, show=False
            )  # fmt: skip
        except FieldtuneError as error:  # an encoder that is missing, or a model that only writes: the training is done
            say(f"note: not measured beside it, method {other}: {error}")
            continue
        found[other] = about.finish(rival, rows.valid)
        found[other].pop("per_class", None)
        shutil.rmtree(folder, ignore_errors=True)
    return found
