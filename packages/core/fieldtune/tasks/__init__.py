"""What fieldtune can be taught: one file a task, all of one shape.

A task module holds

- ``COLUMNS``: required and optional columns of its training table; ``INPUTS``: those that ``predict`` reads;
- ``METHODS`` and ``RIVALS``: how it can be trained, and which of these are measured beside whatever was chosen;
- ``ENCODERLESS``: the methods that use no pretrained encoder;
- ``heeds(method, settings)``: the names of the settings that a method reads; no user may give others;
- ``FIGURE``: the name of the metric by which methods are compared, higher is better; ``DEFAULTS``: its settings;
- ``read(data, rename, labels)``: a path or a table -> the rows to train on; ``check(table)``: findings on them;
- ``texts(table)``: what an encoder would read, to warn when it cannot;
- ``split(table, seed)``: rows to train on and rows to validate on;
- ``train(table, method, model, settings, seed, folder, show)``: a model; ``finish(model, valid)``: calibrate it and
  return its metrics; ``adopt(model, measured)``: take the calibration of a model measured on rows this one has learnt;
- ``metrics(model, table)``, ``correct(model, table)``: figures, and a score per row for the gate;
- ``predict(model, table)``: the columns to add to a table;

and of :data:`OPTIONAL` what it has.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from fieldtune.errors import ConfigError, InputError

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

AUTO, CANDIDATES = "auto", ("linear", "head", "fewshot", "full")
"""The method that :mod:`fieldtune.choosing` stands for, and those it chooses among, from cheap to dear."""
OPTIONAL: dict[str, Any] = {
    "MEASURED": (),  # methods that make no sense without validation rows
    "UNLABELLED": (),  # methods whose `train` takes `unlabelled` texts, read by `read_unlabelled(data, rename)`
    "SHARED": (),  # methods whose work several processes can share: the loss of a batch is the sum of its parts'
    "SELECTS": False,  # `train` also takes `valid`, and keeps the weights that did best on it
    "weights": None,  # (model, settings) -> digests of what it starts from, where that is no text encoder
    "leaks": None,  # (table, held_out) -> findings on rows in both, where equal rows are no equal texts
    "uncalibrated": None,  # (model, valid) -> what of the model these rows, perhaps none, were too few to fit, in words
    "losses": None,  # (model, table) -> a loss per row, where a model could betray its training rows
    "read_inputs": None,  # (data, text) -> the user's table and what `predict` looks at, where that is no table of texts
}
"""What a task module may leave out, and what stands for it then."""


class Task(SimpleNamespace):
    """A task module with every member there is: its own, else what :data:`OPTIONAL` says."""


@cache
def task_module(task: str) -> Task:
    """The module of a task by its name.

    Raises:
        InputError: no such task.
    """
    if task not in TASKS:
        raise InputError(f"a task out of {', '.join(TASKS)}", repr(task), "choose one of them")
    module = import_module(f"fieldtune.tasks.{task.replace('-', '_')}")
    own = {name: member for name, member in vars(module).items() if not name.startswith("__")}
    return Task(
        **OPTIONAL | own | {name: partial(_as_trained, own[name]) for name in ("metrics", "correct", "predict")}
    )


def _as_trained(act: Callable[[Any, Any], Any], model: Any, table: Any) -> Any:
    """What ``act`` makes of the table as the model learnt to read it: without personal data, where its card says so."""
    from fieldtune.data.hiding import as_trained

    return act(model, as_trained(table, getattr(model, "card", {})))


def resolved(task: str, method: str, settings: Mapping[str, Any] | None) -> tuple[str, Any]:
    """The task that is meant, and its settings: text classification with ``multi_label`` is a task of its own.

    Raises:
        InputError: no such task or method; ConfigError: an unknown setting, or one that the method does not read.
    """
    about = task_module(task)
    if method not in about.METHODS:
        raise InputError(f"a method out of {', '.join(about.METHODS)}", repr(method), "choose one of them")
    chosen = about.DEFAULTS.suited(method).updated(settings)
    if task == "text-classification" and chosen.multi_label:
        return resolved(_SEVERAL, method, settings)
    if task == _SEVERAL and not chosen.multi_label:
        raise ConfigError("several labels a text", f"multi_label=false for {task}", "use --task text-classification")
    known = heeded(task, method, chosen)
    for name in settings or {}:
        if name not in known:
            raise _unheeded(name, task, method, chosen)
    return task, chosen


def heeded(task: str, method: str, settings: Any) -> frozenset[str]:
    """The names of the settings that a task's method reads, in a run with these settings."""
    names: frozenset[str] = task_module(task).heeds(method, settings)
    return names if settings.track else names - {"track_dir"}


def _unheeded(name: str, task: str, method: str, settings: Any) -> ConfigError:
    """What is said of a setting that would be ignored."""
    from fieldtune.train.heeds import WHERE

    def read(task: str, *methods: str) -> list[str]:
        return [one for one in methods if name in heeded(task, one, settings)]

    known = heeded(task, method, settings)
    told = f" with keeps={settings.keeps}" if "keeps" in known else ""
    where = WHERE.get(name)
    if where is None and (others := read(task, *task_module(task).METHODS)):
        where = f"by --method {', '.join(others)}"
    if where is None:
        where = f"by --task {', '.join(one for one in TASKS if read(one, *task_module(one).METHODS))}"
    return ConfigError(
        f"a setting that --method {method} of {task} reads{told}: {', '.join(sorted(known))}",
        repr(name),
        f"leave it out; it is read {where}",
    )
