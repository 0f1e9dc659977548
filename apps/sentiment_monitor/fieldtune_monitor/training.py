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

from fieldtune import gate, pipeline, registry
from fieldtune.data.read import first_row, read_table, write_table
from fieldtune.data.split import stratified
from fieldtune.errors import InputError
from fieldtune.evaluate.significance import paired_bootstrap
from fieldtune.models import load
from fieldtune.models.folder import locked, replaceable, staged
from fieldtune.progress import say
from fieldtune.runtime import generator
from fieldtune.tasks.text_classification import correct
from fieldtune.text.language import detect, known
from fieldtune.text.normalise import equality_key
from fieldtune_monitor.classify import BUNDLE, ENCODER, Read, has_encoder, load_bundle
from fieldtune_monitor.dedupe import bare_title
from fieldtune_monitor.intake import MAX_TITLE, plain
from fieldtune_monitor.monitor import APP
from fieldtune_monitor.records import TONES
from fieldtune_monitor.wording import unseen_wording

ROWS = "training.csv"  # kept in the bundle: what a retraining starts from
HELD = 10  # one row in ten is held out for the gate
UNSEEN = 0.1  # share of validation rows in unseen wording; as many again are drawn at random
SHIPPED = "shipped"
FEWEST = 20
FEWEST_APART = 5  # validation rows below which an accuracy says nothing
TASKS = {"tone": "sentiment", "topic": "topic"}
COLUMNS = ("title", "sentiment", "topic", "language")
STREAM_SHARE = 0.15
SURGE = 5.0  # the threshold of "negative" is chosen to see a surge of this size best
METHODS = ("linear", "head", "full")
READABLE = ("en",)  # languages the embedded encoder reads
SETTINGS: Mapping[str, Any] = {"epochs": 3, "max_length": 64, "class_weights": "sqrt"}
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


@dataclass(frozen=True)
class Plan:
    """How to train: the encoder ("default" reads English), its languages, step limit, methods, seed.

    Raises:
        InputError: no method, or an unknown one.
    """

    encoder: str = "default"
    languages: tuple[str, ...] = READABLE
    max_steps: int = 200
    methods: tuple[str, ...] = METHODS
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown or not self.methods:
            found = repr(unknown[0]) if unknown else "none"
            raise InputError(f"methods out of {', '.join(METHODS)}", found, "for example --methods linear,head")


def read_rows(path: Path) -> pd.DataFrame:
    """A labelled table in the columns title, sentiment, topic, language.

    Raises:
        InputError: no title (or text) column, neither sentiment nor topic, an unknown tone or language.
    """
    table = read_table(path)
    if "title" not in table and "text" in table:
        table = table.rename(columns={"text": "title"})
    if "title" not in table or not {"sentiment", "topic"} & set(table):
        raise InputError(
            "the columns title (or text) and sentiment, topic, or both",
            f"{', '.join(map(str, table.columns))} in {path}",
            "rename the columns; sentiment is negative, neutral or positive",
        )
    return clean_rows(table, str(path), first_row(path))


def clean_rows(table: pd.DataFrame, where: str, first: int = 1) -> pd.DataFrame:
    """All four columns as clean text, one row per title and language; the last labels given to a title count.

    Titles are what the monitor reads of them: bare, so that one title in two wrappings is one row, on one side of the
    gate. A column `source` helps to recognise the wrapping.

    Args:
        table: with row numbers from 0; where, first: its name and the number of its first row, for messages.

    Raises:
        InputError: an unknown tone or language, or no title.
    """
    rows = pd.DataFrame({name: table.get(name, "") for name in (*COLUMNS, "source")}).fillna("").astype(str)
    rows = rows.apply(lambda column: column.str.strip())
    rows["sentiment"] = rows["sentiment"].str.lower()
    wrong = sorted(set(rows["sentiment"]) - {*TONES, ""})
    if wrong:
        raise InputError(f"tones {', '.join(TONES)}", f"{wrong[0]!r} in {where}", "rename the labels")
    wrapped = zip(rows["title"], rows["source"], strict=True)
    rows["title"] = [bare_title(plain(title, MAX_TITLE), source) for title, source in wrapped]
    rows = pd.DataFrame(rows[rows["title"] != ""])
    if rows.empty:
        raise InputError("at least one title", f"only empty cells in {where}", "check the columns")
    rows["language"] = [
        known(tag, f"row {number} of {where}") or detect(title)
        for number, tag, title in zip(rows.index + first, rows["language"], rows["title"], strict=True)
    ]
    labels = rows.replace("", pd.NA).groupby(["title", "language"], sort=False, as_index=False)[list(TASKS.values())]
    return pd.DataFrame(labels.last().fillna("")[list(COLUMNS)])


def is_held_out(title: str) -> bool:
    """Whether a row belongs to the gate: by a hash of its bare title, so it is never trained on, whoever sends it."""
    return int(hashlib.sha256(equality_key(title).encode()).hexdigest()[:8], 16) % HELD == 0


def held_out(rows: pd.DataFrame) -> pd.DataFrame:
    """The labelled rows that the gate compares on.

    Raises:
        InputError: there is none.
    """
    labelled = (rows[list(TASKS.values())] != "").any(axis=1).to_numpy()
    held = rows[labelled & np.array([is_held_out(title) for title in rows["title"]], dtype=bool)].reset_index(drop=True)
    if held.empty:
        raise InputError(f"enough rows for one in {HELD} to be held out", f"{len(rows)} rows", "label more titles")
    return pd.DataFrame(held)


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
    replaceable(out)
    work = out.parent / f".{out.name}.work-{_fingerprint(rows, plan)}"
    held = np.array([is_held_out(title) for title in rows["title"]])
    kept = dict(keep or {})
    with locked(out):
        for other in out.parent.glob(f".{out.name}.work-*"):
            if other != work:
                shutil.rmtree(other, ignore_errors=True)
        slots: dict[str, dict[str, Any]] = {}
        for name, table in _slots(rows[~held]).items():
            if _reads_apart(name, work, kept):
                del kept[name]
            if name not in kept:
                slots[name] = _train_slot(name, table, work / name, _sharing(name, work, kept, plan))
        if not slots:
            raise InputError(
                f"at least {FEWEST} rows with two labels in a language", f"{len(rows)} rows", "label more titles"
            )
        folders = {name: work / name / SHIPPED for name in slots}
        for name, origin in kept.items():
            slots[name] = json.loads((origin.parent / BUNDLE).read_text())["slots"][name]
            folders[name] = origin
        with staged(out, {"application": APP}) as folder:
            for name, origin in folders.items():
                shutil.copytree(origin, folder / name)
            write_table(rows, folder / ROWS)
            chosen = {key: value for key, value in asdict(plan).items() if key != "progress"}
            about_all = {"slots": slots, "held_out": int(held.sum()), "rows": len(rows), "plan": chosen}
            (folder / BUNDLE).write_text(json.dumps(about_all, indent=1, sort_keys=True, ensure_ascii=False))
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


def _slots(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Slot -> its rows as a training table (text, label); languages with too few rows or labels are left out."""
    found = {}
    for task, column in TASKS.items():
        for language in sorted(set(rows["language"])):
            part = rows[(rows["language"] == language) & (rows[column] != "")]
            table = pd.DataFrame({"text": part["title"], "label": part[column]}).reset_index(drop=True)
            if len(table) >= FEWEST and table["label"].nunique() > 1:
                found[f"{task}-{language}"] = table
            elif len(table):
                say(
                    f"{task} in language '{language}': {len(table)} rows of {table['label'].nunique()} labels are too few"
                )
    return found


def _train_slot(name: str, table: pd.DataFrame, work: Path, plan: Plan) -> dict[str, Any]:
    """Fit every method, let the gate choose on validation rows, set the threshold of "negative" there, fit once more."""
    rng = generator(plan.seed)
    inside, outside = _split(table, rng)
    methods = plan.methods if name.rsplit("-", 1)[1] in plan.languages else ("linear",)
    if outside is table:
        return _train_unmeasured(name, table, work, methods[0], plan)
    models: dict[str, Any] = {}
    for method in methods:
        if plan.progress:
            say(f"{name}: {method} on {len(inside)} rows")
        models[method] = _fit(inside, outside, method, work / method, plan)
    scores = {method: correct(model, outside) for method, model in models.items()}
    verdict = gate.decide(scores, rng)
    chosen = models[verdict.winner]
    about: dict[str, Any] = {
        "method": verdict.winner,
        "labels": list(chosen.labels),
        "validation_accuracy": {method: float(values.mean()) for method, values in scores.items()},
        "reason": verdict.reason,
    }
    if warning := _no_better(scores[verdict.winner], outside["label"], rng):
        about["warning"] = warning
        say(f"warning: {name} {warning}")
    if "negative" in chosen.labels and name.startswith("tone"):
        p = chosen.probabilities(outside["text"].tolist())[:, list(chosen.labels).index("negative")]
        about["threshold"] = surge_threshold(p, (outside["label"] == "negative").to_numpy())
    _ship(chosen, verdict.winner, table, outside, work, plan)
    return about


def _train_unmeasured(name: str, table: pd.DataFrame, work: Path, method: str, plan: Plan) -> dict[str, Any]:
    """Fit the first method on all rows. On rows it was fitted on, no accuracy means anything and nothing is chosen."""
    reason = f"not measured on other rows: {len(table)} are too few to keep some back"
    say(f"note: {name} is {reason}")
    model = _fit(table, table, method, work / method, plan, apart=False)
    model.card = {**model.card, "metrics": {}}
    with staged(work / SHIPPED, {"application": APP}) as folder:
        model.save(folder)
    return {"method": method, "labels": list(model.labels), "validation_accuracy": {}, "reason": reason}


def _no_better(scores: NDArray[np.float64], labels: pd.Series, rng: np.random.Generator) -> str:
    """What to say of a model that is not surely better than one that knows only the commonest label; "" of others."""
    commonest = labels.mode()[0]
    if paired_bootstrap(scores, (labels == commonest).astype(float), rng).low > 0:
        return ""
    return (
        f"is not surely better than always saying {commonest!r} ({scores.mean():.2f} of {len(scores)} validation rows "
        "right): label more rows, and look at the labels"
    )


def _split(table: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to fit and validation rows: some of these in words the rest does not use, as many at random.

    All at random where no words can be held out; the table itself, twice, where it is too small to keep rows back.
    """
    seen, unseen = unseen_wording(table["text"].tolist(), table["label"].tolist(), UNSEEN, rng)
    share = UNSEEN if len(unseen) else 2 * UNSEEN
    rest, random = stratified(table["label"].iloc[seen].tolist(), share, rng)
    outside = np.sort(np.concatenate([unseen, seen[random]]))
    if len(outside) < FEWEST_APART:
        return table, table
    return table.iloc[seen[rest]].reset_index(drop=True), table.iloc[outside].reset_index(drop=True)


def _fit(inside: pd.DataFrame, outside: pd.DataFrame, method: str, out: Path, plan: Plan, *, apart: bool = True) -> Any:
    """A fitted model. `apart`: whether validation rows are no training rows; else its figures must not be used."""
    changes = {**SETTINGS, "max_steps": plan.max_steps} if method == "full" else {"max_length": SETTINGS["max_length"]}
    done = pipeline.finetune(
        "text-classification", inside, valid=outside, model=plan.encoder, method=method, out=out,
        settings=changes, seed=plan.seed, progress=plan.progress, apart=apart,
    )  # fmt: skip
    return load(done.path)


def _ship(chosen: Any, method: str, table: pd.DataFrame, outside: pd.DataFrame, work: Path, plan: Plan) -> None:
    """Write the model to ship: fitted on the validation rows too, with calibration and figures from before.

    A fine-tuned encoder ships as it was chosen: it depends less on single words, and would cost its time again.
    """
    final = chosen
    if method != "full":
        final = _fit(table, outside, method, work / f"{method}-all", plan, apart=False)
        final.temperature, final.threshold, final.card = chosen.temperature, chosen.threshold, chosen.card
    with staged(work / SHIPPED, {"application": APP}) as folder:
        final.save(folder)


def surge_threshold(p_negative: NDArray[Any], negative: NDArray[np.bool_], surge: float = SURGE) -> float:
    """The threshold on P(negative) at which a surge of true negatives moves the counted ones most surely.

    Per story, counting with hit rate t and false-alarm rate f sees a rate b = q t + (1 - q) f, and rho times that in a
    surge; the expected log likelihood ratio of Poisson counts is b (rho ln rho - rho + 1). That is maximised over
    thresholds between .4 and .6, no further, as validation rows are few and half of them harder than a stream. q is
    taken as .15: labelled rows are balanced, a stream of news is not.
    """
    best, best_threshold, q = -1.0, 0.5, STREAM_SHARE
    if negative.all() or not negative.any():
        return best_threshold
    for threshold in np.arange(0.4, 0.61, 0.05):
        said = p_negative >= threshold
        hit = float((said & negative).sum() + 0.5) / (negative.sum() + 1.0)
        wrong = float((said & ~negative).sum() + 0.5) / ((~negative).sum() + 1.0)
        base = q * hit + (1 - q) * wrong
        rho = (surge * q * hit + (1 - q) * wrong) / base
        gain = base * (rho * np.log(rho) - rho + 1)
        if gain > best:
            best, best_threshold = gain, float(round(threshold, 2))
    return best_threshold


def bundle_scores(read: Read, rows: pd.DataFrame) -> Scores:
    """1 or 0 for every held-out label, tone and topic alike: what the gate compares between bundles."""
    opinions = read(rows["title"].tolist(), rows["language"].tolist())
    found = []
    for task, column in TASKS.items():
        said = [opinion.tone if task == "tone" else opinion.topic for opinion in opinions]
        labelled = (rows[column] != "").to_numpy()
        found.append(np.asarray([a == b for a, b in zip(said, rows[column], strict=True)], dtype=np.float64)[labelled])
    return np.concatenate(found)


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

    On the rows of `spoken` what serves counts as right where it or the control is. There the bundle can show a gain in
    new wording, but no loss on stories that were read rightly: so it must not be surely worse on `rows` alone.

    Args:
        rows: none that users spoke of.
        present: what served when the bundle was begun, where it was made from that; None looks now.

    Raises:
        InputError: no row is held out. RefusedError: something else serves by the end.
    """
    held = held_out(rows)
    new, present = load_bundle(folder), present or registry.serving(APP, origin)
    scores = {"new": bundle_scores(new, held)}
    if present != Path(origin).resolve():
        serving = load_bundle(present)
        scores[gate.INCUMBENT] = bundle_scores(serving, held)
    count, told = len(scores["new"]), dict(details or {})
    if spoken is not None and gate.INCUMBENT in scores:
        control = bundle_scores(load_bundle(spoken.control), spoken.rows)
        allowed = np.maximum(bundle_scores(serving, spoken.rows), control)
        scores["new"] = np.append(scores["new"], bundle_scores(new, spoken.rows))
        scores[gate.INCUMBENT] = np.append(scores[gate.INCUMBENT], allowed)
        told |= {"spoken": len(spoken.rows), "control": float(control.mean())}
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
