"""What every task shares whose answer is one label: the split, calibration, the scope, figures and predictions.

It knows labels and a model's probabilities, not what the model looks at: a text, a pair of texts, an image.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import OUT_OF_SCOPE, check_inside
from fieldtune.data.split import Indices, crossed, tenth
from fieldtune.evaluate.calibration import fit_temperature, threshold_keeping
from fieldtune.evaluate.classification import row_probabilities, tally
from fieldtune.evaluate.skewed import auc, balance
from fieldtune.models.labelled import Labelled
from fieldtune.models.scope import Signs, joined

FIGURE = "accuracy"
CALIBRATION_ROWS = 20  # fewer cannot tell confidence from luck: the temperature stays 1
KEPT = 0.95  # share of the validation rows that stay in scope when no out-of-scope rows are given


def split(table: pd.DataFrame, keys: Sequence[Hashable], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified tenth of the rows for validation; rows of one key stay on one side."""
    return tenth(table, keys, seed, table["label"].tolist())


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
    signs = signs_of(model, items)
    return figures(model, signs, given, calibrate(model, signs, given))


def fit(model: Labelled, signs: Signs, given: pd.Series, enough: bool) -> None:
    """Fit the in-scope threshold of ``model`` and, where rows are ``enough``, its temperature."""
    inside, outside = given.isin(model.labels).to_numpy(), (given == OUT_OF_SCOPE).to_numpy()
    if enough:
        model.temperature = fit_temperature(signs.logits[inside], places(model.labels, given[inside]))
    score = np.concatenate([model.scope_of(piece)[1] for piece in _pieces(model, signs)])
    model.threshold = _threshold(score, inside, outside)


def calibrate(model: Any, signs: Signs, given: pd.Series, fit: Callable[..., None] = fit) -> list[tuple[Any, Indices]]:
    """Fit ``model`` to all rows; what each of them is to be judged by is fitted to the others, by folds.

    Args:
        fit: (model, signs, given, enough) -> None, fits a model in place; whether the rows are ``enough`` for more than the
            scope all of them decide, so that what judges a fold is fitted as the model is.

    Returns:
        Per fold the model that judges it, and its rows; the model and all rows where there is one row alone.
    """
    check_inside(given)
    parts, enough = [], int(given.isin(model.labels).sum()) >= CALIBRATION_ROWS
    for others, own in crossed(given.tolist()):
        judge = copy(model)
        fit(judge, signs.of(others), given.iloc[others], enough)
        parts.append((judge, own))
    fit(model, signs, given, enough)
    return parts or [(model, np.arange(len(given)))]


def adopt(model: Labelled, measured: Labelled) -> None:
    """Calibrate ``model``, which was fitted on the validation rows too, as the one measured on them was."""
    model.temperature, model.threshold = measured.temperature, measured.threshold


def uncalibrated(model: Labelled, given: pd.Series, *more: str) -> list[str]:
    """What so few validation rows have not fitted, or not well, in words.

    Args:
        given: the labels of these rows; none where there are none.
        more: what else is fitted from as many rows as the temperature.
    """
    inside = int(given.isin(model.labels).sum())
    if inside >= CALIBRATION_ROWS:
        return []
    scope = [] if (given == OUT_OF_SCOPE).any() and inside else [_rough(inside)]
    return [f"{what}: takes {CALIBRATION_ROWS} rows of known labels" for what in ("the temperature", *more)] + scope


def _rough(inside: int) -> str:
    """What is to be known of a threshold that few rows set: it is the lowest score of them."""
    if not inside:
        return "the in-scope threshold: everything is in scope"
    return f"the in-scope threshold: about {1 / (inside + 1):.0%} of good rows will lie below it"


def metrics(model: Labelled, items: Sequence[Any], given: pd.Series) -> dict[str, Any]:
    """accuracy, macro_f1, weighted_f1, ece, aurc, log_loss, n, per_class; with out-of-scope rows also in_scope figures."""
    return _figures(model, ((model, piece) for piece in _signs(model, items)), given)


def correct(model: Labelled, items: Sequence[Any], given: pd.Series) -> NDArray[np.float64]:
    """1.0 where the prediction is right, per row: what the gate compares.

    Where some rows are out of scope, what the model turns away counts as such an answer, of any row.
    """
    names, foreign = np.asarray([*model.labels, OUT_OF_SCOPE]), len(model.labels)
    places_given = []
    for piece in _signs(model, items):
        decided, (kept, _) = model.decide(model.chances(piece.logits)), model.scope_of(piece)
        places_given.append(np.where(kept, decided, foreign) if (given == OUT_OF_SCOPE).any() else decided)
    return np.asarray(names[np.concatenate(places_given)] == given.to_numpy(dtype=str), dtype=np.float64)


def losses(model: Labelled, items: Sequence[Any], given: pd.Series) -> NDArray[np.float64]:
    """Log-loss of each item whose label the model knows: what tells rows it was trained on from others."""
    known = given.isin(model.labels).to_numpy()
    chances = model.probabilities([item for item, inside in zip(items, known, strict=True) if inside])
    right = chances[np.arange(len(chances)), places(model.labels, given[known])]
    return -np.log(np.maximum(right.astype(np.float64), 1e-30))


def predict(model: Labelled, items: Sequence[Any]) -> pd.DataFrame:
    """predicted, probability, in_scope, in_scope_score and a ``p_<label>`` column each, a row per item."""
    signs = model.signs(items)
    probabilities, (kept, score) = model.chances(signs.logits), model.scope_of(signs)
    decided = model.decide(probabilities)
    columns: dict[str, Any] = {
        "predicted": [model.labels[place] for place in decided],
        "probability": probabilities[np.arange(len(decided)), decided],
        "in_scope": kept,
        "in_scope_score": score,
    }
    return pd.DataFrame(columns | {f"p_{name}": probabilities[:, place] for place, name in enumerate(model.labels)})


def figures(
    model: Labelled, signs: Signs, given: pd.Series, parts: Sequence[tuple[Labelled, Indices]] = ()
) -> dict[str, Any]:
    """The same from signs at hand; with ``parts``, each row is judged as :func:`calibrate` says."""
    if not parts:
        return _figures(model, ((model, piece) for piece in _pieces(model, signs)), given)
    pieces = ((judge, piece) for judge, own in parts for piece in _pieces(judge, signs.of(own)))
    found = _figures(model, pieces, given.iloc[np.concatenate([own for _, own in parts])])
    return found | ({"folds": len(parts)} if len(parts) > 1 else {})


def _figures(model: Labelled, pieces: Iterable[tuple[Labelled, Signs]], given: pd.Series) -> dict[str, Any]:
    """Figures from signs that come in pieces, each with the model that judges it: of a row only its own probabilities
    are kept, so memory stays flat."""
    labels: list[str] = given.tolist()
    predicted: list[str] = []
    columns: list[tuple[NDArray[Any], ...]] = []
    for judge, signs in pieces:
        probabilities = judge.chances(signs.logits)
        names = [judge.labels[place] for place in judge.decide(probabilities)]
        own = row_probabilities(
            labels[len(predicted) : len(predicted) + len(names)], names, probabilities, model.labels
        )
        columns.append((*judge.scope_of(signs), *own))
        predicted += names
    kept, score, sure, chosen = (np.concatenate(column) for column in zip(*columns, strict=True))
    check_inside(given)
    mask = (given != OUT_OF_SCOPE).to_numpy()
    truth, answered = (np.asarray(names, dtype=object)[mask] for names in (labels, predicted))
    found = tally(truth.tolist(), answered.tolist(), sure[mask], chosen[mask], model.labels)
    found["in_scope"] = {
        "threshold": model.threshold,
        "kept": float(kept[mask].mean()),
        "kept_and_right": float(((truth == answered) & kept[mask]).mean()),
    }
    if not mask.all():
        found["in_scope"]["out_of_scope_recall"] = float((~kept[~mask]).mean())
        found["in_scope"]["auroc"] = auc(mask, score)
    return found


def signs_of(model: Labelled, items: Sequence[Any]) -> Signs:
    """What the model reads of all items, computed in pieces."""
    return joined(list(_signs(model, items)))


def _signs(model: Labelled, items: Sequence[Any]) -> Iterator[Signs]:
    """Signs of the items in pieces of rows, at least one."""
    size = _piece(model)
    for start in range(0, max(len(items), 1), size):
        yield model.signs(items[start : start + size])


def _pieces(model: Labelled, signs: Signs) -> list[Signs]:
    """Signs at hand in such pieces."""
    rows, size = len(signs.logits), _piece(model)
    return [signs.of(slice(start, start + size)) for start in range(0, max(rows, 1), size)]


def _piece(model: Labelled) -> int:
    """Rows at a time: a million scores, and no more rows than an encoder sorts by length at no loss."""
    return int(np.clip(2**20 // len(model.labels), 256, 8192))


def _threshold(score: NDArray[np.float32], inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> float:
    """Best balanced accuracy between in-scope and ``oos`` rows; without the latter, what keeps 95 % of the rows."""
    if not (outside.any() and inside.any()):
        return float(threshold_keeping(score, KEPT))
    candidates = np.unique(score)
    return float(candidates[int(np.argmax(balance(score[inside], score[outside], candidates)))])
