"""Publish a single model of no application: the gate on a held-out table that the user names."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

from fieldtune.errors import InputError
from fieldtune.gate import INCUMBENT, Verdict
from fieldtune.models import load
from fieldtune.registry import publish, serving
from fieldtune.runtime import home
from fieldtune.tasks import task_module
from fieldtune.using import remark_seen, seen

_NAME = re.compile(r"\w[\w.-]{0,63}")
"""What becomes part of a path: no separator, and no dot in front."""


def publish_model(
    folder: Path,
    name: str,
    slot: str | None,
    data: Path | None,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    rng: np.random.Generator,
    now: datetime,
) -> Verdict:
    """Compare the model in ``folder`` with what serves under ``name`` on the rows of ``data``.

    The first version of a name meets no other: it ships, and the verdict says that it was compared with nothing. (A
    plain model to set against it would need the training rows, which a model folder does not hold.)

    Args:
        columns: of a classifier: column wanted -> the user's name for it; labels: label in the file -> label wanted.

    A table that is the very one the candidate was calibrated on, or what serves now was trained on, is said on stderr, and
    recorded with the version.

    Raises:
        InputError: a name that is no plain word, no held-out table was named, the candidate was trained on that very table, or
            the two models are for different tasks.
    """
    for part in (name, slot if slot is not None else name):
        if not _NAME.fullmatch(part):
            raise InputError(
                "NAME or NAME/SLOT of letters, digits, _, - and .",
                repr(part),
                "choose a plain word, e.g. --into tickets",
            )
    if data is None:
        raise InputError(f"an application ({name!r} is none) or a held-out table", "neither", "add --data HELD_OUT.csv")
    origin = home() / "published" / name / (slot or name)  # a name, not a folder; the same from wherever it is called
    candidate = load(folder)
    task = candidate.card["task"]
    about = task_module(task)
    table = about.read(data, rename=columns, labels=labels)
    if seen(candidate.card, table) == "train":  # what it knows by heart it answers rightly, whatever the labels
        raise InputError("rows that the candidate did not learn from", f"its training table, {data}", "give other rows")
    known = remark_seen(candidate.card, table, "the candidate")
    scores = {"candidate": about.correct(candidate, table)}
    present = serving(name, origin)
    if present != origin.resolve():
        incumbent = load(present)
        if incumbent.card["task"] != task:
            raise InputError(f"a model for {incumbent.card['task']}", task, "use another name")
        remark_seen(incumbent.card, table, "what serves now")
        scores[INCUMBENT] = about.correct(incumbent, table)
    details = {"seen": known}
    return publish(name, origin, {"candidate": folder}, scores, rng=rng, now=now, details=details, scored=present)
