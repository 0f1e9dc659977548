"""Token classification: a tag for every word, entities as IOB2. Methods: linear (a word and its neighbours as they are
spelt), head (frozen encoder), and those that tune the encoder.

A word is labelled at its first piece; texts longer than ``max_length`` are read in overlapping windows; the tags given
are the best sequence in which every entity is whole (Viterbi).
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.data.checks import Finding, rows_of, some, spelling_twins, text_key, too_many
from fieldtune.data.split import tenth
from fieldtune.data.tagged import parted, tagged_table, word_table
from fieldtune.evaluate.calibration import fit_temperature
from fieldtune.evaluate.sequence import OUTSIDE, entities, report, sentence_f1
from fieldtune.models.encoder import Encoder, load_encoder_folder
from fieldtune.models.pieces import SHAPES
from fieldtune.models.tagger import PieceVectors, Reading, Tagger, WordVectors, see
from fieldtune.models.word_features import WordFeatures
from fieldtune.text.shown import some_of
from fieldtune.train.head import fitting
from fieldtune.train.heeds import Names
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import TUNED, text_heeds, trainable, tune
from fieldtune.train.words import words_at_hand

COLUMNS = (("tokens", "tags"), ("spans",))
INPUTS = ("text",)
DEFAULTS = Settings(
    epochs=5, learning_rate=3e-4, head_learning_rate=2e-3, max_length=256, label_smoothing=0.0, refit=True
)
METHODS = ("linear", "head", *TUNED)
RIVALS = ("linear", "head")
ENCODERLESS = ("linear",)
SHARED = TUNED
FIGURE = "entity_f1"
_UNLABELLED = -100  # a piece that begins no word, as cross-entropy skips it
_CALIBRATION_WORDS = 200  # fewer cannot tell confidence from luck: the temperature stays 1
_NEVER = -30.0  # the score of a tag that no word has in training
read = tagged_table
read_inputs = word_table


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    return text_heeds(method, "label_smoothing")


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return [" ".join(words) for words in table["tokens"]]


def check(table: pd.DataFrame) -> list[Finding]:
    """Findings: no entity at all, types that occur once, sentences that repeat, with the same tags or others."""
    types = [[entity.type for entity in entities(tags)] for tags in table["tags"]]
    counts = pd.Series([name for names in types for name in names], dtype=object).value_counts()
    if counts.empty:
        return [Finding("no-entity", "error", "every tag is O: there is no entity to learn", ())]
    found = []
    single = {str(name) for name in counts.index[counts == 1]}
    rows = tuple(row for row, names in enumerate(types) if single & set(names))
    if rows:
        found.append(Finding("single-entity-type", "warning", f"types seen once only: {some_of(sorted(single))}", rows))
    found += too_many(len(counts)) + spelling_twins(rows_of(types))
    given: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    again = []
    for row, (words, tags) in enumerate(zip(table["tokens"], table["tags"], strict=True)):
        seen = given.setdefault(tuple(words), set())
        again += [row] if tuple(tags) in seen else []
        seen.add(tuple(tags))
    found += some("duplicate", "warning", "rows repeat an earlier one", again)
    rows = tuple(row for row, words in enumerate(table["tokens"]) if len(given[tuple(words)]) > 1)
    if rows:
        message = f"rows of the same words with other tags: {len(rows)} rows"
        found.append(Finding("conflicting-tags", "warning", message, rows))
    return found


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A tenth of the rows for validation, as many with entities as without; equal sentences stay on one side."""
    some = [any(tag != OUTSIDE for tag in tags) for tags in table["tags"]]
    keys = [text_key(" ".join(words)) for words in table["tokens"]]
    return tenth(table, keys, seed, some)


def train(
    table: pd.DataFrame, method: str, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> Tagger:
    """Fit on ``table`` (columns tokens, tags: lists of str of one length, tags IOB2)."""
    sentences = table["tokens"].tolist()
    labels = _labels(table["tags"])
    targets = _places(table["tags"], labels)
    if method == "linear":
        return _regression(WordFeatures.fit(sentences), sentences, targets, labels)
    if method == "head":
        frozen = load_encoder_folder(model)
        return _regression(PieceVectors(frozen, settings.max_length, _casing(frozen)), sentences, targets, labels)
    encoder = trainable(model, method, settings)
    module = TokenClassifier(encoder, len(labels), settings.dropout, seed)
    reading = Reading(encoder, sentences, settings.max_length)
    made = problem(reading, [len(words) for words in sentences], targets, settings.label_smoothing)
    with words_at_hand(encoder, reading.ids):
        tune(module, made, reading.ids, settings, seed=seed, folder=folder, show=show)
    casing, weight, bias = (
        value.detach().cpu().numpy() for value in (module.casing, module.head.weight, module.head.bias)
    )
    return Tagger(PieceVectors(encoder, settings.max_length, casing), weight, bias, labels)


def finish(model: Tagger, valid: pd.DataFrame) -> dict[str, Any]:
    """Fit the temperature on the words of validation rows; returns the metrics on them."""
    logits = model.logits(valid["tokens"].tolist())
    known = {tag: place for place, tag in enumerate(model.labels)}
    targets = np.array([known.get(tag, -1) for tags in valid["tags"] for tag in tags])
    if (targets >= 0).sum() >= _CALIBRATION_WORDS:
        model.temperature = fit_temperature(logits[targets >= 0], targets[targets >= 0])
    return _figures(model, logits, valid)


def adopt(model: Tagger, measured: Tagger) -> None:
    """Calibrate ``model``, which was fitted on the validation rows too, as the one measured on them was."""
    model.temperature = measured.temperature


def uncalibrated(model: Tagger, valid: pd.DataFrame) -> list[str]:
    """Whether ``valid`` has too few words to tell how sure the model is."""
    known = sum(tag in model.labels for tags in valid["tags"] for tag in tags)
    return [] if known >= _CALIBRATION_WORDS else [f"the temperature: takes {_CALIBRATION_WORDS} words of known tags"]


def metrics(model: Tagger, table: pd.DataFrame) -> dict[str, Any]:
    """entity_f1, token_accuracy, n, and the tables of :func:`fieldtune.evaluate.sequence.report`."""
    return _figures(model, model.logits(table["tokens"].tolist()), table)


def correct(model: Tagger, table: pd.DataFrame) -> NDArray[np.float64]:
    """Strict F1 of the entities of each row: what the gate compares."""
    given, _ = model.tag(table["tokens"].tolist())
    return np.array([sentence_f1(*pair) for pair in zip(table["tags"], given, strict=True)])


def predict(model: Tagger, table: pd.DataFrame) -> pd.DataFrame:
    """One column, ``spans``: per row a list of entities, each with start and end (characters), text, label, score.

    The score is the probability that all words of the entity are tagged so, each taken by itself.

    Args:
        table: as :func:`read_inputs` gives it: text, tokens, and ``places`` of these in the text; or text alone.
    """
    if "tokens" not in table:
        table = parted(table["text"].tolist())
    given, sure = model.tag(table["tokens"].tolist())
    spans = []
    for text, places, tags, probabilities in zip(table["text"], table["places"], given, sure, strict=True):
        found = []
        for entity in entities(tags):
            start, end = places[entity.start][0], places[entity.end - 1][1]
            score = float(np.prod(probabilities[entity.start : entity.end], dtype=np.float64))
            found.append({"start": start, "end": end, "text": text[start:end], "label": entity.type, "score": score})
        spans.append(found)
    return pd.DataFrame({"spans": pd.Series(spans, dtype=object)})


class TokenClassifier(nn.Module):
    """Encoder body, a table of casing at its entrance, dropout and a linear head: logits ``[rows, pieces, tags]``."""

    def __init__(self, encoder: Encoder, tags: int, dropout: float, seed: int) -> None:
        super().__init__()
        self.encoder = encoder.body
        self.casing = nn.Parameter(torch.from_numpy(_casing(encoder)))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.dimensions + len(SHAPES), tags)
        with torch.no_grad():
            self.head.weight.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(seed))
            self.head.bias.zero_()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, shapes: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.dropout(see(self.encoder, ids, mask, shapes, self.casing)))
        return logits


def problem(reading: Reading, lengths: Sequence[int], targets: NDArray[np.int64], smooth: float) -> Problem:
    """Cross-entropy summed over the batch; an item is a labelled word, and every word is labelled once.

    Args:
        lengths: words per sentence; ``targets``: per word of all sentences, the place of its tag.
    """
    starts = np.cumsum([0, *lengths])
    own = [
        torch.from_numpy(targets[starts[window.row] + window.first : starts[window.row] + window.last])
        for window in reading.windows
    ]

    def collate(rows: list[int]) -> Tensors:
        ids, mask = reading.batch(rows)
        wanted = torch.full_like(ids, _UNLABELLED)
        for place, number in enumerate(rows):
            wanted[place, reading.firsts[number]] = own[number]
        return {"ids": ids, "mask": mask, "shapes": reading.shapes_of(rows), "targets": wanted}

    def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
        logits = module(batch["ids"], batch["mask"], batch["shapes"]).float()
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), batch["targets"].flatten(), ignore_index=_UNLABELLED, reduction="sum",
            label_smoothing=smooth,
        )  # fmt: skip

    return Problem(collate, loss, lambda batch: float((batch["targets"] != _UNLABELLED).sum()))


def _labels(column: pd.Series) -> tuple[str, ...]:
    """O, then both tags of every type."""
    types = sorted({tag[2:] for tags in column for tag in tags if tag != OUTSIDE})
    return (OUTSIDE, *(f"{prefix}-{name}" for name in types for prefix in "BI"))


def _places(column: pd.Series, labels: tuple[str, ...]) -> NDArray[np.int64]:
    known = {tag: place for place, tag in enumerate(labels)}
    return np.array([known[tag] for tags in column for tag in tags], dtype=np.int64)


def _casing(encoder: Encoder) -> NDArray[np.float32]:
    """A table of zeros: the encoder begins as it was pretrained."""
    return np.zeros((len(SHAPES), encoder.body.get_input_embeddings().embedding_dim), dtype=np.float32)


@fitting()
def _regression(
    features: WordVectors, sentences: Sequence[Sequence[str]], targets: NDArray[np.int64], labels: tuple[str, ...]
) -> Tagger:
    """Multinomial logistic regression on a matrix of words."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    matrix, seen = features(sentences), np.unique(targets)
    weight = np.zeros((len(labels), matrix.shape[1]), dtype=np.float32)
    bias = np.full(len(labels), _NEVER, dtype=np.float32)
    bias[seen] = 0.0
    if len(seen) > 1:  # where all words have one tag there is nothing to fit
        machine = LogisticRegression(C=1.0, max_iter=300)
        with warnings.catch_warnings():  # the last digits of the optimum decide nothing
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(matrix, targets)
        # scikit-learn keeps one row for two classes
        rows = np.array([[-0.5], [0.5]]) if len(seen) == 2 else np.eye(len(seen))
        weight[seen], bias[seen] = rows @ machine.coef_, rows @ machine.intercept_
    return Tagger(features, weight, bias, labels)


def _figures(model: Tagger, logits: NDArray[np.float32], table: pd.DataFrame) -> dict[str, Any]:
    given, _ = model.decode(logits, [len(words) for words in table["tokens"]])
    return report(table["tags"].tolist(), given)
