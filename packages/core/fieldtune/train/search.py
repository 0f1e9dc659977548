"""Hyper-parameter search: Optuna proposes settings, `finetune` trains them, one model is kept.

Everything lies in one folder: the study as SQLite, the trial at work, the best model so far. Killed at any moment, the
same call goes on: a trial that was cut is trained on from its own checkpoint. One that diverges, or whose figure is no
number, has failed: it is counted, and the next is another. How a trial is trained is the caller's function; this module
knows no task.
"""

import contextlib
import math
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fieldtune.data.places import outside
from fieldtune.errors import ArtefactError, DivergedError, FieldtuneError, InputError, MissingExtraError
from fieldtune.models.folder import replace, replaceable, verify
from fieldtune.progress import say

STUDY, BEST, WORK = "study.db", "best", "trial"
_AGAIN = ".again"
Range = tuple[str, float, float]
SPACE: dict[str, Range] = {
    "dropout": ("float", 0.0, 0.3),
    "label_smoothing": ("float", 0.0, 0.2),
    "weight_decay": ("log", 1e-4, 1e-1),
}
"""Setting -> scale, least and most."""
AROUND: dict[str, tuple[str, float]] = {
    "learning_rate": ("log", 5),
    "head_learning_rate": ("log", 5),
    "epochs": ("int", 2),
}
"""Setting -> scale, and how many times smaller or larger than the default: what suits a method suits no other."""
Train = Callable[[Mapping[str, Any], Path], float]


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        best: the folder of the best model.
        value: its figure on the validation rows.
        settings: what it was trained with, beside the defaults.
        trials: per finished trial its settings and figure, in order.
        failed: how many more were tried and have no figure.
    """

    best: Path
    value: float
    settings: dict[str, Any]
    trials: list[dict[str, Any]]
    failed: int = 0


def space(defaults: Mapping[str, Any], names: Collection[str]) -> dict[str, Range]:
    """The settings among ``names`` that are searched, with their ranges; the default lies in each."""
    around = {
        name: (
            scale,
            max(1, defaults[name] // times) if scale == "int" else defaults[name] / times,
            defaults[name] * times,
        )
        for name, (scale, times) in AROUND.items()
        if name in names
    }
    return around | {name: fixed for name, fixed in SPACE.items() if name in names}


def search(
    train: Train,
    trials: int,
    folder: Path,
    *,
    seed: int,
    run: str,
    fixed: Mapping[str, Any],
    ranges: Mapping[str, Range],
    defaults: Mapping[str, Any],
) -> Found:
    """Run trials until there are ``trials``, those that failed included.

    Args:
        train: settings and a folder to write the model into -> the figure to raise; called again with the same
            arguments after a kill, it must go on where it was. A DivergedError of it is a trial that failed.
        folder: of the search; locked by the caller.
        seed: of the proposals; each trial's are drawn from the seed and its number, so a resumed search proposes alike.
        run: a digest of what is searched for: a folder of another search is refused.
        fixed: settings of the user's, which are not searched.
        ranges: setting -> scale, least and most, see :func:`space`.
        defaults: the first trial's values.

    Raises:
        MissingExtraError: Optuna is not installed. ArtefactError: ``folder`` is another search's, or holds what is none's or
            is damaged. InputError: no trial has a figure, or ``folder`` is a model.
    """
    optuna = _optuna()
    _free(folder)
    folder.mkdir(parents=True, exist_ok=True)
    work, kept = folder / WORK, partial(_readable, folder / STUDY)
    with kept():
        study = optuna.create_study(
            storage=f"sqlite:///{folder / STUDY}", study_name="search", direction="maximize", load_if_exists=True
        )
        _claim(study, run, folder)
        proposed = {name: _scale(optuna, *given) for name, given in ranges.items()}
        first = {name: defaults[name] for name in proposed}
        tried = _tried(optuna, study, proposed)
    while tried < trials:
        with kept():
            study.sampler = optuna.samplers.TPESampler(seed=seed + tried, n_startup_trials=5)
            number, settings = _next(optuna, study, proposed, first)
        say(f"trial {tried + 1} of {trials}: " + ", ".join(f"{name} {value:.3g}" for name, value in settings.items()))
        value, why = _figure(train, {**fixed, **settings}, work)  # whose own errors are no damage to the study
        with kept():
            if why:
                say(f"trial {tried + 1} failed: {why}")
            elif all(value > other.value for other in _finished(optuna, study)):
                replaceable(folder / BEST)
                replace(work, folder / BEST)
            # Before it is told, or a kill between would leave it to the next trial.
            shutil.rmtree(work, ignore_errors=True)
            study.tell(number, **({"state": optuna.trial.TrialState.FAIL} if why else {"values": value}))
            tried = _tried(optuna, study, proposed)
    with kept():
        found = _found(_finished(optuna, study), tried, folder / BEST)
    _intact(found, train, fixed)
    return found


def _free(folder: Path) -> None:
    """Refuse a folder in which something would be replaced that is no search's."""
    outside(folder / STUDY)
    best, study = folder / BEST, folder / STUDY
    replaceable(best)
    if best.exists() and not (study.is_file() and study.stat().st_size):
        raise ArtefactError(
            "an empty --out, or a search", f"{best} without the {STUDY} of its search", "choose another --out"
        )


@contextlib.contextmanager
def _readable(study: Path) -> Iterator[None]:
    """What SQLite, or who reads it, makes of a damaged file is one clear error."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if study.is_file():
            with contextlib.closing(sqlite3.connect(study)) as database:
                found = database.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        yield
    except (sqlite3.DatabaseError, SQLAlchemyError, StorageInternalError) as error:
        found = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
        if isinstance(found, sqlite3.OperationalError) and not str(found).startswith("no such"):
            # A full disk, another's lock, no right to write; without its tables a study is damaged.
            raise ArtefactError(
                f"a disk on which {study} can be read and written",
                str(found),
                "mend that, and go on with the same command",
            ) from error
        raise ArtefactError(
            f"the trials of a search in {study}",
            str(found),
            f"restore that file, or choose another --out: the best model so far is {study.with_name(BEST)}",
        ) from error


def _intact(found: Found, train: Train, fixed: Mapping[str, Any]) -> None:
    """Before a best model is announced: one that was damaged or deleted is trained again, to the same bits."""
    try:
        verify(found.best)
    except FieldtuneError as error:
        say(f"the best model is trained again: {error}")
        replaceable(found.best)
        work = found.best.with_name(_AGAIN)
        shutil.rmtree(work, ignore_errors=True)
        train({**fixed, **found.settings}, work)
        replace(work, found.best)


def _figure(train: Train, settings: Mapping[str, Any], work: Path) -> tuple[float, str]:
    """The figure of a trial, and why it has failed if it has."""
    try:
        value = train(settings, work)
    except DivergedError as error:
        return math.nan, str(error)
    return value, "" if math.isfinite(value) else f"its figure on the validation rows is {value}"


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("optuna", "it is not installed", "pip install 'fieldtune[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _claim(study: Any, run: str, folder: Path) -> None:
    if study.user_attrs.get("run", run) != run:
        raise ArtefactError(
            "an empty --out, or a search of the same data and settings",
            f"another search in {folder}",
            "choose another --out, or delete that folder",
        )
    study.set_user_attr("run", run)


def _scale(optuna: Any, scale: str, least: float, most: float) -> Any:
    if scale == "int":
        return optuna.distributions.IntDistribution(int(least), int(most))
    return optuna.distributions.FloatDistribution(least, most, log=scale == "log")


def _finished(optuna: Any, study: Any) -> list[Any]:
    found = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if any(trial.values is None for trial in found):  # Optuna makes tables that are missing, empty
        raise sqlite3.DatabaseError("a finished trial without its figure")
    return list(found)


def _tried(optuna: Any, study: Any, space: Mapping[str, Any]) -> int:
    """How many trials came to an end; one that was killed while it was proposed has not all its settings."""
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL)
    return sum(trial.params.keys() == space.keys() for trial in study.get_trials(deepcopy=False, states=ended))


def _next(optuna: Any, study: Any, space: Mapping[str, Any], first: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """The trial a kill left at work, else a new one; one that was killed while it was proposed counts for nothing. As long as
    ``first`` was not tried, that is the new one."""
    for cut in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        if cut.params.keys() == space.keys():
            return cut.number, dict(cut.params)
        study.tell(cut.number, state=optuna.trial.TrialState.FAIL)
    known, waiting = study.get_trials(deepcopy=False), optuna.trial.TrialState.WAITING
    if not any(one.state == waiting or one.params == first for one in known):
        study.enqueue_trial(first)
    trial = study.ask(fixed_distributions=dict(space))
    return trial.number, dict(trial.params)


def _found(finished: list[Any], tried: int, best: Path) -> Found:
    if not finished:
        raise InputError(
            "a trial with a figure to compare",
            f"none: all {tried} diverged, or have no figure on the validation rows",
            "give more validation rows (--valid FILE), or correct what is set by --set",
        )
    first = max(finished, key=lambda trial: (trial.value, -trial.number))  # the first of equals was kept
    told = [{"trial": place, "value": trial.value, **trial.params} for place, trial in enumerate(finished)]
    return Found(best, first.value, dict(first.params), told, tried - len(finished))
