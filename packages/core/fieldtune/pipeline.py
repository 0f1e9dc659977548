"""finetune: rows -> checks -> split -> train -> calibrate -> evaluate -> refit -> model folder, readable top to bottom."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from fieldtune.data.checks import TEXT_COLUMNS, leakage
from fieldtune.data.hiding import hidden, said
from fieldtune.errors import ArtefactError, ConfigError, InputError, MissingExtraError
from fieldtune.evaluate.privacy import membership_auc
from fieldtune.fingerprint import fingerprint, provenance, start, threads, versions
from fieldtune.models.adapters import adapter_of
from fieldtune.models.card import base_of
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.folder import CHECKPOINTS, MANIFEST, locked, recover, replaceable, staged, verify
from fieldtune.models.readable import UNKNOWN_LIMIT, encoder_of, unknown_share
from fieldtune.models.trained import CARD, OUT_OF_SCOPE, save_page
from fieldtune.progress import say
from fieldtune.tasks import resolved, task_module
from fieldtune.train.checkpoint import claimed
from fieldtune.train.choice import AUTO, choose
from fieldtune.train.processes import together
from fieldtune.train.settings import Settings
from fieldtune.train.track import kinds, opened, run_name

SAMPLE = 2000  # rows looked at to tell whether an encoder can read them
BETRAYED = 1000  # training rows of which a loss is looked at
REFIT = "refit"
ALONE = ("linear", "head", "zeroshot", "auto")  # methods that train too little to share it out
PRIVACY = "only the head of a text classifier is trained with privacy"


@dataclass(frozen=True)
class Finetuned:
    """A finished model folder.

    Attributes:
        path: the folder; ``fieldtune.load(path)`` loads it.
        metrics: on the validation rows.
        method: the one asked for, or what ``auto`` chose.
        task: what it was trained for.
    """

    path: Path
    metrics: dict[str, Any]
    method: str
    task: str


def finetune(
    task: str,
    train: pd.DataFrame | Path | str,
    *,
    valid: pd.DataFrame | Path | str | None = None,
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
    unlabelled: pd.DataFrame | Path | str | None = None,
    processes: int = 1,
) -> Finetuned:
    """Fine-tune a model and write its folder.

    Interrupted at any moment, even by kill -9, the same call continues where it stopped and ends in the same bits.
    A finished folder of the same data and settings is returned as it is.

    Args:
        task: one of :data:`fieldtune.tasks.TASKS`, e.g. ``"text-classification"``.
        train: a table or a path; the columns are the task's ``COLUMNS``.
        valid: the same, for calibration, thresholds and metrics; None takes a stratified tenth of ``train`` and, where
            the settings say refit, trains again on all rows once these are known. Rows labelled ``oos`` fit the
            in-scope threshold.
        model: the pretrained encoder: ``"default"``, a folder or a hub name.
        method: one of the task's ``METHODS``, e.g. ``"linear"``, ``"head"`` or ``"full"``.
        out: the model folder to write.
        settings: changes to the task's :class:`fieldtune.train.settings.Settings`.
        seed: of the split, the batches and dropout.
        progress: bars and remarks on stderr.
        rename: column wanted -> the user's name for it.
        labels: label in the file -> label wanted.
        rivals: also train the plain model and the frozen encoder and record their metrics beside this one's.
        apart: whether texts of ``valid`` that also stand in ``train`` are worth a remark; not where the caller knows, and
            uses no metrics of this fit.
        unlabelled: rows without a label, for the task's methods that learn from them too.
        processes: local processes that share every batch and this machine's threads. More than one are started afresh,
            so a script calls this under ``if __name__ == "__main__":``.

    Raises:
        InputError: the data cannot be trained on; ConfigError: an unknown setting;
        ArtefactError: ``out`` holds something else, or what fieldtune did not write; RefusedError: another process is writing to it.
    """
    task, chosen = resolved(task, method, settings)
    about = task_module(task)
    if method not in about.METHODS:
        raise InputError(f"a method out of {', '.join(about.METHODS)}", repr(method), "choose one of them")
    if processes < 1:
        raise InputError("at least one process", str(processes), "leave --processes out")
    if not 0 <= seed < 2**32:
        raise InputError("a seed from 0 to 4294967295", str(seed), "choose another --seed")
    kinds(chosen.track)
    if chosen.epsilon and method not in getattr(about, "PRIVATE", ()):
        raise ConfigError("--method head with epsilon", f"--method {method} of {task}", PRIVACY)
    path = Path(out)
    replaceable(path)
    rows = about.read(train, rename=rename, labels=labels)
    held_out = about.read(valid, rename=rename, labels=labels) if valid is not None else None
    more = _unlabelled(about, method, unlabelled, rename)
    if chosen.scrub:
        rows, held_out, *others = _hidden((rows, held_out, *more), progress)
        more = tuple(others)
    _check(about, rows, held_out if apart else None, task, progress)
    everything = rows
    if held_out is None:
        rows, held_out = about.split(rows, seed)
    if held_out.empty and method not in getattr(about, "UNMEASURED", ()):
        raise InputError(
            "validation rows", f"none left of {len(rows)} training rows", "give more rows, or --valid FILE"
        )
    begun = start(about, method, model, chosen)
    run = fingerprint(task, method, begun, chosen, seed, (rows, held_out, *more))
    if processes > 1:  # sums in another order: equal to the last digits only
        run["processes"] = processes
    with locked(path):
        recover(path)
        if (path / MANIFEST).is_file():
            return _finished(path, run)
        work = path / CHECKPOINTS
        with claimed(work, run):
            choice = None
            if method == AUTO:
                method, choice = choose(about, rows, model, chosen, seed=seed, folder=work, show=progress)
            train_it = partial(about.train, unlabelled=about.texts(more[0])) if more else about.train
            if processes > 1 and method not in ALONE:
                train_it = partial(_together, train_it, processes, task, chosen)
            beside = {"valid": held_out} if getattr(about, "SELECTS", False) and len(held_out) else {}
            trained = train_it(rows, method, model, chosen, seed=seed, folder=work, show=progress, **beside)
            metrics: Any = about.finish(trained, held_out) if len(held_out) else {"n": 0}
            metrics |= _betrayed(about, trained, rows, held_out)
            _warn_unreadable(trained, about.texts(rows.head(SAMPLE)), progress)
            metrics |= _adapter_share(trained)
            if rivals and len(held_out):
                metrics["rivals"] = _rivals(about, method, model, chosen, rows, held_out, seed, work)
            if chosen.epsilon:
                metrics["privacy"] = {"epsilon": chosen.epsilon, "delta": chosen.delta or 0.1 / len(rows)}
            told_more: dict[str, Any] = {"choice": choice} if choice else {}
            # A second fit would spend the privacy of the rows a second time.
            if chosen.refit and valid is None and len(held_out) and not chosen.epsilon:
                measured, rows = trained, everything
                if progress:
                    say(f"note: measured on {len(held_out)} rows kept apart; training again on all {len(rows)}")
                trained = train_it(rows, method, model, chosen, seed=seed, folder=work / REFIT, show=progress)
                about.adopt(trained, measured)
                told_more["trained_again"] = True
            told = opened(chosen.track, Path(chosen.track_dir), run_name(work), {}, None)
            told(0, {"figures": metrics})
            told.close()
            origin = provenance(run, model if run["model"] and not hasattr(about, "weights") else None)
            told_more |= base_of(model, run, origin["licence"]) | _adapter_note(trained)
            trained.card = _card(task, method, chosen, run, metrics, rows) | told_more
            with staged(path, origin) as temporary:
                trained.save(temporary)
                save_page(temporary)
    return Finetuned(path, metrics, method, task)


def _together(
    train: Callable[..., Any], processes: int, task: str, settings: Settings, rows: pd.DataFrame, method: str,
    *rest: Any, **more: Any,
) -> Any:  # fmt: skip
    """What ``train`` returns, computed by several processes."""
    card = {"task": task, "method": method, "max_length": settings.max_length}
    return together(train, processes, card, (rows, method, *rest), **more)


def _unlabelled(
    about: ModuleType, method: str, data: pd.DataFrame | Path | str | None, rename: Mapping[str, str] | None
) -> tuple[pd.DataFrame, ...]:
    """The table of rows without a label, where the method learns from such rows; none for the others."""
    wants = method in getattr(about, "UNLABELLED", ())
    if wants and data is None:
        raise InputError(f"rows without a label for method {method}", "none", "give them with --unlabelled FILE")
    if data is not None and not wants:
        known = ", ".join(getattr(about, "UNLABELLED", ())) or "none of this task"
        raise InputError(f"a method that learns from unlabelled rows ({known})", repr(method), "leave --unlabelled out")
    return (about.read_unlabelled(data, rename=rename),) if wants else ()


def _hidden(tables: Sequence[pd.DataFrame | None], progress: bool) -> list[Any]:
    """The tables without personal data in their texts; what was hidden is said."""
    done = [(None, Counter[str]()) if table is None else hidden(table) for table in tables]
    found = sum((counts for _, counts in done), Counter[str]())
    if found and progress:
        say(f"note: {said(found)}")
    return [table for table, _ in done]


def _check(about: ModuleType, rows: pd.DataFrame, held_out: pd.DataFrame | None, task: str, progress: bool) -> None:
    findings = about.check(rows)
    if held_out is not None and task in TEXT_COLUMNS:
        findings += leakage(rows, held_out, TEXT_COLUMNS[task])
    elif held_out is not None and hasattr(about, "leaks"):
        findings += about.leaks(rows, held_out)
    for finding in findings:
        if finding.severity == "error":
            raise InputError("training rows a model can learn from", finding.message, "correct the table")
        if progress:
            say(f"note: {finding.message}")


def _betrayed(about: ModuleType, trained: Any, rows: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, float]:
    """What a loss-threshold attack learns of the training rows, from a sample of them."""
    if not hasattr(about, "losses") or not len(held_out):
        return {}
    sample = rows.iloc[:: max(1, len(rows) // BETRAYED)]
    return {"membership_auc": membership_auc(about.losses(trained, sample), about.losses(trained, held_out))}


def _finished(path: Path, run: dict[str, Any]) -> Finetuned:
    verify(path)
    card = json.loads((path / CARD).read_text())
    if card.get("run") != run:
        raise ArtefactError(
            "an empty --out, or a model of the same data and settings",
            f"another finished model in {path}",
            "choose another --out, or delete that folder",
        )
    say(f"{path} is already trained on these rows with these settings")
    return Finetuned(path, card["metrics"], card["method"], card["task"])


def _warn_unreadable(trained: Any, texts: list[str], progress: bool) -> None:
    """Warn when the encoder's tokenizer does not know the script of the texts."""
    share = unknown_share(trained, texts)
    if share > UNKNOWN_LIMIT and progress:
        say(
            f"warning: the encoder cannot read {share:.0%} of the tokens of these texts; "
            "use --method linear, or a multilingual or Chinese encoder with --model"
        )


def _adapter_share(trained: Any) -> dict[str, float]:
    """Which share of the encoder's parameters was trained, where a method trained few."""
    adapter = adapter_of(getattr(encoder_of(trained), "body", None))
    return {"trainable_share": adapter.share} if adapter else {}


def _adapter_note(trained: Any) -> dict[str, Any]:
    adapter = adapter_of(getattr(encoder_of(trained), "body", None))
    if adapter is None:
        return {}
    where = "merged into the weights" if adapter.tensors else "apart: other programs than fieldtune read the base alone"
    return {"adapter": {"method": adapter.method, **adapter.options, "weights": where}}


def _rivals(
    about: ModuleType,
    method: str,
    model: str,
    settings: Settings,
    rows: pd.DataFrame,
    held_out: pd.DataFrame,
    seed: int,
    work: Path,
) -> dict[str, Any]:
    """Metrics of the plain model and the frozen encoder on the same validation rows."""
    found = {}
    for other in (name for name in about.RIVALS if name != method):
        folder = work / f"rival-{other}"
        try:
            rival = about.train(rows, other, model, settings, seed=seed, folder=folder, show=False)
        except MissingExtraError as error:  # n-grams need no encoder, so its absence stops nothing
            say(f"note: not measured beside it, method {other}: {error}")
            continue
        found[other] = about.finish(rival, held_out)
        found[other].pop("per_class", None)
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _card(
    task: str, method: str, settings: Settings, run: dict[str, Any], metrics: dict[str, Any], rows: pd.DataFrame
) -> dict[str, Any]:
    return {
        "task": task,
        "method": method,
        "max_length": settings.max_length,
        "run": run,
        "metrics": metrics,
        "rows": len(rows),
        "versions": versions(),
        "threads": threads(),
        "out_of_scope_label": OUT_OF_SCOPE,
    }
