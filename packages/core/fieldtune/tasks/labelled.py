"""What every task shares whose answer is one label: the split, calibration, the scope, figures and predictions.

It knows labels and a model's probabilities, not what the model looks at: a text, a pair of texts, an image.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import OUT_OF_SCOPE
from fieldtune.data.split import stratified
from fieldtune.evaluate.calibration import fit_temperature, softmax, threshold_keeping
from fieldtune.evaluate.classification import report
from fieldtune.models.labelled import Labelled
from fieldtune.runtime import generator

FIGURE = "accuracy"
CALIBRATION_ROWS = 20  # fewer cannot tell confidence from luck: the temperature stays 1
KEPT = 0.95  # share of the validation rows that stay in scope when no out-of-scope rows are given


def split(table: pd.DataFrame, keys: Sequence[Hashable], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified tenth of the rows for validation; rows of one key stay on one side."""
    rows, held_out = stratified(table["label"].tolist(), 0.1, generator(seed), keys)
    return table.iloc[rows].reset_index(drop=True), table.iloc[held_out].reset_index(drop=True)


def classes(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...], NDArray[np.int64]]:
    """The rows that have a class, the classes in order, and each row's place among them."""
    table = table[table["label"] != OUT_OF_SCOPE]
    labels = tuple(sorted(table["label"].unique()))
    return table, labels, places(labels, table["label"])


def places(labels: Sequence[str], given: pd.Series) -> NDArray[np.int64]:
    """Where each label stands in the sorted ``labels``, all of which are there."""
    return np.searchsorted(np.asarray(labels), given.to_numpy(dtype=str)).astype(np.int64)


def finish(model: Labelled, items: Sequence[Any], given: pd.Series) -> dict[str, Any]:
    """Fit temperature and in-scope threshold on validation rows; returns the metrics on them.

    Rows of a label that training never saw count as wrong in the metrics and take no part in the temperature.
    """
    return calibrate(model, model.logits(items), given)


def calibrate(model: Labelled, logits: NDArray[np.float32], given: pd.Series) -> dict[str, Any]:
    """The same from logits at hand."""
    inside = given.isin(model.labels).to_numpy()
    if inside.sum() >= CALIBRATION_ROWS:
        model.temperature = fit_temperature(logits[inside], places(model.labels, given[inside]))
    _, score = model.scope_of(_calibrated(model, logits))
    model.threshold = _threshold(score, inside, (given == OUT_OF_SCOPE).to_numpy())
    return figures(model, logits, given)


def adopt(model: Labelled, measured: Labelled) -> None:
    """Calibrate ``model``, which was fitted on the validation rows too, as the one measured on them was."""
    model.temperature, model.threshold = measured.temperature, measured.threshold


def metrics(model: Labelled, items: Sequence[Any], given: pd.Series) -> dict[str, Any]:
    """accuracy, macro_f1, weighted_f1, ece, log_loss, n, per_class; with out-of-scope rows also in_scope figures."""
    return figures(model, model.logits(items), given)


def correct(model: Labelled, items: Sequence[Any], given: pd.Series) -> NDArray[np.float64]:
    """1.0 where the prediction is right, per row: what the gate compares."""
    predicted = np.asarray(model.labels)[model.logits(items).argmax(axis=1)]
    return np.asarray(predicted == given.to_numpy(dtype=str), dtype=np.float64)


def losses(model: Labelled, items: Sequence[Any], given: pd.Series) -> NDArray[np.float64]:
    """Log-loss of each item whose label the model knows: what tells rows it was trained on from others."""
    known = given.isin(model.labels).to_numpy()
    chances = _calibrated(model, model.logits([item for item, inside in zip(items, known, strict=True) if inside]))
    right = chances[np.arange(len(chances)), places(model.labels, given[known])]
    return -np.log(np.maximum(right.astype(np.float64), 1e-30))


def predict(model: Labelled, items: Sequence[Any]) -> pd.DataFrame:
    """predicted, probability, in_scope, in_scope_score and a ``p_<label>`` column each, a row per item."""
    probabilities = model.probabilities(items)
    kept, score = model.scope_of(probabilities)
    columns: dict[str, Any] = {
        "predicted": [model.labels[place] for place in probabilities.argmax(axis=1)],
        "probability": probabilities.max(axis=1),
        "in_scope": ["true" if value else "false" for value in kept],
        "in_scope_score": score,
    }
    return pd.DataFrame(columns | {f"p_{name}": probabilities[:, place] for place, name in enumerate(model.labels)})


def figures(model: Labelled, logits: NDArray[np.float32], given: pd.Series) -> dict[str, Any]:
    """The same from logits at hand."""
    probabilities = _calibrated(model, logits)
    kept, _ = model.scope_of(probabilities)
    mask = (given != OUT_OF_SCOPE).to_numpy()
    predicted = [model.labels[place] for place in probabilities[mask].argmax(axis=1)]
    found = report(given[mask].tolist(), predicted, probabilities[mask], model.labels)
    right = np.asarray(predicted) == given[mask].to_numpy(dtype=str)
    found["in_scope"] = {
        "threshold": model.threshold,
        "kept": float(kept[mask].mean()) if mask.any() else float("nan"),
        "accuracy": float((right & kept[mask]).mean()) if mask.any() else float("nan"),
    }
    if not mask.all():
        found["in_scope"]["out_of_scope_recall"] = float((~kept[~mask]).mean())
    return dict(found)


def _calibrated(model: Labelled, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(softmax(logits, model.temperature), dtype=np.float32)


def _threshold(score: NDArray[np.float32], inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> float:
    """Best balanced accuracy between in-scope and ``oos`` rows; without the latter, what keeps 95 % of the rows."""
    if not outside.any():
        return float(threshold_keeping(score, KEPT))
    candidates = np.unique(score)
    balanced = [(score[inside] >= value).mean() + (score[outside] < value).mean() for value in candidates]
    return float(candidates[int(np.argmax(balanced))])
