"""What fieldtune can be taught: one file a task, all of one shape.

A task module holds

- ``COLUMNS``: required and optional columns of its training table; ``INPUTS``: those that ``predict`` reads;
- ``METHODS`` and ``RIVALS``: how it can be trained, and which of these are measured beside whatever was chosen;
- ``ENCODERLESS``: the methods that use no pretrained encoder;
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


OPTIONAL: dict[str, Any] = {
    "UNMEASURED": (),  # methods that need no validation rows
    "UNLABELLED": (),  # methods whose `train` takes `unlabelled` texts, read by `read_unlabelled(data, rename)`
    "PRIVATE": (),  # methods that heed epsilon
    "UNLEARNT": (),  # methods that measure on their validation rows again later, so never train on them
    "SELECTS": False,  # `train` also takes `valid`, and keeps the weights that did best on it
    "weights": None,  # (model, settings) -> digests of what it starts from, where that is no text encoder
    "leaks": None,  # (table, held_out) -> findings on rows in both, where equal rows are no equal texts
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
        InputError: no such task; ConfigError: an unknown setting, or ``multi_label`` where it means nothing.
    """
    chosen = task_module(task).DEFAULTS.suited(method).updated(settings)
    if task == "text-classification" and chosen.multi_label:
        task = "multi-label-classification"
        return task, task_module(task).DEFAULTS.suited(method).updated(settings)
    if chosen.multi_label != (task == "multi-label-classification"):
        raise ConfigError(
            "multi_label for text-classification only", f"it is {chosen.multi_label} for {task}", "leave it out"
        )
    return task, chosen
