"""Text classification with any number of labels a text, ``a|b``. Methods: linear, head, and those that tune the encoder.

Every label is a question of its own, answered by a probability and a threshold that validation rows fitted for its F1.
Which table is of this kind is never guessed: a pipe inside a single label is only text. It is asked for as the task
``multi-label-classification``, or as ``text-classification`` with the setting ``multi_label``.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fieldtune.data.checks import Finding, check_table, text_key
from fieldtune.data.labels import check_sets, joined, label_set
from fieldtune.data.split import crossed, rarest, tenth
from fieldtune.data.tables import training_table
from fieldtune.evaluate.multilabel import best_thresholds, indicators, report, row_f1
from fieldtune.models.features import EncoderFeatures, Features, NgramFeatures
from fieldtune.models.multi_label import MultiLabelClassifier
from fieldtune.models.trained import load_encoder
from fieldtune.tasks.supervised import Headed, inputs_of, supervised
from fieldtune.train.heeds import CLASSES, Names
from fieldtune.train.losses import binary_cross_entropy, positive_weights
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import TOP, TUNED, Body, text_heeds, trainable, tune
from fieldtune.train.words import words_at_hand

COLUMNS = (("text", "label"), ())
INPUTS = ("text",)
DEFAULTS = Settings(multi_label=True, refit=True, label_smoothing=0.0)
METHODS = ("linear", "head", *TUNED, TOP)
RIVALS = ("linear", "head")
ENCODERLESS = ("linear",)
SHARED = (*TUNED, TOP)
FIGURE = "micro_f1"
_FEWEST = 5  # validation rows with a label, below which its threshold stays at one half
_INVERSE_PENALTY = 10.0
read = partial(training_table, task="multi-label-classification")


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    return text_heeds(method, *CLASSES) | {"multi_label"}


def check(table: pd.DataFrame) -> list[Finding]:
    """Findings on texts and on sets of labels, errors first."""
    found = check_table(table, "multi-label-classification")
    if len(table):
        found += check_sets(table["label"])
    return sorted(found, key=lambda finding: finding.severity)


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return list(table["text"])


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A tenth of the rows, in about the same shares of each label; rows of one text on one side."""
    return tenth(table, [text_key(text) for text in table["text"]], seed, rarest(_sets(table)))


def train(
    table: pd.DataFrame, method: str, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> MultiLabelClassifier:
    """Fit on ``table`` (columns text, label)."""
    sets, written = _sets(table), texts(table)
    labels = tuple(sorted({label for row in sets for label in row}))
    targets = indicators(sets, labels)
    if method == "linear":
        return _model(NgramFeatures.fit(written), written, targets, labels, seed)
    start = _model(load_encoder(model, settings.max_length, cached=True).features, written, targets, labels, seed)
    if method == "head":
        return start
    encoder = trainable(model, method, settings)
    tokens = encoder.tokens(written, settings.max_length)
    module = Headed(Body(encoder), start.weight, start.bias, settings.dropout)
    loss = partial(
        binary_cross_entropy,
        weights=positive_weights(targets, labels, settings.class_weights),
        smoothing=settings.label_smoothing,
        gamma=settings.focal_gamma,
    )
    made = supervised(inputs_of(encoder, tokens), torch.from_numpy(targets), loss)
    with words_at_hand(encoder, tokens):
        tune(module, made, tokens, settings, seed=seed, folder=folder, show=show)
    return MultiLabelClassifier(
        EncoderFeatures(encoder, settings.max_length), *module.weights(), labels, start.thresholds
    )


def finish(model: MultiLabelClassifier, valid: pd.DataFrame) -> dict[str, Any]:
    """Fit the thresholds on validation rows; returns the metrics on them.

    In these every row is judged by thresholds of other rows: the best ones for a few rows are far too good for them.
    """
    probabilities, truth = model.probabilities(texts(valid)), _sets(valid)
    targets = indicators(truth, model.labels)
    enough = targets.sum(axis=0) >= _FEWEST  # of all rows: a fold is judged as the model was fitted
    model.thresholds = best_thresholds(probabilities, targets, enough)
    given, parts = model.given(probabilities), crossed(rarest(truth))
    for others, own in parts:
        thresholds = best_thresholds(probabilities[others], targets[others], enough)
        for row, names in zip(own, replace(model, thresholds=thresholds).given(probabilities[own]), strict=True):
            given[row] = names
    return report(truth, given, model.labels) | ({"folds": len(parts)} if parts else {})


def adopt(model: MultiLabelClassifier, measured: MultiLabelClassifier) -> None:
    """Take the thresholds of the model that was measured; a label it had not seen keeps one half."""
    known = dict(zip(measured.labels, measured.thresholds, strict=True))
    model.thresholds = np.asarray([known.get(label, 0.5) for label in model.labels], dtype=np.float32)


def uncalibrated(model: MultiLabelClassifier, valid: pd.DataFrame) -> list[str]:
    """Which thresholds ``valid`` is too small to have fitted."""
    counts = indicators(_sets(valid), model.labels).sum(axis=0) if len(valid) else np.zeros(len(model.labels))
    few = int((counts < _FEWEST).sum())
    return [f"the thresholds of {few} labels: each takes {_FEWEST} rows with it"] if few else []


def metrics(model: MultiLabelClassifier, table: pd.DataFrame) -> dict[str, Any]:
    """micro_f1, macro_f1, weighted_f1, subset_accuracy, n, per_class."""
    return report(_sets(table), model.given(model.probabilities(texts(table))), model.labels)


def correct(model: MultiLabelClassifier, table: pd.DataFrame) -> NDArray[np.float64]:
    """F1 of each row's labels: what the gate compares."""
    return row_f1(_sets(table), model.given(model.probabilities(texts(table))))


def predict(model: MultiLabelClassifier, table: pd.DataFrame) -> pd.DataFrame:
    """predicted, ``a|b`` as the training table has it (empty for none), and a ``p_<label>`` column each."""
    probabilities = model.probabilities(texts(table))
    columns: dict[str, Any] = {"predicted": [joined(given) for given in model.given(probabilities)]}
    return pd.DataFrame(columns | {f"p_{name}": probabilities[:, place] for place, name in enumerate(model.labels)})


def _sets(table: pd.DataFrame) -> list[tuple[str, ...]]:
    return [label_set(cell) for cell in table["label"]]


def _model(
    features: Features, written: list[str], targets: NDArray[np.float32], labels: tuple[str, ...], seed: int
) -> MultiLabelClassifier:
    """A logistic regression per label; one that all rows have, or none, is answered by its share."""
    from sklearn.linear_model import LogisticRegression

    matrix = features(written)
    weight, bias = np.zeros((len(labels), matrix.shape[1]), np.float32), np.zeros(len(labels), np.float32)
    for place, column in enumerate(targets.T):
        if column.min() == column.max():
            bias[place] = np.log((column.sum() + 0.5) / (len(column) - column.sum() + 0.5))
            continue
        machine = LogisticRegression(C=_INVERSE_PENALTY, solver="liblinear", random_state=seed, max_iter=1000)
        machine.fit(matrix, column)
        weight[place], bias[place] = machine.coef_[0], machine.intercept_[0]
    return MultiLabelClassifier(features, weight, bias, labels, np.full(len(labels), 0.5, np.float32))
