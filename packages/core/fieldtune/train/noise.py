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
from fieldtune.models.trained import load_encoder
from fieldtune.progress import say
from fieldtune.runtime import generator
from fieldtune.train.head import Places, Vectors, fitting

FOLDS = 5
KIND = "likely-wrong-label"
MANY, SPOILT = 2_000, 0.085
"""Rows, and the share of suspects among them, from which labels are taken to be spoilt. Of two thousand rows and more with
right labels, of seven sets, 0 to .078 were suspects; with a tenth of the labels wrong, .092 to .13."""
KNOWN = 10
"""Rows of a class, from which models that did not see one of them can tell that it is none."""
MOST_LOST = 0.4
"""Of a class: where more of its rows are suspects, they are rather hard to learn, as those of rare classes are, than wrong."""
_WORDS = r"(?u)[㐀-鿿]|[^\W㐀-鿿]+"  # every ideograph is a word
_SHARPNESS = 4.0  # of the ridge scores, which lie between -1 and 1
_SHOWN = 3


@fitting()
def out_of_fold(
    texts: Sequence[str], vectors: Vectors, targets: Places, classes: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Probabilities ``[rows, classes]``; each row's come from models fitted on the folds it is not in.

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
        found[np.ix_(np.flatnonzero(tested), regression.classes_)] = told
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
    vectors = load_encoder(model, max_length, cached=True).encode(texts)
    instead = suspects(out_of_fold(texts, vectors, targets, len(names), generator(seed)), targets)
    wrong = np.flatnonzero(instead >= 0)
    if not len(wrong):
        return []
    suggested = tuple(names[instead[place]] for place in wrong)
    told = ", ".join(f"{names[targets[place]]!r} rather {names[instead[place]]!r}" for place in wrong[:_SHOWN])
    message = f"labels that are likely wrong ({told}{', ...' if len(wrong) > _SHOWN else ''}): {len(wrong)} rows"
    return [Finding(KIND, "warning", message, tuple(rows[wrong].tolist()), suggested)]


def unsuspected(
    texts: Sequence[str],
    vectors: Vectors,
    targets: Places,
    classes: int,
    seed: int,
    *,
    few_too: bool,
    show: bool,
) -> NDArray[np.int64]:
    """The rows whose label may stand; of a class that would lose all its rows, all of them.

    Args:
        few_too: leave suspects out however few they are; otherwise only those of classes of :data:`KNOWN` rows, where they are
            :data:`SPOILT` of at least :data:`MANY` rows and no class would lose more than :data:`MOST_LOST`.
    """
    everything = np.arange(len(targets))
    judged = few_too | (np.bincount(targets, minlength=classes)[targets] >= KNOWN)
    if not few_too and judged.sum() < MANY:
        return everything
    doubted = judged & (suspects(out_of_fold(texts, vectors, targets, classes, generator(seed)), targets) >= 0)
    lost = np.bincount(targets[doubted], minlength=classes) / np.maximum(np.bincount(targets, minlength=classes), 1)
    if not few_too and (doubted[judged].mean() < SPOILT or lost.max() > MOST_LOST):
        return everything
    left = np.bincount(targets[~doubted], minlength=classes)
    kept = np.flatnonzero(~doubted | (left[targets] == 0))
    if show and len(kept) < len(targets):
        say(
            f"note: {len(targets) - len(kept)} of {len(targets)} rows are left out, their label is likely wrong; see them "
            "with fieldtune data check --labels, keep them with --set noisy=keep"
        )
    return kept


def _words(texts: Sequence[str]) -> Any:
    """Words and pairs of words, weighted, sparse; None where no two texts share a word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=_WORDS)
    try:
        return vectoriser.fit_transform(texts)
    except ValueError:  # an empty vocabulary
        return None
