"""finetune: rows -> checks -> split -> train -> calibrate -> evaluate -> refit -> model folder, readable top to bottom."""

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import TEXT_COLUMNS, check_table, leakage
from fieldtune.data.tables import training_table
from fieldtune.errors import ArtefactError, ConfigError, InputError, MissingExtraError
from fieldtune.models.encoder import DEFAULT, check, find, positions
from fieldtune.models.folder import CHECKPOINTS, MANIFEST, digest, locked, recover, replaceable, staged, verify
from fieldtune.models.trained import CARD, OUT_OF_SCOPE, Classifier, Embedder
from fieldtune.progress import say
from fieldtune.train.checkpoint import claimed
from fieldtune.train.settings import Settings

UNKNOWN_LIMIT = 0.2
RIVALS = ("linear", "head")
REFIT = "refit"


@dataclass(frozen=True)
class Finetuned:
    """A finished model folder.

    Attributes:
        path: the folder; ``fieldtune.load(path)`` loads it.
        metrics: on the validation rows.
    """

    path: Path
    metrics: dict[str, Any]


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
) -> Finetuned:
    """Fine-tune a model and write its folder.

    Interrupted at any moment, even by kill -9, the same call continues where it stopped and ends in the same bits.
    A finished folder of the same data and settings is returned as it is.

    Args:
        task: ``"text-classification"`` (columns text, label) or ``"embedding"`` (query, positive[, negative]).
        train: a table or a path.
        valid: the same, for calibration, thresholds and metrics; None takes a stratified tenth of ``train`` and, where
            the settings say refit, trains again on all rows once these are known. Rows labelled ``oos`` fit the
            in-scope threshold.
        model: the pretrained encoder: ``"default"``, a folder or a hub name.
        method: ``"linear"``, ``"head"`` or ``"full"``.
        out: the model folder to write.
        settings: changes to the task's :class:`fieldtune.train.settings.Settings`.
        seed: of the split, the batches and dropout.
        progress: bars and remarks on stderr.
        rename: column wanted -> the user's name for it.
        labels: label in the file -> label wanted.
        rivals: also train the plain model and the frozen encoder and record their metrics beside this one's.
        apart: whether texts of ``valid`` that also stand in ``train`` are worth a remark; not where the caller knows, and
            uses no metrics of this fit.

    Raises:
        InputError: the data cannot be trained on; ConfigError: an unknown setting;
        ArtefactError: ``out`` holds something else, or what fieldtune did not write; RefusedError: another process is writing to it.
    """
    about = task_module(task)
    if method not in about.METHODS:
        raise InputError(f"a method out of {', '.join(about.METHODS)}", repr(method), "choose one of them")
    if not 0 <= seed < 2**32:
        raise InputError("a seed from 0 to 4294967295", str(seed), "choose another --seed")
    chosen = about.DEFAULTS.updated(settings)
    path = Path(out)
    replaceable(path)
    rows = training_table(train, task, rename=rename, labels=labels)
    held_out = training_table(valid, task, rename=rename, labels=labels) if valid is not None else None
    _check(rows, held_out if apart else None, task, progress)
    everything = rows
    if held_out is None:
        rows, held_out = about.split(rows, seed)
    if held_out.empty:
        raise InputError(
            "validation rows", f"none left of {len(rows)} training rows", "give more rows, or --valid FILE"
        )
    fingerprint = _fingerprint(task, method, model, chosen, seed, rows, held_out)
    with locked(path):
        recover(path)
        if (path / MANIFEST).is_file():
            return _finished(path, fingerprint)
        work = path / CHECKPOINTS
        with claimed(work, fingerprint):
            trained = about.train(rows, method, model, chosen, seed=seed, folder=work, show=progress)
            metrics = about.finish(trained, held_out)
            _warn_unreadable(trained, rows, progress)
            if rivals:
                metrics["rivals"] = _rivals(about, method, model, chosen, rows, held_out, seed, work)
            if chosen.refit and valid is None:
                measured, rows = trained, everything
                if progress:
                    say(f"note: measured on {len(held_out)} rows kept apart; training again on all {len(rows)}")
                trained = about.train(rows, method, model, chosen, seed=seed, folder=work / REFIT, show=progress)
                about.adopt(trained, measured)
            trained.card = _card(task, method, chosen, fingerprint, metrics, rows)
            with staged(path, {"fingerprint": fingerprint["data"], "versions": versions()}) as temporary:
                trained.save(temporary)
    return Finetuned(path, metrics)


def task_module(task: str) -> ModuleType:
    """The module of a task by its name."""
    match task:
        case "text-classification":
            from fieldtune.tasks import text_classification

            return text_classification
        case "embedding":
            from fieldtune.tasks import embedding

            return embedding
    raise InputError("a task out of text-classification, embedding", repr(task), "choose one of them")


def versions() -> dict[str, str]:
    """Versions of what decides the bits of a model."""
    names = ("fieldtune", "torch", "transformers", "scikit-learn", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _check(rows: pd.DataFrame, held_out: pd.DataFrame | None, task: str, progress: bool) -> None:
    findings = check_table(rows, task)
    if held_out is not None:
        findings += leakage(rows, held_out, TEXT_COLUMNS[task])
    for finding in findings:
        if finding.severity == "error":
            raise InputError("training rows a model can learn from", finding.message, "correct the table")
        if progress:
            say(f"note: {finding.message}")


def _fingerprint(
    task: str, method: str, model: str, settings: Settings, seed: int, rows: pd.DataFrame, held_out: pd.DataFrame
) -> dict[str, Any]:
    """What a run is: equal fingerprints give equal bits (on one machine with the same versions)."""
    weights = [] if method == "linear" else _weights(model, settings)
    data = hashlib.sha256()
    for frame in (rows, held_out):
        for row in frame.itertuples(index=False):
            data.update(json.dumps(list(row), ensure_ascii=False).encode() + b"\n")
        data.update(b"--\n")
    return {
        "task": task,
        "method": method,
        "model": weights,
        "settings": settings.as_dict(),
        "seed": seed,
        "data": data.hexdigest(),
    }


def _weights(model: str, settings: Settings) -> list[str]:
    """Digests of the encoder's weights, after it was looked at: whole, harmless, and able to read so many tokens."""
    folder = find(model)
    if (folder / MANIFEST).is_file():
        verify(folder)
    check(folder)
    longest = positions(folder) or settings.max_length
    if settings.max_length > longest:
        raise ConfigError(
            f"a max_length of at most {longest}, as {model} reads",
            str(settings.max_length),
            f"--set max_length={longest}",
        )
    return [digest(file) for file in sorted(folder.glob("*.safetensors"))]


def _finished(path: Path, fingerprint: dict[str, Any]) -> Finetuned:
    verify(path)
    card = json.loads((path / CARD).read_text())
    if card.get("run") != fingerprint:
        raise ArtefactError(
            "an empty --out, or a model of the same data and settings",
            f"another finished model in {path}",
            "choose another --out, or delete that folder",
        )
    say(f"{path} is already trained on these rows with these settings")
    return Finetuned(path, card["metrics"])


def _warn_unreadable(trained: Classifier | Embedder, rows: pd.DataFrame, progress: bool) -> None:
    """Warn when the encoder's tokenizer does not know the script of the texts."""
    share = unknown_share(trained, rows.iloc[:, 0].head(2000).tolist())
    if share > UNKNOWN_LIMIT and progress:
        say(
            f"warning: the encoder cannot read {share:.0%} of the tokens of these texts; "
            "use --method linear, or a multilingual or Chinese encoder with --model"
        )


def unknown_share(trained: Classifier | Embedder, texts: list[str]) -> float:
    """Share of tokens the model's tokenizer does not know; 0 for n-grams, which read anything."""
    unknown, known = _tokens(trained, texts)
    return float(unknown.sum() / max((unknown + known).sum(), 1))


def readable(trained: Classifier | Embedder, texts: list[str]) -> NDArray[np.bool_]:
    """Which texts the model can read, bool ``[texts]``: at most a fifth of their tokens are unknown to its tokenizer."""
    unknown, known = _tokens(trained, texts)
    return np.asarray(unknown <= UNKNOWN_LIMIT * (unknown + known), dtype=np.bool_)


def _tokens(trained: Classifier | Embedder, texts: list[str]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Unknown and known tokens of each text, [CLS] and [SEP] apart; n-grams know everything."""
    encoder = getattr(trained.features, "encoder", None)
    if encoder is None:
        return np.zeros(len(texts), dtype=int), np.ones(len(texts), dtype=int)
    tokens = encoder.tokens(texts)
    unknown = np.asarray(encoder.unknown(tokens), dtype=int)
    return unknown, np.asarray([max(len(ids) - 2, 0) for ids in tokens], dtype=int) - unknown


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
    for other in (name for name in RIVALS if name != method):
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
    task: str, method: str, settings: Settings, fingerprint: dict[str, Any], metrics: dict[str, Any], rows: pd.DataFrame
) -> dict[str, Any]:
    return {
        "task": task,
        "method": method,
        "max_length": settings.max_length,
        "run": fingerprint,
        "metrics": metrics,
        "rows": len(rows),
        "versions": versions(),
        "out_of_scope_label": OUT_OF_SCOPE,
    }
