"""Text classification: one label a text. Methods: linear (character n-grams), head (frozen encoder), full.

``full`` starts from the frozen encoder's logistic regression, so fine-tuning begins where ``head`` ends
(Kumar et al. 2022, linear probing then fine-tuning, arXiv 2202.10054).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.batching import epoch, whole_run
from fieldtune.data.checks import text_key
from fieldtune.data.split import stratified
from fieldtune.evaluate.calibration import fit_temperature, threshold_keeping
from fieldtune.evaluate.classification import report
from fieldtune.models.features import EncoderFeatures, NgramFeatures
from fieldtune.models.trained import OUT_OF_SCOPE, Classifier, load_encoder
from fieldtune.runtime import generator
from fieldtune.tasks.common import Body, adamw, batch_of, trainable, training_dtype
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.settings import Settings

COLUMNS = ("text", "label")
DEFAULTS = Settings(class_weights="sqrt", refit=True)
METHODS = ("linear", "head", "full")
CALIBRATION_ROWS = 20  # fewer cannot tell confidence from luck: the temperature stays 1
KEPT = 0.95  # share of the validation rows that stay in scope when no out-of-scope rows are given
_INVERSE_PENALTIES = (10.0, 30.0, 100.0)


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified tenth of the rows, for validation, when the user gave none; all rows of one text on one side."""
    texts = [text_key(text) for text in table["text"]]
    rows, held_out = stratified(table["label"].tolist(), 0.1, generator(seed), texts)
    return table.iloc[rows].reset_index(drop=True), table.iloc[held_out].reset_index(drop=True)


def train(
    table: pd.DataFrame, method: str, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> Classifier:
    """Fit on ``table`` (columns text, label); out-of-scope rows are never a class."""
    table = table[table["label"] != OUT_OF_SCOPE]
    texts, labels = table["text"].tolist(), tuple(sorted(table["label"].unique()))
    targets = np.searchsorted(np.asarray(labels), table["label"].to_numpy(dtype=str))
    if method == "linear":
        return _linear(texts, targets, labels, seed)
    frozen = load_encoder(model, settings.max_length).features
    weight, bias = _probe(frozen(texts), targets, [text_key(text) for text in texts], len(labels), seed)
    if method == "head":
        return Classifier(frozen, weight, bias, labels)
    return _full(texts, targets, labels, (weight, bias), model, settings, seed=seed, folder=folder, show=show)


def finish(model: Classifier, valid: pd.DataFrame) -> dict[str, Any]:
    """Fit temperature and in-scope threshold on validation rows; returns the metrics on them.

    Rows of a label that training never saw count as wrong in the metrics and take no part in the temperature.
    """
    known = valid[valid["label"].isin(model.labels)]
    logits = model.logits(valid["text"].tolist())
    inside = valid["label"].isin(model.labels).to_numpy()
    if len(known) >= CALIBRATION_ROWS:
        targets = np.searchsorted(np.asarray(model.labels), known["label"].to_numpy(dtype=str))
        model.temperature = fit_temperature(logits[inside], targets)
    _, score = model.scope_of(_calibrated(model, logits))
    outside = (valid["label"] == OUT_OF_SCOPE).to_numpy()
    model.threshold = _threshold(score, inside, outside)
    return metrics(model, valid)


def adopt(model: Classifier, measured: Classifier) -> None:
    """Calibrate ``model``, which was fitted on the validation rows too, as the one measured on them was."""
    model.temperature, model.threshold = measured.temperature, measured.threshold


def metrics(model: Classifier, table: pd.DataFrame) -> dict[str, Any]:
    """accuracy, macro_f1, weighted_f1, ece, log_loss, n, per_class; with out-of-scope rows also in_scope figures."""
    inside = table[table["label"] != OUT_OF_SCOPE]
    probabilities = model.probabilities(table["text"].tolist())
    kept, _ = model.scope_of(probabilities)
    mask = (table["label"] != OUT_OF_SCOPE).to_numpy()
    predicted = [model.labels[place] for place in probabilities[mask].argmax(axis=1)]
    found = report(inside["label"].tolist(), predicted, probabilities[mask], model.labels)
    right = np.asarray(predicted) == inside["label"].to_numpy(dtype=str)
    found["in_scope"] = {
        "threshold": model.threshold,
        "kept": float(kept[mask].mean()) if mask.any() else float("nan"),
        "accuracy": float((right & kept[mask]).mean()) if mask.any() else float("nan"),
    }
    if not mask.all():
        found["in_scope"]["out_of_scope_recall"] = float((~kept[~mask]).mean())
    return dict(found)


def correct(model: Classifier, table: pd.DataFrame) -> NDArray[np.float64]:
    """1.0 where the prediction is right, per row: what the gate compares."""
    predicted = np.asarray(model.labels)[model.logits(table["text"].tolist()).argmax(axis=1)]
    return np.asarray(predicted == table["label"].to_numpy(dtype=str), dtype=np.float64)


def _linear(texts: list[str], targets: NDArray[np.int_], labels: tuple[str, ...], seed: int) -> Classifier:
    from sklearn.svm import LinearSVC

    features = NgramFeatures.fit(texts)
    machine = LinearSVC(C=0.5, random_state=seed).fit(features(texts), targets)
    weight, bias = machine.coef_, np.atleast_1d(machine.intercept_)
    if len(labels) == 2:  # scikit-learn keeps one row for two classes
        weight, bias = np.vstack([-weight[0], weight[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    return Classifier(features, weight.astype(np.float32), bias.astype(np.float32), labels)


def _probe(
    vectors: NDArray[np.float32], targets: NDArray[np.int_], keys: list[str], classes: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logistic regression on embeddings, its penalty chosen on a held-out tenth of these very rows.

    Args:
        keys: per row, equal where the texts say the same: such rows are held out together.
    """
    from sklearn.linear_model import LogisticRegression

    # Each fit starts where the one before it ended: the solutions lie close together.
    machine = LogisticRegression(max_iter=1000, warm_start=True)
    rows, held_out = stratified(targets.tolist(), 0.1, generator(seed), keys)
    scores = {}
    if len(held_out) and len(set(targets[rows].tolist())) == classes:
        for value in _INVERSE_PENALTIES:
            machine.C = value
            scores[value] = machine.fit(vectors[rows], targets[rows]).score(vectors[held_out], targets[held_out])
    machine.C = max(scores, key=lambda value: scores[value]) if scores else 10.0
    final = machine.fit(vectors, targets)
    weight, bias = final.coef_, final.intercept_
    if classes == 2:  # scikit-learn keeps one row for two classes
        weight, bias = np.vstack([-weight[0], weight[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    return weight.astype(np.float32), bias.astype(np.float32)


class TextClassifier(nn.Module):
    """Encoder body, dropout and a linear head: ids and mask -> logits ``[rows, classes]``."""

    def __init__(self, body: Body, weight: NDArray[np.float32], bias: NDArray[np.float32], dropout: float) -> None:
        super().__init__()
        self.encoder = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.dropout(self.encoder(ids, mask)))
        return logits


def problem(
    tokens: Sequence[list[int]], targets: torch.Tensor, weights: torch.Tensor, encoder: Any, smooth: float
) -> Problem:
    """Cross-entropy summed over the batch; an item is a row, or its class weight."""

    def collate(rows: list[int]) -> Tensors:
        ids, mask = batch_of(encoder, tokens, rows)
        return {"ids": ids, "mask": mask, "targets": targets[rows]}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        logits = module(batch["ids"], batch["mask"]).float()
        return nn.functional.cross_entropy(
            logits, batch["targets"], weight=weights.to(logits.device), reduction="sum", label_smoothing=smooth
        )

    return Problem(collate, loss, lambda batch: float(weights[batch["targets"].cpu()].sum()))


def _full(
    texts: list[str],
    targets: NDArray[np.int_],
    labels: tuple[str, ...],
    start: tuple[NDArray[np.float32], NDArray[np.float32]],
    model: str,
    settings: Settings,
    *,
    seed: int,
    folder: Path,
    show: bool,
) -> Classifier:
    encoder = trainable(model, settings.dropout)
    module = TextClassifier(Body(encoder), *start, settings.dropout)
    tokens = encoder.tokens(texts, settings.max_length)
    lengths, rng = [len(ids) for ids in tokens], generator(seed)
    epochs = [epoch(lengths, settings.token_budget, rng) for _ in range(settings.epochs)]
    plan = whole_run(epochs, settings.max_steps * settings.accumulate or None)
    weights = _class_weights(targets, len(labels), settings.class_weights)
    from fieldtune.train.fit import fit

    fit(
        module,
        problem(tokens, torch.from_numpy(targets.astype(np.int64)), weights, encoder, settings.label_smoothing),
        plan,
        settings,
        folder=folder,
        optimizer=adamw(module.encoder, module.head, settings),
        seed=seed,
        dtype=training_dtype(),
        description="fine-tuning",
        show=show,
    )
    weight, bias = (value.detach().cpu().numpy() for value in (module.head.weight, module.head.bias))
    return Classifier(EncoderFeatures(encoder, settings.max_length), weight, bias, labels)


def _class_weights(targets: NDArray[np.int_], classes: int, kind: str) -> torch.Tensor:
    """Ones, or the square root of the inverse class frequency, with mean one over the rows."""
    counts = np.bincount(targets, minlength=classes).astype(np.float64)
    weights = np.ones(classes) if kind == "none" else np.sqrt(counts.sum() / np.maximum(counts, 1) / classes)
    return torch.tensor(weights / (weights * counts).sum() * counts.sum(), dtype=torch.float32)


def _calibrated(model: Classifier, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    from fieldtune.evaluate.calibration import softmax

    return np.asarray(softmax(logits, model.temperature), dtype=np.float32)


def _threshold(score: NDArray[np.float32], inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> float:
    """Best balanced accuracy between in-scope and ``oos`` rows; without the latter, what keeps 95 % of the rows."""
    if not outside.any():
        return float(threshold_keeping(score, KEPT))
    candidates = np.unique(score)
    balanced = [(score[inside] >= value).mean() + (score[outside] < value).mean() for value in candidates]
    return float(candidates[int(np.argmax(balanced))])
