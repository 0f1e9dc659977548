"""Probabilities for labels from models that never saw the row: what :func:`fieldtune.data.noise.suspects` judges by.

Two models that err in different ways are averaged: logistic regression on a frozen encoder's vectors, and ridge
regression on words. Alone, the first raised twice to three times as many false alarms.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import OUT_OF_SCOPE, Finding, text_key
from fieldtune.data.noise import suspects
from fieldtune.data.split import folds
from fieldtune.evaluate.calibration import softmax
from fieldtune.models.readable import warn_unread
from fieldtune.models.trained import load_encoder
from fieldtune.progress import say
from fieldtune.runtime import generator
from fieldtune.text.shown import some_of
from fieldtune.train.head import Places, Vectors, fitting

FOLDS = 5
KIND = "likely-wrong-label"
MANY, SPOILT = 2_000, 0.085
"""Rows, and the share of suspects among them, from which labels are taken to be spoilt. Of two thousand rows and more with
right labels, of seven sets, 0 to .078 were suspects; with a tenth of the labels wrong, .092 to .14."""
KNOWN = 10
"""Rows of a class, from which models that did not see one of them can tell that it is none."""
MOST_LOST = 0.4
"""Of a class: where more of its rows are suspects, they may as well be hard to learn, as those of rare classes are."""
LOOKED_AT = 20_000
"""Rows, drawn at random, from which it is told whether labels are spoilt, before all of them are judged."""
_WORDS = r"(?u)[㐀-鿿]|[^\W㐀-鿿]+"  # every ideograph is a word
_SHARPNESS = 4.0  # of the ridge scores, which lie between -1 and 1
_SHOWN = 3


@fitting()
def out_of_fold(
    texts: Sequence[str], vectors: Vectors, targets: Places, classes: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Probabilities ``[rows, classes]``; each row's come from models fitted on the folds it is not in.

    Of a row whose class stands in no other fold nothing is known: all zeros.

    Args:
        vectors: unit vectors of ``texts``, ``[rows, d]``.
        targets: the class of each row.
    """
    from sklearn.linear_model import LogisticRegression, RidgeClassifier

    words = _words(texts)
    fold = folds(targets.tolist(), [text_key(text) for text in texts], FOLDS, rng)
    found = np.zeros((len(texts), classes))
    for part in range(FOLDS):
        learnt, tested = fold != part, fold == part
        if not tested.any() or len(set(targets[learnt].tolist())) < 2:
            continue
        regression = LogisticRegression(C=3.0, max_iter=1000).fit(vectors[learnt], targets[learnt])
        told = regression.predict_proba(vectors[tested])
        if words is not None:
            scores = RidgeClassifier().fit(words[learnt], targets[learnt]).decision_function(words[tested])
            both = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
            told = (told + softmax(both, 1 / _SHARPNESS)) / 2
        known = np.isin(targets[tested], regression.classes_)
        found[np.ix_(np.flatnonzero(tested)[known], regression.classes_)] = told[known]
    return found


def doubtful(table: pd.DataFrame, model: str, max_length: int, seed: int = 0) -> list[Finding]:
    """A finding with the rows of a text-classification table whose label is likely wrong, and what it should be.

    Slow: it embeds every text and fits ten models. Rows without text or label, or labelled ``oos``, are passed over.

    Args:
        table: columns text, label; rows count from 0.
        model: the encoder.
    """
    label = table["label"].fillna("").astype(str)
    usable = (label != "") & (label != OUT_OF_SCOPE) & (table["text"].fillna("").astype(str).str.strip() != "")
    rows = np.flatnonzero(usable.to_numpy())
    names = sorted(set(label.iloc[rows]))
    if len(names) < 2 or len(rows) < FOLDS:
        return []
    texts = table["text"].iloc[rows].astype(str).tolist()
    targets = np.searchsorted(np.asarray(names), label.iloc[rows].to_numpy(dtype=str)).astype(np.int64)
    encoder = load_encoder(model, max_length, cached=True)
    warn_unread(encoder, texts)
    instead = suspects(out_of_fold(texts, encoder.encode(texts), targets, len(names), generator(seed)), targets)
    wrong = np.flatnonzero(instead >= 0)
    if not len(wrong):
        return []
    suggested = tuple(names[instead[place]] for place in wrong)
    told = some_of((f"{names[targets[place]]!r} rather {names[instead[place]]!r}" for place in wrong), _SHOWN)
    message = f"labels that are likely wrong ({told}): {len(wrong)} rows"
    return [Finding(KIND, "warning", message, tuple(rows[wrong].tolist()), suggested)]


def unsuspected(
    texts: Sequence[str], vectors: Vectors, targets: Places, classes: int, seed: int, *, noisy: str, show: bool
) -> NDArray[np.int64]:
    """The rows to learn from: without suspects, but for those of small classes and of classes that would lose too many.

    Args:
        noisy: ``keep``: all rows; ``drop``: without suspects; ``auto``: without them where labels are spoilt, see
            :data:`MANY`.
    """
    everything = np.arange(len(targets))
    if noisy == "keep" or (noisy == "auto" and len(targets) < MANY):
        return everything

    def judged(rows: Places) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        written = [texts[row] for row in rows]
        return _suspected(written, vectors[rows], targets[rows], classes, seed)

    if noisy == "auto" and len(targets) > LOOKED_AT:
        part = np.sort(generator(seed).permutation(len(targets))[:LOOKED_AT])
        if not _spoilt(*judged(part)):
            return everything
    wrong, known = judged(everything)
    if noisy == "auto" and not _spoilt(wrong, known):
        return everything
    lost = np.bincount(targets[wrong], minlength=classes) / np.maximum(np.bincount(targets, minlength=classes), 1)
    kept = np.flatnonzero(~wrong | (lost > MOST_LOST)[targets])
    if show and len(kept) < len(targets):
        say(
            f"note: {len(targets) - len(kept)} of {len(targets)} rows are left out, their label is likely wrong; see such "
            "rows with fieldtune data check --labels, keep them with --set noisy=keep"
        )
    return kept


def _suspected(
    texts: Sequence[str], vectors: Vectors, targets: Places, classes: int, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are suspects, and of which it can be told."""
    known = np.bincount(targets, minlength=classes)[targets] >= KNOWN
    return known & (suspects(out_of_fold(texts, vectors, targets, classes, generator(seed)), targets) >= 0), known


def _spoilt(wrong: NDArray[np.bool_], known: NDArray[np.bool_]) -> bool:
    return bool(known.sum() >= MANY and wrong.sum() >= SPOILT * known.sum())


def _words(texts: Sequence[str]) -> Any:
    """Words and pairs of words, weighted, sparse; None where no two texts share a word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=_WORDS)
    try:
        return vectoriser.fit_transform(texts)
    except ValueError:  # an empty vocabulary
        return None
