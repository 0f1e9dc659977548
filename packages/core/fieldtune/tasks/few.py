"""Text classification with few labels: methods zeroshot, fewshot and selftrain, all ending in a linear head.

``zeroshot`` reads the classes: a row's text may describe its label as well as be an example of it, and a name that can
be read counts as a row. ``fewshot`` tunes the encoder on the same rows, so a table that begins as descriptions is
upgraded by adding rows to it and changing the method. ``selftrain`` also learns from rows without a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fieldtune.data.checks import text_key
from fieldtune.models.features import EncoderFeatures, Features
from fieldtune.models.scope import Scope
from fieldtune.models.trained import Classifier, load_encoder
from fieldtune.progress import say
from fieldtune.runtime import generator
from fieldtune.text.names import readable
from fieldtune.train.anchors import anchors
from fieldtune.train.fewshot import mask_of, told_apart, tune_contrastive, way_of
from fieldtune.train.head import Places, Vectors, name_rows, probe
from fieldtune.train.heeds import ENCODED, STEPS, Names
from fieldtune.train.selftrain import head_with, helps, spread
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import trainable

METHODS = ("zeroshot", "fewshot", "selftrain")
INVERSE_PENALTY = 1 / 3
"""Of the head on tuned vectors, for each class: rows are too few to choose, and more classes need larger weights."""
MOST = 20_000
"""Unlabelled texts that selftrain looks at, drawn at random, each once."""


@dataclass(frozen=True)
class Rows:
    """What there is to learn from.

    Attributes:
        texts: labelled texts.
        targets: int64, per text the place of its class in ``labels``.
        labels: the classes.
        unlabelled: texts without a label.
    """

    texts: list[str]
    targets: Places
    labels: tuple[str, ...]
    unlabelled: Sequence[str] = ()

    @property
    def keys(self) -> list[str]:
        """Per text, equal where two say the same."""
        return [text_key(text) for text in self.texts]


def heeds(method: str) -> Names:
    """The settings a method reads."""
    match method:
        case "zeroshot":
            return ENCODED | {"temperature"}
        case "selftrain":
            return ENCODED
    return ENCODED | STEPS | {"learning_rate", "batch_rows", "token_budget", "dropout", "temperature"}


def train(
    rows: Rows, method: str, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> Classifier:
    """Fit by one of :data:`METHODS`."""
    if method == "zeroshot":
        return zeroshot(rows, _frozen(model, settings), settings.temperature, seed)
    if method == "selftrain":
        return selftrain(rows, _frozen(model, settings), seed, show)
    places, told = _known(rows, _frozen(model, settings))
    names = {int(place): readable(rows.labels[place]) for place in places}
    encoder, way = trainable(model, "full", settings), way_of(told)
    if show and told is not None:
        say(f"few-shot: the encoder tells the class of {told:.0%} of the rows; its weights go {way:.0%} of the way")
    tune_contrastive(
        encoder, rows.texts, rows.targets, names, settings,
        way=way, mask=mask_of(told), seed=seed, folder=folder, show=show,
    )  # fmt: skip
    features = EncoderFeatures(encoder, settings.max_length)
    again = (features([names[place] for place in sorted(names)]), places) if names else None
    penalty, tuned = (INVERSE_PENALTY * len(rows.labels),), features(rows.texts)
    head = probe(tuned, rows.targets, rows.keys, len(rows.labels), seed, again, penalty)
    noted = {"fewshot": {"told_apart": told, "way": way}}
    return Classifier(features, *head, rows.labels, card=noted, scope=Scope(anchors(tuned, rows.targets, seed)))


def _frozen(model: str, settings: Settings) -> Features:
    """The encoder as it is."""
    return load_encoder(model, settings.max_length, cached=True).features


def _known(rows: Rows, frozen: Features) -> tuple[Places, float | None]:
    """The classes whose names are worth reading, and how well the encoder as it is tells the classes apart.

    Its vectors, and it itself, are gone afterwards: few-shot tuning holds another encoder, and vectors of its own.
    """
    vectors = frozen(rows.texts)
    named = name_rows(rows.labels, frozen, vectors, rows.targets)
    single = np.unique(rows.keys, return_index=True)[1]
    return named[1] if named else np.zeros(0, dtype=np.int64), told_apart(vectors[single], rows.targets[single])


def zeroshot(rows: Rows, frozen: Features, temperature: float, seed: int) -> Classifier:
    """Cosine to the mean of what is known of each class, divided by the temperature: nothing is fitted."""
    words = [readable(label) for label in rows.labels]
    named = [place for place, name in enumerate(words) if name]
    vectors = frozen([*rows.texts, *(words[place] for place in named)])
    places = np.concatenate([rows.targets, np.asarray(named, dtype=np.int64)])
    means = np.stack([vectors[places == place].mean(axis=0) for place in range(len(rows.labels))])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    weight, bias = np.asarray(means / temperature, dtype=np.float32), np.zeros(len(rows.labels), dtype=np.float32)
    return Classifier(frozen, weight, bias, rows.labels, scope=Scope(anchors(vectors, places, seed)))


def selftrain(rows: Rows, frozen: Features, seed: int, show: bool) -> Classifier:
    """A head on labelled and unlabelled rows; on labelled ones alone where cross-validation finds that better."""
    vectors, classes = frozen(rows.texts), len(rows.labels)
    known = set(rows.texts)
    others = [text for text in dict.fromkeys(rows.unlabelled) if text not in known]
    if len(others) > MOST and show:
        say(f"note: of {len(others)} unlabelled texts {MOST} are used, drawn at random")
    drawn = np.sort(generator(seed).permutation(len(others))[:MOST])
    unknown: Vectors = frozen([others[place] for place in drawn])
    named = name_rows(rows.labels, frozen, vectors, rows.targets)
    good, figures = helps(vectors, rows.targets, rows.keys, named, unknown, classes, generator(seed))
    if show and figures:
        told = f"{figures['with']:.3f} with unlabelled rows against {figures['without']:.3f} without"
        say(f"selftrain: {told}, on labelled rows held out" + ("" if good else ": they are left out"))
    scope = Scope(anchors(vectors, rows.targets, seed))
    if not good or not len(unknown):
        head = probe(vectors, rows.targets, rows.keys, classes, seed, named)
        return Classifier(frozen, *head, rows.labels, scope=scope)
    given, targets = vectors, rows.targets
    if named:
        given, targets = np.vstack([vectors, named[0]]), np.concatenate([targets, named[1]])
    belief = spread(given, targets, unknown, classes)
    return Classifier(frozen, *head_with(given, targets, unknown, belief, classes), rows.labels, scope=scope)
