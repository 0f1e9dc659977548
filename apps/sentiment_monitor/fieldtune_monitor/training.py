"""Trains the bundle of topic and tone models, language by language, and puts it into service if it is better.

For every slot (task and language) a bag of character n-grams, the frozen encoder with a head and, for the tone, the
fine-tuned encoder compete on validation rows, half of them in words they never saw; the best is kept. The bundle as a
whole is then compared with what serves on held-out rows that no version ever trains on: a row is held out by a hash of
its title as the models read it, without what a newsroom puts around it. Knows no streams and no alerts.
"""

import filecmp
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune import gate, registry
from fieldtune.data.write import write_table
from fieldtune.errors import InputError
from fieldtune.evaluate.figures import without_nan
from fieldtune.models.folder import locked, replaceable, staged
from fieldtune.runtime import generator
from fieldtune_monitor import slot_training
from fieldtune_monitor.classify import BUNDLE, ENCODER, Read, has_encoder, load_bundle
from fieldtune_monitor.labelled import TASKS, held_out, is_held_out
from fieldtune_monitor.monitor import APP
from fieldtune_monitor.slot_training import SHIPPED, Plan

ROWS = "training.csv"  # kept in the bundle: what a retraining starts from
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Spoken:
    """What users said of held-out titles, and how well such rows are read by a bundle that learnt nothing from users.

    Users speak of what was misread, so what serves is wrong there by that choice, and whatever answers otherwise would
    look better. The control answers otherwise too: it was trained like the candidate, but with the users' labels dealt
    out anew among the titles. Where users say nothing true, candidate and control are alike and so are their scores.
    """

    rows: pd.DataFrame
    control: Path


def train_bundle(rows: pd.DataFrame, out: Path, plan: Plan, keep: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """Train every slot and write the bundle folder; an interrupted call, made again, goes on where it stopped.

    Args:
        keep: slots that are not trained again, with the model folder to copy; a topic is trained all the same when it
            would read with another encoder than its tone.

    Returns:
        slot -> method, threshold, held-out accuracy, and the standings of the methods.

    Raises:
        InputError: no language and task with enough rows of two labels.
    """
    replaceable(out, APP)
    work = out.parent / f".{out.name}.work-{_fingerprint(rows, plan)}"
    held = np.array([is_held_out(title) for title in rows["title"]])
    kept = dict(keep or {})
    with locked(out):
        for other in out.parent.glob(f".{out.name}.work-*"):
            if other != work:
                shutil.rmtree(other, ignore_errors=True)
        slots: dict[str, dict[str, Any]] = {}
        for name, table in slot_training.tables(rows[~held]).items():
            if _reads_apart(name, work, kept):
                del kept[name]
            if name not in kept:
                slots[name] = slot_training.train(name, table, work / name, _sharing(name, work, kept, plan))
        if not slots:
            raise InputError(
                f"at least {slot_training.FEWEST} rows with two labels in a language",
                f"{len(rows)} rows",
                "label more titles",
            )
        folders = {name: work / name / SHIPPED for name in slots}
        for name, origin in kept.items():
            slots[name] = json.loads((origin.parent / BUNDLE).read_text(encoding="utf-8"))["slots"][name]
            folders[name] = origin
        with staged(out, {"application": APP}) as folder:
            for name, origin in folders.items():
                shutil.copytree(origin, folder / name)
            write_table(rows, folder / ROWS)
            chosen = {key: value for key, value in asdict(plan).items() if key != "progress"}
            about_all = {"slots": slots, "held_out": int(held.sum()), "rows": len(rows), "plan": chosen}
            (folder / BUNDLE).write_text(
                json.dumps(without_nan(about_all), indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8"
            )
    shutil.rmtree(work, ignore_errors=True)
    return slots


def _sharing(slot: str, work: Path, keep: Mapping[str, Path], plan: Plan) -> Plan:
    """The plan of a slot: topics start from the encoder that reads this language's tone, and leave it as it is.

    Then both read a title with the same encoder, once, which halves the cost of a stream.
    """
    task, language = slot.split("-", 1)
    if task == "tone":
        return plan
    tone = f"tone-{language}"
    encoder = keep.get(tone, work / tone / SHIPPED)
    methods = tuple(method for method in plan.methods if method != "full") or ("head",)
    return replace(plan, encoder=str(encoder) if has_encoder(encoder) else plan.encoder, methods=methods)


def _reads_apart(slot: str, work: Path, kept: Mapping[str, Path]) -> bool:
    """Whether a kept topic has another encoder than the tone just trained: every title would be read twice."""
    task, language = slot.split("-", 1)
    topic, tone = kept.get(slot), work / f"tone-{language}" / SHIPPED
    if task != "topic" or topic is None or not (has_encoder(topic) and has_encoder(tone)):
        return False
    return not filecmp.cmp(topic / ENCODER, tone / ENCODER, shallow=False)


def _fingerprint(rows: pd.DataFrame, plan: Plan) -> str:
    """Names the work folder, so that only the same rows and plan go on where they stopped."""
    return hashlib.sha256((rows.to_json(orient="values") + repr(replace(plan, progress=False))).encode()).hexdigest()[
        :10
    ]


def label_scores(read: Read, rows: pd.DataFrame) -> Scores:
    """1 or 0 for every label of held-out titles, NaN where a title has none. [N, 2] for tone and topic."""
    opinions = read(rows["title"].tolist(), rows["language"].tolist())
    said = {"tone": [opinion.tone for opinion in opinions], "topic": [opinion.topic for opinion in opinions]}
    right = [np.where(rows[column] == "", np.nan, rows[column] == said[task]) for task, column in TASKS.items()]
    return np.stack(right, axis=1).astype(np.float64)


def title_scores(labels: Scores) -> Scores:
    """Share of right labels per title, what the gate compares between bundles. [N, 2] -> [N]

    A title is one observation: whoever misreads its tone is likelier to misread its topic, and two rows of it would
    make the gate's intervals too narrow.
    """
    return np.asarray(np.nanmean(labels, axis=1))


def publish_bundle(
    folder: Path,
    origin: Path,
    rows: pd.DataFrame,
    *,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    present: Path | None = None,
    spoken: Spoken | None = None,
) -> gate.Verdict:
    """Gate a bundle against what serves for `origin` on the held-out part of `rows`; promote it or refuse.

    On the rows of `spoken` what serves counts as right, label by label, where it or the control is. There the bundle can show a gain in
    new wording, but no loss on stories that were read rightly: so it must not be surely worse on `rows` alone.

    Args:
        rows: none that users spoke of.
        present: what served when the bundle was begun, where it was made from that; None looks now.

    Raises:
        InputError: no row is held out. RefusedError: something else serves by the end.
    """
    held = held_out(rows)
    new, present = load_bundle(folder), present or registry.serving(APP, origin)
    scores = {"new": title_scores(label_scores(new, held))}
    if present != Path(origin).resolve():
        serving = load_bundle(present)
        scores[gate.INCUMBENT] = title_scores(label_scores(serving, held))
    count, told = len(scores["new"]), dict(details or {})
    if spoken is not None and gate.INCUMBENT in scores:
        control = label_scores(load_bundle(spoken.control), spoken.rows)
        allowed = np.fmax(label_scores(serving, spoken.rows), control)
        scores["new"] = np.append(scores["new"], title_scores(label_scores(new, spoken.rows)))
        scores[gate.INCUMBENT] = np.append(scores[gate.INCUMBENT], title_scores(allowed))
        told |= {"spoken": len(spoken.rows), "control": float(title_scores(control).mean())}
    untold = np.arange(len(scores["new"])) < count
    return registry.publish(
        APP, origin, {"new": folder}, scores, rng=generator(0), now=now, details={**told, "held_out": len(held)},
        scored=present, parts={"rows nobody corrected": untold, "rows users corrected": ~untold},
    )  # fmt: skip


def train_and_publish(rows: pd.DataFrame, out: Path, plan: Plan, now: datetime) -> tuple[dict[str, Any], gate.Verdict]:
    """What `monitor train` does: bundle into `out`, then the gate.

    Raises:
        InputError: nothing to train on, or no row is held out; nothing is written then.
    """
    held_out(rows)
    slots = train_bundle(rows, out, plan)
    verdict = publish_bundle(out, out, rows, now=now)
    if not verdict.promoted:
        registry.put_back(APP, out)
    return slots, verdict
