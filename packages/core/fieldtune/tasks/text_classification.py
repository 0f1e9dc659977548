"""Text classification: one label a text. Methods: linear (character n-grams), head (frozen encoder), full, and
those for few labels in :mod:`fieldtune.tasks.few`.

``full`` starts from the frozen encoder's logistic regression, so fine-tuning begins where ``head`` ends
(Kumar et al. 2022, linear probing then fine-tuning, arXiv 2202.10054).
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fieldtune.data.checks import OUT_OF_SCOPE, check_table, text_key
from fieldtune.data.tables import text_column, training_table
from fieldtune.errors import ConfigError
from fieldtune.evaluate.calibration import fit_lean
from fieldtune.models.features import EncoderFeatures, NgramFeatures
from fieldtune.models.scope import Scope, Signs
from fieldtune.models.trained import Classifier, load_encoder
from fieldtune.runtime import generator
from fieldtune.tasks import AUTO, CANDIDATES, continual, few, labelled
from fieldtune.tasks.supervised import Headed, KeptApart, accuracy_on, inputs_of, supervised
from fieldtune.train.anchors import anchors, looked_at, parted
from fieldtune.train.head import name_rows, probe, widest_margin
from fieldtune.train.heeds import CLASSES, ENCODED, Names
from fieldtune.train.losses import class_weights, cross_entropy
from fieldtune.train.noise import unsuspected
from fieldtune.train.private import private_head
from fieldtune.train.problem import Problem
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import TOP, TUNED, Body, keeps_best, selecting, text_heeds, trainable, tune
from fieldtune.train.words import words_at_hand

Head = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weight ``[classes, features]`` and bias ``[classes]``; of foreign rows a class behind the others."""
COLUMNS = (("text", "label"), ())
INPUTS = ("text",)
DEFAULTS = Settings(class_weights="sqrt", refit=True, batch_rows=256, label_smoothing=0.0)
METHODS = ("linear", "head", *TUNED, TOP, *few.METHODS, AUTO, "continual")
RIVALS = ("linear", "head")
ENCODERLESS = ("linear",)
MEASURED = (AUTO,)
UNLABELLED = ("selftrain",)
SHARED = (*TUNED, TOP)
FIGURE = labelled.FIGURE
SELECTS = True
read = partial(training_table, task="text-classification")
read_unlabelled = text_column
check = partial(check_table, task="text-classification")


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    if method == AUTO:  # each candidate would spend the privacy of the rows once more
        read = Names().union(*(heeds(one, settings) for one in CANDIDATES)) - {"epsilon", "delta"}
    elif method == "continual":
        read = continual.heeds(settings)
    elif method in few.METHODS:
        read = few.heeds(method)
    elif method == "head":
        # Trained again on all rows, it would spend their privacy twice.
        read = ENCODED - {"refit"} | {"epsilon", "delta"} if settings.epsilon else ENCODED | {"epsilon", "noisy"}
    else:
        read = text_heeds(method, "noisy", *CLASSES, *selecting(method, settings))
    return read | {"multi_label"}


def adopt(model: Classifier, measured: Classifier) -> None:
    """Calibrate ``model``, which was fitted on the validation rows too, as the one measured on them was."""
    model.straighten(measured.taken)
    if measured.scope.foreign is None:  # the few foreign rows were all among those measured on
        model.scope = replace(model.scope, foreign=None)
    labelled.adopt(model, measured)


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return list(table["text"])


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified tenth of the rows, for validation, when the user gave none; all rows of one text on one side."""
    return labelled.split(table, [text_key(text) for text in table["text"]], seed)


def train(
    table: pd.DataFrame,
    method: str,
    model: str,
    settings: Settings,
    *,
    seed: int,
    folder: Path,
    show: bool,
    unlabelled: Sequence[str] = (),
    valid: pd.DataFrame | None = None,
) -> Classifier:
    """Fit on ``table`` (columns text, label); out-of-scope rows are never a label, but what tunes the encoder, ``head`` and
    ``linear`` learn from them what belongs to none. On ``valid`` epochs are compared where the settings keep the best."""
    foreign = texts(table[table["label"] == OUT_OF_SCOPE])
    table, labels, targets = labelled.classes(table)
    if method == "continual":
        return continual.learn(table, model, settings, valid=valid, seed=seed, folder=folder, show=show)
    written = texts(table)
    if method == "linear":
        return _linear([*written, *foreign], _behind(targets, labels, foreign), labels, seed)
    if method in few.METHODS:
        rows = few.Rows(written, targets, labels, list(unlabelled))
        return few.train(rows, method, model, settings, seed=seed, folder=folder, show=show)
    frozen = load_encoder(model, settings.max_length, cached=True).features
    vectors = frozen(written)
    if method == "head" and settings.epsilon:
        return _private(frozen, vectors, targets, labels, settings)
    # A head cannot learn wrong labels by heart, and finding them costs more than training it.
    noisy = "keep" if method == "head" and settings.noisy == "auto" else settings.noisy
    trusted = unsuspected(written, vectors, targets, len(labels), seed, noisy=noisy, show=show)
    left_out = len(written) - len(trusted)
    written, vectors, targets = [written[row] for row in trusted], vectors[trusted], targets[trusted]
    noted: dict[str, Any] = (
        {"left_out": left_out, "settled": {"noisy": "drop" if left_out else "keep"}} if noisy != "keep" else {}
    )
    named, inside = name_rows(labels, frozen, vectors, targets), len(written)
    if foreign:
        written, vectors = [*written, *foreign], np.vstack([vectors, frozen(foreign)])
        targets = _behind(targets, labels, foreign)
    keys = [text_key(text) for text in written]
    start = probe(vectors, targets, keys, len(labels) + bool(foreign), seed, named)
    if method == "head":
        return _made(frozen, start, labels, anchors(vectors[:inside], targets[:inside], seed), card=noted)
    encoder = trainable(model, method, settings)
    apart = valid[valid["label"].isin(labels)] if keeps_best(method, settings) and valid is not None else table[:0]
    head, lean, kept = _tuned(
        encoder, written, targets, start, labels, settings, apart, seed=seed, folder=folder, show=show
    )
    if len(apart):
        noted = {**noted, "selected": True, "settled": {**noted.get("settled", {}), "epochs": kept}}
    features, looked = EncoderFeatures(encoder, settings.max_length), looked_at(targets[:inside], seed)
    close = anchors(features([written[row] for row in looked]), targets[looked], seed)
    return _made(features, head, labels, close, lean=lean, card=noted)


def _tuned(
    encoder: Any, written: list[str], targets: NDArray[np.int64], start: Head, labels: tuple[str, ...], settings: Settings,
    apart: pd.DataFrame, *, seed: int, folder: Path, show: bool,
) -> tuple[Head, NDArray[np.float32] | None, int]:  # fmt: skip
    """Tune ``encoder`` in place; the head it ends with, what class weights did to its logits, and the epochs that were kept.

    Epochs are compared on the rows ``apart``; without any the last weights are kept.
    """
    tokens = encoder.tokens(written, settings.max_length)
    module = Headed(Body(encoder), *start, settings.dropout)
    weights = class_weights(targets, (*labels, OUT_OF_SCOPE)[: len(start[1])], settings.class_weights)
    loss = (settings.label_smoothing, settings.focal_gamma)
    made = problem(tokens, torch.from_numpy(targets), weights, encoder, *loss)
    # Other weights than the default were asked for, and so was what they do to decisions.
    lean = weights.log().numpy()[: len(labels)] if settings.class_weights == DEFAULTS.class_weights else None
    kept_apart = _apart(encoder, apart, labels, lean, settings) if len(apart) else None
    with words_at_hand(encoder, tokens, kept_apart.tokens if kept_apart else ()):
        score = kept_apart.score if kept_apart else None
        kept = tune(module, made, tokens, settings, seed=seed, folder=folder, show=show, score=score)
    return module.weights(), lean, kept


def finish(model: Classifier, valid: pd.DataFrame) -> dict[str, Any]:
    """Fit temperature and in-scope threshold on validation rows; returns the metrics on them.

    What the weights of the classes did to the logits is taken off them first, as far as these rows tell.
    """
    rows = _measured(model, valid)
    signs, given, lean = labelled.signs_of(model, texts(rows)), rows["label"], model.lean
    parts = labelled.calibrate(model, signs, given, _fit)
    if lean is not None:
        for judge, own in parts:
            signs.logits[own] -= np.float32(judge.taken) * lean
    found = labelled.figures(model, signs, given, parts)
    return found if model.memory is None else {**found, "continual": continual.measure(model, valid)}


def _measured(model: Classifier, valid: pd.DataFrame) -> pd.DataFrame:
    """The rows to calibrate and measure on: where there are any, those of earlier blocks too."""
    return valid if model.memory is None or valid.empty else continual.remembered(model, valid)


def _fit(model: Classifier, signs: Signs, given: pd.Series, enough: bool) -> None:
    """Take the lean off and calibrate what is left; the logits of ``signs`` are those of before."""
    lean = model.lean
    if enough and lean is not None:
        known = given.isin(model.labels).to_numpy()
        model.straighten(fit_lean(signs.logits[known], labelled.places(model.labels, given[known]), lean))
        signs = signs._replace(logits=signs.logits - np.float32(model.taken) * lean)
    labelled.fit(model, signs, given, enough)


def uncalibrated(model: Classifier, valid: pd.DataFrame) -> list[str]:
    """What ``valid`` is too small to have fitted."""
    lean = [] if model.lean is None else ["what class weights did to the probabilities"]
    return labelled.uncalibrated(model, _measured(model, valid)["label"], *lean)


def metrics(model: Classifier, table: pd.DataFrame) -> dict[str, Any]:
    """accuracy, macro_f1, weighted_f1, ece, aurc, log_loss, n, per_class; with out-of-scope rows also in_scope figures."""
    return labelled.metrics(model, texts(table), table["label"])


def correct(model: Classifier, table: pd.DataFrame) -> NDArray[np.float64]:
    """1.0 where the prediction is right, per row: what the gate compares."""
    return labelled.correct(model, texts(table), table["label"])


def losses(model: Classifier, table: pd.DataFrame) -> NDArray[np.float64]:
    """Log-loss of each row whose label the model knows."""
    return labelled.losses(model, texts(table), table["label"])


def predict(model: Classifier, table: pd.DataFrame) -> pd.DataFrame:
    """predicted, probability, in_scope, in_scope_score and a ``p_<label>`` column each."""
    return labelled.predict(model, texts(table))


def _private(
    frozen: Any, vectors: NDArray[np.float32], targets: NDArray[np.int64], labels: tuple[str, ...], settings: Settings
) -> Classifier:
    """A head with differential privacy. Its noise comes from the system: with a known seed it could be taken off."""
    promised = {"epsilon": settings.epsilon, "delta": settings.delta or 0.1 / len(vectors)}
    if promised["delta"] >= 1 / len(vectors):
        raise ConfigError(
            f"a delta well below {1 / len(vectors):.2g}, one over the {len(vectors)} rows: from there on a promise is kept by a "
            "model that shows one of them whole",
            f"{settings.delta:g}",
            "leave --set delta out, which takes a tenth of that",
        )
    head = private_head(vectors, targets, len(labels), **promised, rng=generator(secrets.randbits(128)))
    return Classifier(frozen, *head, labels, card={"privacy": promised})


def _apart(
    encoder: Any, valid: pd.DataFrame, labels: tuple[str, ...], lean: NDArray[np.float32] | None, settings: Settings
) -> KeptApart:
    """Validation rows of known labels, and their accuracy as the model will answer: without the lean of class weights."""
    tokens = encoder.tokens(texts(valid), settings.max_length)
    right = labelled.places(labels, valid["label"])
    figure = accuracy_on(right)

    def answered(logits: NDArray[np.float32]) -> float:
        logits = logits[:, : len(labels)]
        if lean is not None and len(right) >= labelled.CALIBRATION_ROWS:
            logits = logits - np.float32(fit_lean(logits, right, lean)) * lean
        return figure(logits)

    return KeptApart(tokens, inputs_of(encoder, tokens), answered)


def _linear(texts: list[str], targets: NDArray[np.int64], labels: tuple[str, ...], seed: int) -> Classifier:
    features = NgramFeatures.fit(texts)
    return _made(features, widest_margin(features(texts), targets, seed), labels, None)


def _behind(targets: NDArray[np.int64], labels: Sequence[str], foreign: Sequence[str]) -> NDArray[np.int64]:
    """The targets with those of foreign rows after them, which are a class behind the others."""
    return np.concatenate([targets, np.full(len(foreign), len(labels), dtype=np.int64)])


def _made(
    features: Any, head: Head, labels: tuple[str, ...],
    close: NDArray[np.float32] | None, **more: Any,
) -> Classifier:  # fmt: skip
    """A classifier of ``labels``; what a head has learnt behind them tells foreign texts."""
    weight, bias, foreign = parted(*head, len(labels))
    return Classifier(features, weight, bias, labels, scope=Scope(close, foreign), **more)


def problem(
    tokens: list[list[int]],
    targets: torch.Tensor,
    weights: torch.Tensor,
    encoder: Any,
    smoothing: float,
    gamma: float = 0.0,
) -> Problem:
    """Cross-entropy or focal loss summed over the batch; an item is the weight of a row's class."""
    loss = partial(cross_entropy, weights=weights, smoothing=smoothing, gamma=gamma)
    return supervised(inputs_of(encoder, tokens), targets, loss, weights)
