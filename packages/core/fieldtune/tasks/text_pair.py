"""Text pairs: one label a pair of texts (same question or not, follows or contradicts). Methods: linear (n-grams of
both and their overlap), head (frozen vectors of both), and those that tune an encoder which reads both at once.
"""

from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fieldtune.data.checks import check_table, text_key
from fieldtune.data.tables import training_table
from fieldtune.models.encoder import Encoder
from fieldtune.models.features import EncoderFeatures, NgramFeatures
from fieldtune.models.pair_features import Apart, Pair, PairFeatures, PairNgrams, Together, pair_tokens
from fieldtune.models.pairs import PairClassifier
from fieldtune.models.trained import load_encoder
from fieldtune.tasks import labelled
from fieldtune.tasks.supervised import Headed, KeptApart, accuracy_on, inputs_of, supervised
from fieldtune.train.head import probe, widest_margin
from fieldtune.train.heeds import CLASSES, Names
from fieldtune.train.losses import class_weights, cross_entropy
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import TOP, TUNED, Body, keeps_best, selecting, text_heeds, trainable, tune
from fieldtune.train.words import words_at_hand

COLUMNS = (("text_a", "text_b", "label"), ())
INPUTS = ("text_a", "text_b")
DEFAULTS = Settings(class_weights="sqrt", refit=True, epochs=3)
METHODS = ("linear", "head", *TUNED, TOP)
RIVALS = ("linear", "head")
ENCODERLESS = ("linear",)
SHARED = (*TUNED, TOP)
FIGURE = labelled.FIGURE
SELECTS = True
read = partial(training_table, task="text-pair")
check = partial(check_table, task="text-pair")
adopt = labelled.adopt


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    return text_heeds(method, *CLASSES, *selecting(method, settings))


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return [*table["text_a"], *table["text_b"]]


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified tenth of the rows, for validation; rows of the same two texts, either way round, on one side."""
    return labelled.split(table, keys(pairs(table)), seed)


def train(
    table: pd.DataFrame,
    method: str,
    model: str,
    settings: Settings,
    *,
    seed: int,
    folder: Path,
    show: bool,
    valid: pd.DataFrame | None = None,
) -> PairClassifier:
    """Fit on ``table`` (columns text_a, text_b, label); out-of-scope rows are never a class. On ``valid`` epochs are
    compared where the settings keep the best."""
    table, labels, targets = labelled.classes(table)
    known = valid[valid["label"].isin(labels)] if valid is not None else table[:0]
    apart = (
        (pairs(known), labelled.places(labels, known["label"])) if keeps_best(method, settings) and len(known) else None
    )
    features, weight, bias, noted = learn(
        pairs(table), targets, labels, method, model, settings, seed=seed, folder=folder, show=show, apart=apart
    )
    return PairClassifier(features, weight, bias, labels, card=noted)


def finish(model: PairClassifier, valid: pd.DataFrame) -> dict[str, Any]:
    """Fit temperature and in-scope threshold on validation rows; returns the metrics on them."""
    return labelled.finish(model, pairs(valid), valid["label"])


def uncalibrated(model: PairClassifier, valid: pd.DataFrame) -> list[str]:
    """What ``valid`` is too small to have fitted."""
    return labelled.uncalibrated(model, valid["label"])


def metrics(model: PairClassifier, table: pd.DataFrame) -> dict[str, Any]:
    """accuracy, macro_f1, weighted_f1, ece, aurc, log_loss, n, per_class; with out-of-scope rows also in_scope figures."""
    return labelled.metrics(model, pairs(table), table["label"])


def correct(model: PairClassifier, table: pd.DataFrame) -> NDArray[np.float64]:
    """1.0 where the prediction is right, per row: what the gate compares."""
    return labelled.correct(model, pairs(table), table["label"])


def predict(model: PairClassifier, table: pd.DataFrame) -> pd.DataFrame:
    """predicted, probability, in_scope, in_scope_score and a ``p_<label>`` column each."""
    return labelled.predict(model, pairs(table))


def pairs(table: pd.DataFrame) -> list[Pair]:
    """Both texts of each row."""
    return list(zip(table["text_a"], table["text_b"], strict=True))


def keys(pairs: list[Pair]) -> list[tuple[str, ...]]:
    """Equal where two pairs say the same, either way round."""
    return [tuple(sorted(map(text_key, pair))) for pair in pairs]


def learn(
    given: list[Pair],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
    method: str,
    model: str,
    settings: Settings,
    *,
    seed: int,
    folder: Path,
    show: bool,
    apart: tuple[list[Pair], NDArray[np.int64]] | None = None,
) -> tuple[PairFeatures, NDArray[np.float32], NDArray[np.float32], dict[str, Any]]:
    """Features of pairs, weight ``[classes, features]``, bias ``[classes]`` and a note for the card; reranking learns by
    it too.

    Args:
        apart: rows to compare epochs on, and their classes, where the best is to be kept.
    """
    if method == "linear":
        ngrams = PairNgrams(NgramFeatures.fit([text for pair in given for text in pair], limit=30_000))
        return ngrams, *widest_margin(ngrams(given), targets, seed), {}
    frozen = cast(EncoderFeatures, load_encoder(model, settings.max_length, cached=True).features)
    start: PairFeatures = Apart(frozen) if method == "head" else Together(frozen.encoder, settings.max_length)
    head = probe(start(given), targets, keys(given), len(labels), seed)
    if method == "head":
        return start, *head, {}
    encoder = trainable(model, method, settings)
    ids, types = pair_tokens(encoder, given, settings.max_length)
    module = Headed(Body(encoder), *head, settings.dropout)
    weights = class_weights(targets, labels, settings.class_weights)
    loss = partial(cross_entropy, weights=weights, smoothing=settings.label_smoothing, gamma=settings.focal_gamma)
    made = supervised(inputs_of(encoder, ids, types), torch.from_numpy(targets), loss, weights)
    looked = _looked(encoder, *apart, settings) if apart else None
    with words_at_hand(encoder, ids, looked.tokens if looked else ()):
        kept = tune(
            module, made, ids, settings, seed=seed, folder=folder, show=show, score=looked.score if looked else None
        )
    noted = {"selected": True, "settled": {"epochs": kept}} if looked else {}
    return Together(encoder, settings.max_length), *module.weights(), noted


def _looked(encoder: Encoder, rows: list[Pair], targets: NDArray[np.int64], settings: Settings) -> KeptApart:
    ids, types = pair_tokens(encoder, rows, settings.max_length)
    return KeptApart(ids, inputs_of(encoder, ids, types), accuracy_on(targets))
