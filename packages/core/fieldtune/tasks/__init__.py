"""What fieldtune can be taught: one file a task, all of one shape, which is :class:`Task`."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import Finding
from fieldtune.errors import ConfigError, InputError
from fieldtune.train.heeds import WHERE, Names
from fieldtune.train.settings import Settings

TASKS = (
    "text-classification",
    "multi-label-classification",
    "regression",
    "text-pair",
    "token-classification",
    "embedding",
    "reranking",
    "seq2seq",
    "dialogue",
    "image-classification",
    "object-detection",
    "image-text",
)


_SEVERAL = "multi-label-classification"

_ALIASES = {"batch_size": ("batch_rows", "token_budget"), "lr": ("learning_rate",)}
"""What other libraries call a setting -> ours: the first that the method reads."""

AUTO, CANDIDATES = "auto", ("linear", "head", "fewshot", "full")
"""The method that :mod:`fieldtune.choosing` stands for, and those it chooses among, from cheap to dear."""


Table = pd.DataFrame
Words = tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A task: what its module holds under these names. It may leave out what has a value here."""

    COLUMNS: tuple[Words, Words]  # required and optional ones of its training table
    INPUTS: Words  # those that `predict` reads
    METHODS: Words  # how it can be trained
    RIVALS: Words  # which of these are measured beside whatever was chosen
    ENCODERLESS: Words  # which of these use no pretrained encoder
    FIGURE: str  # the metric by which methods are compared, higher is better
    DEFAULTS: Settings
    heeds: Callable[[str, Settings], Names]  # (method, settings) -> the settings it reads; no user may give others
    read: Callable[..., Table]  # (path or table, rename, labels) -> the rows to train on
    check: Callable[[Table], list[Finding]]
    texts: Callable[[Table], list[str]]  # what an encoder would read, to warn when it cannot
    split: Callable[[Table, int], tuple[Table, Table]]  # (table, seed) -> rows to train on, rows to validate on
    train: Callable[..., Any]  # (table, method, model, settings, seed, folder, show) -> a model
    finish: Callable[[Any, Table], dict[str, Any]]  # calibrate a model on validation rows -> its metrics on them
    adopt: Callable[[Any, Any], None]  # (model, measured): take the calibration of one measured on rows this one learnt
    metrics: Callable[[Any, Table], dict[str, Any]]
    correct: Callable[[Any, Table], NDArray[np.float64]]  # a score per row for the gate
    predict: Callable[[Any, Table], Table]  # the columns to add to a table
    MEASURED: Words = ()  # methods that make no sense without validation rows
    UNLABELLED: Words = ()  # methods whose `train` takes `unlabelled` texts
    read_unlabelled: Callable[..., Table] | None = None  # (path or table, rename) -> the table of these texts
    SHARED: Words = ()  # methods several processes can share: the loss of a batch is the sum of its parts'
    SELECTS: bool = False  # `train` also takes `valid`, and keeps the weights that did best on it (texts: if told to)
    weights: Callable[[str, Settings], list[str]] | None = None  # digests of what it starts from, if no text encoder
    uncalibrated: Callable[[Any, Table], list[str]] | None = None
    """(model, valid) -> what of the model these rows, perhaps none, were too few to fit, in words."""
    losses: Callable[[Any, Table], NDArray[np.float64]] | None = None  # per row, where a model could betray its rows
    pairs: Callable[[Table], list[tuple[str, str]]] | None = None  # the texts of each row that may be read at once
    read_inputs: Callable[[Table | Path | str, Mapping[str, str]], tuple[Table, Table]] | None = None
    """(data, rename) -> the user's table and what `predict` looks at, where that is no table of texts."""

    def read_at_once(self, table: Table) -> Sequence[str | tuple[str, ...]]:
        """What an encoder would read, as it would be cut: a text, or a pair."""
        return self.pairs(table) if self.pairs else self.texts(table)


@cache
def task_module(task: str) -> Task:
    """The module of a task by its name.

    Raises:
        InputError: no such task.
    """
    if task not in TASKS:
        raise InputError(f"a task out of {', '.join(TASKS)}", repr(task), "choose one of them")
    module = import_module(f"fieldtune.tasks.{task.replace('-', '_')}")
    own = {field.name: getattr(module, field.name) for field in fields(Task) if hasattr(module, field.name)}
    return Task(**own | {name: partial(_as_trained, own[name]) for name in ("metrics", "correct")})


def _as_trained(act: Callable[[Any, Any], Any], model: Any, table: Any) -> Any:
    """What ``act`` makes of labelled rows as the model learnt them: a text that is the answer lacks personal data too."""
    from fieldtune.data.hiding import as_trained

    return act(model, as_trained(table, getattr(model, "card", {})))


def resolved(task: str, method: str, settings: Mapping[str, Any] | None) -> tuple[str, Settings]:
    """The task that is meant, and its settings: text classification with ``multi_label`` is a task of its own.

    Raises:
        InputError: no such task or method; ConfigError: an unknown setting, or one that the method does not read.
    """
    about = task_module(task)
    if method not in about.METHODS:
        raise InputError(f"a method out of {', '.join(about.METHODS)}", repr(method), "choose one of them")
    ours = Settings.__dataclass_fields__
    known = {name: settings[name] for name in settings if name in ours} if isinstance(settings, Mapping) else settings
    chosen = about.DEFAULTS.suited(method).updated(known)
    if task == "text-classification" and chosen.multi_label:
        return resolved(_SEVERAL, method, settings)
    if task == _SEVERAL and not chosen.multi_label:
        raise ConfigError("several labels a text", f"multi_label=false for {task}", "use --task text-classification")
    read = heeded(task, method, chosen)
    for name in settings or {}:
        if name not in ours:
            raise _unknown(str(name), task, method, chosen)
        if name not in read:
            raise _unheeded(name, task, method, chosen)
    return task, chosen


def columns_of(task: str) -> list[str]:
    """The columns that a task reads."""
    about = task_module(task)
    return list(dict.fromkeys([*about.INPUTS, *about.COLUMNS[0], *about.COLUMNS[1]]))


def check_rename(task: str, rename: Mapping[str, str] | None) -> None:
    """Raises InputError for the user's name of a column that the task does not read: it would be passed over."""
    known = columns_of(task)
    for name in rename or {}:
        if name not in known:
            found = f"rename of {name!r}"
            raise InputError(
                f"columns that {task} reads: {', '.join(known)}", found, f"rename={{{known[0]!r}: your name}}"
            )


def heeded(task: str, method: str, settings: Settings) -> Names:
    """The names of the settings that a task's method reads, in a run with these settings."""
    names = task_module(task).heeds(method, settings)
    return names if settings.track else names - {"track_dir"}


def _told(task: str, method: str, settings: Settings) -> str:
    """The settings that a method reads, as errors list them."""
    names = heeded(task, method, settings)
    told = f" with keeps={settings.keeps}" if "keeps" in names else ""
    return f"a setting that --method {method} of {task} reads{told}: {', '.join(sorted(names))}"


def _unknown(name: str, task: str, method: str, settings: Settings) -> ConfigError:
    """What is said of a setting that there is not: one of a like name that the method reads, or where such a one is read."""
    read, ours = sorted(heeded(task, method, settings)), list(Settings.__dataclass_fields__)
    fix = "use one of them"
    if near := _alike(name, read):
        fix = f"did you mean {near!r}?"
    elif near := _alike(name, ours):
        fix = f"leave it out; {near!r} is read {_where(near, task, settings)}"
    return ConfigError(_told(task, method, settings), repr(name), fix)


def _alike(name: str, known: list[str]) -> str | None:
    """What was likely meant; None where nothing is near."""
    alias = [other for other in _ALIASES.get(name, ()) if other in known]
    return next(iter(alias or difflib.get_close_matches(name, known, 1)), None)


def _unheeded(name: str, task: str, method: str, settings: Settings) -> ConfigError:
    """What is said of a setting that would be ignored."""
    return ConfigError(
        _told(task, method, settings), repr(name), f"leave it out; it is read {_where(name, task, settings)}"
    )


def _where(name: str, task: str, settings: Settings) -> str:
    """Where a setting is read."""

    def read(task: str, *methods: str) -> list[str]:
        return [one for one in methods if name in heeded(task, one, settings)]

    if name in WHERE:
        return WHERE[name]
    if others := read(task, *task_module(task).METHODS):
        return f"by --method {', '.join(others)}"
    return f"by --task {', '.join(one for one in TASKS if read(one, *task_module(one).METHODS))}"
