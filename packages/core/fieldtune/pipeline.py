"""finetune: rows -> checks -> split -> train -> calibrate -> evaluate -> refit -> model folder, readable top to bottom."""

import json
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.choosing import choose
from fieldtune.data.given import Given, by_name
from fieldtune.data.places import path_of
from fieldtune.data.tables import SETS
from fieldtune.errors import ArtefactError, InputError
from fieldtune.fingerprint import fingerprint, provenance, start, table_digest, threads, versions
from fieldtune.job import Job, train_again, worthwhile_again
from fieldtune.measuring import measured, shipped
from fieldtune.models.adapters import adapter_of
from fieldtune.models.card import base_of
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.folder import CHECKPOINTS, MANIFEST, locked, recover, replaceable, staged, verify
from fieldtune.models.readable import encoder_of
from fieldtune.models.trained import CARD, OUT_OF_SCOPE, save_page
from fieldtune.preparing import Rows, prepared
from fieldtune.progress import say
from fieldtune.runtime import cores
from fieldtune.tasks import AUTO, Task, check_rename, heeded, resolved, task_module
from fieldtune.train.checkpoint import claimed, of_which_rows
from fieldtune.train.settings import Settings
from fieldtune.train.track import kinds, opened, run_name


@dataclass(frozen=True)
class Finetuned:
    """A finished model folder.

    Attributes:
        path: the folder; ``fieldtune.load(path)`` loads it.
        metrics: on the validation rows; ``{"n": 0}`` and no figure where a table was too small to spare any.
        method: the one asked for, or what ``auto`` chose.
        task: what it was trained for.
    """

    path: Path
    metrics: dict[str, Any]
    method: str
    task: str


def finetune(
    task: str,
    train: Given,
    *,
    valid: Given | None = None,
    model: str = DEFAULT,
    method: str = "full",
    out: Path | str,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: bool = True,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    rivals: bool = False,
    apart: bool = True,
    unlabelled: Given | None = None,
    processes: int = 1,
) -> Finetuned:
    """Fine-tune a model and write its folder.

    Interrupted at any moment, even by kill -9, the same call continues where it stopped and ends in the same bits.
    A finished folder of the same data and settings is returned as it is.

    Args:
        task: one of :data:`fieldtune.tasks.TASKS`, e.g. ``"text-classification"``.
        train: a table, a dict of columns or a path; the columns are the task's ``COLUMNS``.
        valid: the same, for calibration, thresholds and metrics; a private model takes it. None takes a stratified tenth
            of ``train`` and, where the settings say refit, trains again on all rows once these are known; of too few rows
            none is taken, and the model is not measured. Rows labelled ``oos`` fit the in-scope threshold.
        model: the pretrained encoder: ``"default"``, a folder or a hub name.
        method: one of the task's ``METHODS``, e.g. ``"linear"``, ``"head"`` or ``"full"``.
        out: the model folder to write.
        settings: changes to the task's :class:`fieldtune.train.settings.Settings`.
        seed: of the split, the batches and dropout.
        progress: bars and remarks on stderr.
        rename: column wanted -> the user's name for it.
        labels: label in the file -> label wanted.
        rivals: also train the plain model and the frozen encoder and record their metrics beside this one's.
        apart: whether rows of ``valid`` that also stand in ``train`` are counted and told.
        unlabelled: rows without a label, for the task's methods that learn from them too.
        processes: local processes that share every batch and this machine's threads. More than one are started afresh,
            so a script calls this under ``if __name__ == "__main__":``.

    Raises:
        InputError: the data cannot be trained on; ConfigError: an unknown setting, or one the method does not read;
        ArtefactError: ``out`` holds something else, or what fieldtune did not write; RefusedError: another process is writing to it.
    """
    task, chosen = resolved(task, method, settings)
    about = task_module(task)
    possible(about, task, method, chosen, seed, processes, valid)
    by_name(rename=rename, labels=labels)
    check_rename(task, rename)
    path = path_of(out)
    replaceable(path)  # before rows are read, which may take long
    rows = prepared(
        about, task, method, train, valid, unlabelled, rename=rename, labels=labels, scrub=chosen.scrub, apart=apart,
        goes_on=goes_on(method, model), seed=seed, progress=progress,
    )  # fmt: skip
    split_off = valid is None
    return finetune_prepared(
        task, rows, method, model, chosen, path,
        seed=seed, progress=progress, split_off=split_off, again=split_off, rivals=rivals, processes=processes,
    )  # fmt: skip


def finetune_prepared(
    task: str,
    rows: Rows,
    method: str,
    model: str,
    settings: Settings,
    path: Path,
    *,
    seed: int,
    progress: bool,
    split_off: bool,
    again: bool,
    rivals: bool = False,
    processes: int = 1,
) -> Finetuned:
    """The same from rows that are prepared.

    Args:
        path: of the model.
        split_off: the rows kept apart were drawn from the user's training rows, so that nearly equal rows in both are no leak.
        again: where the settings say refit, train once more on all rows.
        task, method, model, settings, seed, progress, rivals, processes: see :func:`finetune`.

    Raises:
        ArtefactError: ``path`` holds something else, or its run is damaged; RefusedError: another process is writing to it.
    """
    about = task_module(task)
    replaceable(path)
    if progress:
        _remark_unused(about, method, model, rivals=rivals and len(rows.valid) > 0)
    run = fingerprint(task, method, start(about, method, model, settings), settings, seed, rows.tables)
    if processes > 1:  # sums in another order, dropout drawn apart: other bits
        run["processes"] = processes
    with locked(path):
        recover(path)
        if (path / MANIFEST).is_file():
            return _finished(path, run)
        work = path / CHECKPOINTS
        with claimed(work, run):
            choice = None
            if method == AUTO:
                method, choice = choose(about, rows.train, model, settings, seed=seed, folder=work, show=progress)
            job = Job(task, about, method, model, settings, seed, processes, work, progress)
            trained = job.train(rows)
            metrics = measured(job, trained, rows, rivals)
            again = again and worthwhile_again(job, rows)
            trained = train_again(job, trained, rows) if again else trained
            notes = _notes(job, rows, choice, trained_again=again, split_off=split_off)
            kept = shipped(job, metrics)
            _track(settings, work, kept)
            _write(job, path, trained, run, kept, notes)
    return Finetuned(path, metrics, method, task)


def goes_on(method: str, model: str) -> bool:
    """Whether the rows are one block more for a model that knows labels already."""
    return method == "continual" and (Path(model) / CARD).is_file()


def possible(
    about: Task, task: str, method: str, settings: Settings, seed: int, processes: int, valid: Given | None
) -> None:
    """Refuse what no rows could make possible."""
    for name, number in (("seed", seed), ("processes", processes)):
        if not isinstance(number, numbers.Integral) or isinstance(number, bool):
            raise InputError(f"{name} as a whole number", repr(number), f"give {name}=1")
    most = max(2, cores())  # two on one core are slow, and show what two would do
    if not 1 <= processes <= most:
        raise InputError(f"1 to {most} processes, as many as cores", str(processes), "leave --processes out")
    if processes > 1 and method not in about.SHARED:
        raise InputError(
            f"one process for --method {method} of {task}: its work cannot be shared",
            str(processes),
            f"leave --processes out; of this task it is for {', '.join(about.SHARED) or 'no method'}",
        )
    if not 0 <= seed < 2**32:
        raise InputError("a seed from 0 to 4294967295", str(seed), "choose another --seed")
    if settings.epsilon and valid is None:
        raise InputError(
            "validation rows of their own for a private model: which rows a split takes depends on all of them, so figures and "
            "thresholds of rows split off would tell of training rows",
            "none",
            "give --valid FILE, of rows that need no privacy, or leave --set epsilon out",
        )
    kinds(settings.track)


def _remark_unused(about: Task, method: str, model: str, *, rivals: bool) -> None:
    """Say that an encoder was named and nothing reads it, neither the method nor a rival."""
    others = {one for one in about.RIVALS if rivals} - {*about.ENCODERLESS}
    if model != DEFAULT and method in about.ENCODERLESS and not others:
        say(f"note: {model} is not used: --method {method} starts from no pretrained model")


def _finished(path: Path, run: dict[str, Any]) -> Finetuned:
    verify(path)
    card = json.loads((path / CARD).read_text(encoding="utf-8"))
    if card.get("run") != run:
        raise ArtefactError(
            "an empty --out, or a model of the same data and settings",
            f"another finished model in {path}{of_which_rows(card.get('run') or {}, run)}",
            "choose another --out, or delete that folder",
        )
    say(f"{path} is already trained on these rows with these settings")
    return Finetuned(path, card["metrics"], card["method"], card["task"])


def _notes(job: Job, rows: Rows, choice: dict[str, Any] | None, **ways: bool) -> dict[str, Any]:
    """What else the card keeps of the run.

    Args:
        ways: trained_again on the rows kept apart; split_off, these were by fieldtune. What was not so is left out.
    """
    tables, private = {"train": rows.everything, "valid": rows.valid}, bool(job.settings.epsilon)
    notes: dict[str, Any] = {"tables": {name: table_digest(table, private=private) for name, table in tables.items()}}
    read = heeded(job.task, job.method, job.settings)
    notes |= {"settings": {name: value for name, value in job.settings.as_dict().items() if name in read}}
    notes |= {"hidden": dict(rows.hidden)} if rows.hidden and not private else {}
    notes |= {"rows": _taught(job.task, rows.everything if ways["trained_again"] else rows.train)}
    notes |= {name: True for name, way in ways.items() if way}
    return notes | ({"choice": choice} if choice else {})


def _taught(task: str, table: pd.DataFrame) -> int:
    """How many rows of a label are learnt from; those out of scope have none, and teach that where a row may have several."""
    foreign = "label" in table and task not in SETS
    return int((table["label"] != OUT_OF_SCOPE).sum()) if foreign else len(table)


def _track(settings: Settings, work: Path, metrics: Any) -> None:
    told = opened(settings.track, Path(settings.track_dir), run_name(work), {}, None)
    told(0, {"figures": metrics})
    told.close()


def _write(
    job: Job, path: Path, trained: Any, run: dict[str, Any], metrics: dict[str, Any], notes: dict[str, Any]
) -> None:
    """The model's folder, its card and page included, whole or not at all."""
    origin = provenance(run, job.model if run["model"] and not job.about.weights else None)
    trained.card = {
        **trained.card,  # what the method notes of its training
        "task": job.task,
        "method": job.method,
        "max_length": job.settings.max_length,
        "run": run,
        "metrics": metrics,
        "figure": job.about.FIGURE,
        "versions": versions(),
        "threads": threads(),
        "out_of_scope_label": OUT_OF_SCOPE,
        **notes,
        "rows": notes["rows"] - trained.card.get("left_out", 0),
        **base_of(job.model, run, origin["licence"]),
        **_adapter_note(trained),
    }
    with staged(path, origin) as temporary:
        trained.save(temporary)
        save_page(temporary)


def _adapter_note(trained: Any) -> dict[str, Any]:
    adapter = adapter_of(getattr(encoder_of(trained), "body", None))
    if adapter is None:
        return {}
    where = "merged into the weights" if adapter.tensors else "apart: other programs than fieldtune read the base alone"
    return {"adapter": {"method": adapter.method, **adapter.options, "weights": where}}
