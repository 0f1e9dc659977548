"""Regression: one number a text, with an interval. Methods: linear, head, and those that tune the encoder.

Numbers are standardised inside, so that the settings suit any unit. The interval holds 90 % of new rows, whatever the
model is like, provided they come from where the validation rows came from.
"""

import math
from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fieldtune.data.checks import Finding, check_table, text_key
from fieldtune.data.labels import check_numbers
from fieldtune.data.split import stratified, tenth
from fieldtune.data.tables import training_table
from fieldtune.evaluate.regression import conformal_width, report
from fieldtune.models.features import EncoderFeatures, NgramFeatures
from fieldtune.models.regressor import Regressor
from fieldtune.models.trained import load_encoder
from fieldtune.runtime import generator
from fieldtune.tasks.supervised import Headed, KeptApart, inputs_of, supervised
from fieldtune.train.heeds import Names
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import TOP, TUNED, Body, keeps_best, selecting, text_heeds, trainable, tune
from fieldtune.train.words import words_at_hand

COLUMNS = (("text", "label"), ())
INPUTS = ("text",)
DEFAULTS = Settings(refit=True)
METHODS = ("linear", "head", *TUNED, TOP)
RIVALS = ("linear", "head")
ENCODERLESS = ("linear",)
SHARED = (*TUNED, TOP)
FIGURE = "r2"
SELECTS = True
SHARE = 0.9
"""Of new rows whose number the interval holds."""
_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
read = partial(training_table, task="regression")


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    return text_heeds(method, *selecting(method, settings))


def check(table: pd.DataFrame) -> list[Finding]:
    """Findings on texts and numbers, errors first."""
    found = check_table(table, "regression") + check_numbers(table["label"])
    return sorted(found, key=lambda finding: finding.severity)


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return list(table["text"])


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A random tenth of the rows, for validation; all rows of one text on one side."""
    return tenth(table, _keys(table), seed)


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
) -> Regressor:
    """Fit on ``table`` (columns text, label); on ``valid`` epochs are compared where the settings keep the best."""
    written, values = texts(table), table["label"].to_numpy(dtype=np.float64)
    unit = (float(values.mean()), float(values.std()) or 1.0)
    targets = (values - unit[0]) / unit[1]
    if method == "linear":
        features = NgramFeatures.fit(written)
        return Regressor(features, *ridge(features(written), targets, _keys(table), seed), *unit)
    frozen = load_encoder(model, settings.max_length, cached=True).features
    start = ridge(frozen(written), targets, _keys(table), seed)
    if method == "head":
        return Regressor(frozen, *start, *unit)
    encoder = trainable(model, method, settings)
    tokens = encoder.tokens(written, settings.max_length)
    module = Headed(Body(encoder), *start, settings.dropout)
    wanted = torch.from_numpy(targets.astype(np.float32))[:, None]
    made = supervised(inputs_of(encoder, tokens), wanted, squared_error)
    apart = _apart(encoder, valid, unit, settings) if keeps_best(method, settings) else None
    with words_at_hand(encoder, tokens, apart.tokens if apart else ()):
        kept = tune(
            module, made, tokens, settings, seed=seed, folder=folder, show=show, score=apart.score if apart else None
        )
    noted = {"selected": True, "settled": {"epochs": kept}} if apart else {}
    return Regressor(EncoderFeatures(encoder, settings.max_length), *module.weights(), *unit, card=noted)


def _apart(encoder: Any, valid: pd.DataFrame | None, unit: tuple[float, float], settings: Settings) -> KeptApart | None:
    """The validation rows, if there are any."""
    if valid is None:
        return None
    tokens = encoder.tokens(texts(valid), settings.max_length)
    wanted = (valid["label"].to_numpy(dtype=np.float64) - unit[0]) / unit[1]
    # Less the squared error orders epochs as r2 does, and one row has it too.
    return KeptApart(tokens, inputs_of(encoder, tokens), lambda told: -float(((told[:, 0] - wanted) ** 2).mean()))


def finish(model: Regressor, valid: pd.DataFrame) -> dict[str, Any]:
    """Fit the width of the interval on validation rows; returns the metrics on them."""
    told, truth = model.values(texts(valid)), valid["label"].to_numpy(dtype=np.float64)
    model.width = conformal_width(truth - told, SHARE)
    return {**report(truth, told), "interval_width": _width(model)}


def adopt(model: Regressor, measured: Regressor) -> None:
    """Take the width of the interval of the model that was measured."""
    model.width = measured.width


def uncalibrated(model: Regressor, valid: pd.DataFrame) -> list[str]:
    """Whether ``valid`` is too small for an interval."""
    fewest = math.ceil(SHARE / (1 - SHARE) - 1e-9)
    return [] if len(valid) >= fewest else [f"the {SHARE:.0%} interval: takes {fewest} rows"]


def metrics(model: Regressor, table: pd.DataFrame) -> dict[str, Any]:
    """mae, rmse, r2, pearson, spearman, n; in_interval, the share of the rows that it holds, and its width; None of a model without."""
    told, truth = model.values(texts(table)), table["label"].to_numpy(dtype=np.float64)
    known = model.width < math.inf
    inside = float((np.abs(truth - told) <= model.width).mean()) if known else None
    return {**report(truth, told), "in_interval": inside, "interval_width": _width(model)}


def correct(model: Regressor, table: pd.DataFrame) -> NDArray[np.float64]:
    """The absolute error of each row, negative: what the gate compares."""
    return -np.abs(table["label"].to_numpy(dtype=np.float64) - model.values(texts(table)))


def predict(model: Regressor, table: pd.DataFrame) -> pd.DataFrame:
    """predicted, low and high; the last two are empty where too few rows were validated on."""
    told = model.values(texts(table))
    width = model.width if model.width < math.inf else math.nan
    return pd.DataFrame({"predicted": told, "low": told - width, "high": told + width})


def squared_error(told: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Summed over the rows, ``[rows, 1]`` each."""
    return ((told - wanted) ** 2).sum()


def ridge(
    matrix: Any, targets: NDArray[np.float64], keys: Sequence[Hashable], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight ``[1, features]`` and bias ``[1]`` of ridge regression, its penalty chosen on a held-out tenth.

    Args:
        matrix: dense or sparse ``[rows, features]``.
        keys: per row, equal where the texts say the same: such rows are held out together.
    """
    from sklearn.linear_model import Ridge

    rows, held_out = stratified(["all"] * len(targets), 0.1, generator(seed), keys)
    errors = {}
    for penalty in _PENALTIES if len(held_out) else ():
        told = Ridge(penalty).fit(matrix[rows], targets[rows]).predict(matrix[held_out])
        errors[penalty] = float(((told - targets[held_out]) ** 2).mean())
    best = min(errors, key=lambda penalty: errors[penalty]) if errors else 1.0
    machine = Ridge(best).fit(matrix, targets)
    return machine.coef_[None].astype(np.float32), np.asarray([machine.intercept_], dtype=np.float32)


def _keys(table: pd.DataFrame) -> list[str]:
    return [text_key(text) for text in table["text"]]


def _width(model: Regressor) -> float | None:
    return 2 * model.width if model.width < math.inf else None
