"""Trains one slot of the bundle, a task in a language: methods compete on validation rows, the best ships.

Half of the validation rows are in words that the training rows never had. For tone, the threshold of "negative" is set
there too. Knows no bundle and no gate between bundles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune import gate, pipeline
from fieldtune.data.split import stratified
from fieldtune.errors import InputError
from fieldtune.evaluate.significance import paired_bootstrap
from fieldtune.models import load
from fieldtune.models.encoder import DEFAULT
from fieldtune.models.folder import staged
from fieldtune.progress import say
from fieldtune.runtime import generator
from fieldtune.tasks.text_classification import adopt, correct
from fieldtune_monitor.labelled import TASKS
from fieldtune_monitor.monitor import APP
from fieldtune_monitor.wording import unseen_wording

UNSEEN = 0.1  # share of validation rows in unseen wording; as many again are drawn at random
SHIPPED = "shipped"
FEWEST = 20
FEWEST_APART = 5  # validation rows below which an accuracy says nothing
FEW = 30  # rows below which a share of right ones says little: its 95 % interval may be a third wide
STREAM_SHARE = 0.15
SURGE = 5.0  # the threshold of "negative" is chosen to see a surge of this size best
_LENGTH = {"max_length": 64}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "linear": {},
    "head": _LENGTH,
    # Corrections contradict the rest by nature, and the control of a retraining must learn from as many rows.
    "full": {**_LENGTH, "epochs": 3, "class_weights": "sqrt", "noisy": "keep"},
}
METHODS = tuple(SETTINGS)
READABLE = ("en",)  # languages the embedded encoder reads


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


def tables(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
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


def train(name: str, table: pd.DataFrame, work: Path, plan: Plan) -> dict[str, Any]:
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
        "validation_rows": len(outside),
        "reason": verdict.reason,
    }
    if caution := few(len(outside), "validation rows"):
        about["caution"] = caution
        say(f"caution: {name}: {caution}")
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
    return {
        "method": method,
        "labels": list(model.labels),
        "validation_accuracy": {},
        "validation_rows": 0,
        "reason": reason,
    }


def _no_better(scores: NDArray[np.float64], labels: pd.Series, rng: np.random.Generator) -> str:
    """What to say of a model that is not surely better than one that knows only the commonest label; "" of others."""
    commonest = labels.mode()[0]
    if paired_bootstrap(scores, (labels == commonest).astype(float), rng).low > 0:
        return ""
    return (
        f"is not surely better than always saying {commonest!r} ({scores.mean():.2f} of {len(scores)} validation rows "
        "right): label more rows, and look at the labels"
    )


def few(count: int, what: str) -> str:
    """What to say of a share that rests on so few rows; "" where they are enough."""
    return f"{count} {what} are few: take the scores on them as rough" if count < FEW else ""


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
    encoder = DEFAULT if method == "linear" else plan.encoder  # which reads none
    changes = {**SETTINGS[method], **({"max_steps": plan.max_steps} if method == "full" else {})}
    done = pipeline.finetune(
        "text-classification", inside, valid=outside, model=encoder, method=method, out=out,
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
        adopt(final, chosen)
        final.card = chosen.card
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
