"""What fieldtune can be taught: one file a task, all of one shape.

A task module holds

- ``COLUMNS``: required and optional columns of its training table; ``INPUTS``: those that ``predict`` reads (a task
  that reads more than a table of texts has ``read_inputs(data, text)`` too: the user's table, and beside it what its
  ``predict`` looks at);
- ``METHODS`` and ``RIVALS``: how it can be trained, and which of these are measured beside whatever was chosen;
- where there are such, ``UNMEASURED``: the methods that need no validation rows, and ``UNLABELLED``: those whose
  ``train`` takes ``unlabelled`` texts, read by ``read_unlabelled(data, rename)``; ``PRIVATE``: those that heed epsilon;
- ``ENCODERLESS``: the methods that use no pretrained encoder;
- ``SELECTS``, where True: ``train`` also takes ``valid``, the validation rows, and keeps the weights that did best on
  them; ``weights(model, settings)``, where the models it starts from are no text encoders: their digests;
- ``FIGURE``: the name of the metric by which methods are compared, higher is better; ``DEFAULTS``: its settings;
- ``read(data, rename, labels)``: a path or a table -> the rows to train on; ``check(table)``: findings on them;
  where equal rows are no equal texts, ``leaks(table, held_out)``: findings on rows that stand in both;
- ``texts(table)``: what an encoder would read, to warn when it cannot;
- ``split(table, seed)``: rows to train on and rows to validate on;
- ``train(table, method, model, settings, seed, folder, show)``: a model; ``finish(model, valid)``: calibrate it and
  return its metrics; ``adopt(model, measured)``: take the calibration of a model measured on rows this one has learnt;
- ``metrics(model, table)``, ``correct(model, table)``: figures, and a score per row for the gate;
- ``predict(model, table)``: the columns to add to a table;
- where a model could betray its training rows, ``losses(model, table)``: a loss per row.
"""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
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


def task_module(task: str) -> ModuleType:
    """The module of a task by its name.

    Raises:
        InputError: no such task.
    """
    if task not in TASKS:
        raise InputError(f"a task out of {', '.join(TASKS)}", repr(task), "choose one of them")
    return import_module(f"fieldtune.tasks.{task.replace('-', '_')}")


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
