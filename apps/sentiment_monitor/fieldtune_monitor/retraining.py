"""What users corrected becomes a candidate bundle; it ships only if it is surely better on held-out rows.

Corrected tones and topics are training rows; the last word on a title counts. Confirmed and dismissed alerts train
nothing: they say an alert was worth it or not, which `backtest` counts; stories of a dismissed alert count here only
where the user also corrected them. Of the corrected titles those that are held out by their hash train nothing: they
judge, in the way `training.Spoken` explains, and are not kept among the rows of the bundle. Labels that contradict each
other too often are refused before anything is trained.
"""

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune import gate, registry
from fieldtune.data.read import read_table
from fieldtune.errors import ArtefactError, InputError, RefusedError
from fieldtune.feedback import Feedback
from fieldtune.models.folder import verify
from fieldtune.progress import say
from fieldtune.retraining import about, workplace
from fieldtune.runtime import generator
from fieldtune_monitor.classify import BUNDLE, load_bundle
from fieldtune_monitor.labelled import COLUMNS, TASKS, clean_rows, held_out, is_held_out
from fieldtune_monitor.monitor import APP
from fieldtune_monitor.slot_training import Plan
from fieldtune_monitor.training import ROWS, Spoken, publish_bundle, train_bundle

LABELS = {"tone": ("sentiment", "tone", "label"), "topic": ("topic", "label")}
FOLDS = 5
ENOUGH = 30  # corrections below which contradictions say nothing
PLAIN = 0.5  # margin between the first and the second label above which a contradiction is plain
MOST_CONTRADICTED = 0.09


def corrections(rows: Sequence[Feedback]) -> pd.DataFrame:
    """Feedback -> labelled rows; later statements about a title win. Rows that correct nothing are left out."""
    found = []
    for row in rows:
        if row.kind not in LABELS:
            continue
        title = str(row.payload.get("title") or row.payload.get("text") or "").strip()
        label = next((str(row.payload[name]).strip() for name in LABELS[row.kind] if row.payload.get(name)), "")
        if title and label:
            language, source = row.language or row.payload.get("language", ""), row.payload.get("source", "")
            found.append({"title": title, "language": language, "source": source, TASKS[row.kind]: label})
    return clean_rows(pd.DataFrame(found), "the feedback") if found else pd.DataFrame(columns=list(COLUMNS))


def merged(known: pd.DataFrame, corrected: pd.DataFrame) -> pd.DataFrame:
    """Known rows with the corrections laid over them, title by title; a correction of the tone keeps the topic."""
    return clean_rows(pd.concat([known, corrected], ignore_index=True), "the merged rows")


def contradicted(known: pd.DataFrame, corrected: pd.DataFrame, column: str, seed: int = 0) -> tuple[float, int]:
    """Share of corrections that everything else plainly contradicts (five folds of an n-gram model), and how many.

    Users who mean what they say repeat themselves: the same wording gets the same label, and a model of the others
    knows it. A random label is contradicted with a wide margin; a hard one is missed by a narrow one. On the sample
    company honest corrections give 0 to .07, with three labels in ten at random .10 to .19.
    """
    from sklearn.svm import LinearSVC

    from fieldtune.models.features import NgramFeatures

    wrong, n = 0, 0
    for language in sorted(set(corrected["language"])):
        new = corrected[(corrected["language"] == language) & (corrected[column] != "")]
        old = known[(known["language"] == language) & (known[column] != "") & ~known["title"].isin(new["title"])]
        folds = generator(seed).permutation(len(new)) % FOLDS
        for fold in range(FOLDS):
            train, test = pd.concat([old, new[folds != fold]]), new[folds == fold]
            if test.empty or train[column].nunique() < 3:
                continue  # two classes have one margin, which says less
            features = NgramFeatures.fit(train["title"].tolist())
            machine = LinearSVC(C=0.5, random_state=seed).fit(features(train["title"].tolist()), train[column])
            scores = machine.decision_function(features(test["title"].tolist()))
            best = np.sort(scores, axis=1)
            other = machine.classes_[scores.argmax(axis=1)] != test[column].to_numpy()
            wrong, n = wrong + int((other & (best[:, -1] - best[:, -2] > PLAIN)).sum()), n + len(test)
    return (wrong / n if n else 0.0), n


def retrain(
    rows: Sequence[Feedback], slot: str | None = None, *, home: Path, now: datetime, progress: bool
) -> gate.Verdict:
    """Train a candidate from the feedback about one model folder and gate it against what serves.

    Args:
        slot: the folder's name or path; None takes the one that the newest correction is about.

    Raises:
        InputError: nothing was corrected, no such model serves, or no row is held out that nobody corrected.
        RefusedError: another process retrains it, or something else serves by the end.
    """
    origin, own = about(APP, [row for row in rows if row.kind in LABELS], "origin", slot)
    corrected = corrections(own)
    if corrected.empty:
        found = f"none about {origin} among {len(rows)} rows"
        raise InputError("corrected tones or topics", found, "correct some on the page")
    with workplace(home, APP, origin) as place:
        return _retrained(origin, corrected, place / "model", now=now, progress=progress)


def _retrained(
    origin: Path, corrected: pd.DataFrame, candidate: Path, *, now: datetime, progress: bool
) -> gate.Verdict:
    present = registry.serving(APP, origin)
    verify(present)
    known = clean_rows(read_table(present / ROWS, numbered=True), str(present))
    for task, column in TASKS.items():
        share, n = contradicted(known, corrected, column)
        if n >= ENOUGH and share > MOST_CONTRADICTED:
            reason = (
                f"{share:.0%} of {n} corrected {task}s are plainly contradicted by the other labels, "
                f"more than {MOST_CONTRADICTED:.0%}: they look random"
            )
            return gate.Verdict(False, gate.INCUMBENT, reason, ())
    judging = held_back(corrected)
    rows = merged(known, corrected)
    rows = rows[~_among(rows, judging)].reset_index(drop=True)
    held_out(rows)
    changed = frozenset(
        f"{task}-{language}"
        for task, column in TASKS.items()
        for language in set(corrected.loc[corrected[column] != "", "language"])
    )
    plan, keep = _plan(present, progress), {name: present / name for name in _slots(present) - changed}
    slots = train_bundle(rows, candidate, plan, keep=keep)
    spoken = None
    if len(judging):
        won = tuple(dict.fromkeys(slots[name]["method"] for name in sorted(set(slots) - set(keep))))
        spoken = Spoken(judging, candidate.with_name("control"))
        say("training once more with the corrections dealt out anew, to compare with") if progress else None
        with contextlib.redirect_stderr(io.StringIO()):  # its warnings are about labels that nobody gave
            train_bundle(dealt(rows, corrected), spoken.control, replace(plan, methods=won or plan.methods), keep=keep)
    details = {"corrections": len(corrected), "corrected_slots": sorted(changed)}
    verdict = publish_bundle(candidate, origin, rows, now=now, details=details, present=present, spoken=spoken)
    say(verdict.reason) if progress else None
    return verdict


def held_back(corrected: pd.DataFrame) -> pd.DataFrame:
    """The corrected rows that judge and never train: those whose title is held out."""
    return corrected[[is_held_out(title) for title in corrected["title"]]].reset_index(drop=True)


def dealt(rows: pd.DataFrame, corrected: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The rows, the labels of the corrected ones dealt out anew among them, language by language: for the control.

    As many rows have each label as before; only what users said of which title is gone.
    """
    rng, mixed = generator(seed), rows.copy()
    for column in TASKS.values():
        spoken = _among(rows, corrected[corrected[column] != ""])
        for language in sorted(set(rows.loc[spoken, "language"])):
            own = spoken & (rows["language"] == language)
            mixed.loc[own, column] = rng.permutation(rows.loc[own, column].to_numpy())
    return mixed


def _among(rows: pd.DataFrame, some: pd.DataFrame) -> pd.Series:
    """Which rows are about a title, in its language, of `some`."""
    keys = set(zip(some["title"], some["language"], strict=True))
    return pd.Series([key in keys for key in zip(rows["title"], rows["language"], strict=True)], rows.index, dtype=bool)


def publish(folder: Path, slot: str | None, now: datetime) -> gate.Verdict:
    """Gate a finished bundle against what serves, on the held-out rows it carries.

    Raises:
        InputError, ArtefactError: no bundle. RefusedError: a slot nothing serves in.
    """
    load_bundle(folder)
    rows = clean_rows(read_table(folder / ROWS, numbered=True), str(folder))
    origin = registry.origin_of(APP, slot) or folder
    if slot is not None and origin is folder:
        served = ", ".join(known.name for known in registry.origins(APP)) or "none yet"
        raise RefusedError(f"a slot of the monitor: {served}", slot, "choose one")
    return publish_bundle(folder, origin, rows, now=now)


def _about(folder: Path) -> Mapping[str, Any]:
    try:
        about: Mapping[str, Any] = json.loads((folder / BUNDLE).read_text(encoding="utf-8"))
        return about
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{BUNDLE} in {folder}", type(error).__name__, "train the model again") from error


def _slots(folder: Path) -> frozenset[str]:
    return frozenset(_about(folder)["slots"])


def _plan(folder: Path, progress: bool) -> Plan:
    about = dict(_about(folder).get("plan", {}))
    for name in ("languages", "methods"):
        if name in about:
            about[name] = tuple(about[name])
    return Plan(**{**about, "progress": progress})
