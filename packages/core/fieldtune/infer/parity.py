"""Does a graph answer as the model does? Measured on rows, and judged: float32 must give the same numbers, int8 answers.

A model here is an encoder's vector of a text (or of both texts of a pair, each by itself) and a linear head on it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from fieldtune.batching import by_length
from fieldtune.errors import RefusedError
from fieldtune.infer.onnx_graph import TOKEN_BUDGET, OnnxFeatures
from fieldtune.infer.tracing import Graph
from fieldtune.models import asked
from fieldtune.models.asked import Pair
from fieldtune.models.encoder import pad
from fieldtune.models.features import EncoderFeatures, Features
from fieldtune.models.labelled import Labelled
from fieldtune.models.multi_label import MultiLabelClassifier
from fieldtune.models.pair_features import Apart
from fieldtune.models.pairs import PairClassifier, Reranker
from fieldtune.models.regressor import Regressor
from fieldtune.models.trained import Classifier, Embedder

TOLERANCE = 1e-4
"""By how much a number of a vector may differ in float32."""
COSINE = 0.98
"""Least mean cosine of int8 vectors with the exact ones."""
SAME = 0.99
"""Least share of rows that int8 gives the model's label, and of those it holds to be in scope as the model does."""
DROP = 0.003
"""Accuracy that int8 may cost, to a standard error of the difference: two of 500 rows are .4 points, by luck as well."""
LEAST = 334
"""Fewest rows that int8 is judged on: of fewer, one alone would be more than :data:`DROP`."""
SHOWN = (128, 512)
"""Rows, fewest and most, that show int8 which numbers grow large; it is judged on others. On banking77, 128 of them cost .3
points of accuracy, 512 .1."""
Exportable = Classifier | MultiLabelClassifier | Regressor | PairClassifier | Reranker | Embedder
Row = str | Pair


class _Known:
    """Vectors at hand in the place of what computes them; not to be saved."""

    hides = False

    def __init__(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self.vectors, self._places = vectors, {text: place for place, text in enumerate(texts)}

    @property
    def width(self) -> int:
        return int(self.vectors.shape[1])

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.vectors[[self._places[text] for text in texts]]


def compare(
    model: Exportable, graph: OnnxFeatures, rows: Sequence[Row], labels: Sequence[Any] | None
) -> dict[str, Any]:
    """How the graph's answers differ from the model's on some rows, in batches and one text at a time, both in float32:
    what the number format of this machine rounds off is no fault of the graph."""
    texts, reader = texts_of(rows), cast(EncoderFeatures, reader_of(model))
    exact, found = _exact(reader, texts), graph(texts)
    alone = np.concatenate([graph([text]) for text in texts[:8]])
    told: dict[str, Any] = {
        "texts": len(rows),
        "compared_in": "float32",
        "max_difference": float(max(np.abs(exact - found).max(), np.abs(exact[:8] - alone).max())),
        "mean_cosine": float((exact * found).sum(axis=1).mean()),
    }
    both = [with_reader(model, cast(Features, _Known(texts, vectors)), model.card) for vectors in (exact, found)]
    exact_figures, figures = (_figures(one, rows) for one in both)
    if exact_figures is not None and figures is not None:
        told["answers_difference"] = float(np.abs(exact_figures - figures).max())
    right, mine = (answers(one, rows) for one in both)
    if right is not None and mine is not None:
        told["same_answers"] = _share(mine, right)
        scopes = [one.in_scope(rows)[0].tolist() for one in both if isinstance(one, Labelled)]
        if scopes:
            told["same_scope"] = _share(*scopes)
        if labels is not None:
            told |= {"accuracy_exact": _share(right, labels), "accuracy": _share(mine, labels)}
            lost = [(one == label) - (other == label) for one, other, label in zip(right, mine, labels, strict=True)]
            told["error"] = float(np.std(lost) / np.sqrt(len(lost)))
    return told


def answers(model: Exportable, rows: Sequence[Any]) -> list[Any] | None:
    """The label of each row, or its labels; None of a model that has none. Whether it is in scope is told apart."""
    if isinstance(model, MultiLabelClassifier):
        return [tuple(sorted(given)) for given in model.given(model.probabilities(rows))]
    if isinstance(model, Classifier | PairClassifier):
        return [model.labels[place] for place in model.logits(rows).argmax(axis=1)]
    return None


def _figures(model: Exportable, rows: Sequence[Any]) -> NDArray[np.floating] | None:
    """What a user reads of each row: the probabilities of labels, the value, the score; None of vectors alone."""
    match model:
        case Embedder():
            return None
        case Regressor():
            return model.values(rows)
        case Reranker():
            return model.score(rows)
        case _:
            return model.probabilities(rows)


def _share(given: Sequence[Any], wanted: Sequence[Any]) -> float:
    return float(np.mean([one == other for one, other in zip(given, wanted, strict=True)]))


def texts_of(rows: Sequence[Row]) -> list[str]:
    """Every text of the rows, once."""
    return list(dict.fromkeys(text for row in rows for text in ((row,) if isinstance(row, str) else row)))


def _exact(features: EncoderFeatures, texts: list[str]) -> NDArray[np.float32]:
    """Embeddings in float32, whatever number format this machine encodes in."""
    encoder = features.encoder
    tokens = encoder.tokens(asked.texts(texts, features.hides), features.max_length)
    out = np.zeros((len(texts), encoder.dimensions), dtype=np.float32)
    graph = Graph(encoder).eval()
    with torch.inference_mode():
        for batch in by_length([len(ids) for ids in tokens], TOKEN_BUDGET):
            out[batch] = graph(*pad([tokens[row] for row in batch], encoder.tokenizer.pad_token_id or 0)).numpy()
    return out


def judge(told: dict[str, Any], int8: bool) -> None:
    """Refuse a graph by what :func:`compare` told: RefusedError says what was wanted and what was found."""
    same, scope = told.get("same_answers", 1.0), told.get("same_scope", 1.0)
    if not int8:
        # Not a number is no pass. Of the scope rounding may decide: a threshold is some row's own score.
        if not (told["max_difference"] <= TOLERANCE and same == 1.0):
            raise RefusedError(
                f"the numbers of torch within {TOLERANCE:g}", str(told), "report it with the model's type"
            )
        return
    drop = told.get("accuracy_exact", 0.0) - told.get("accuracy", 0.0)
    lost = drop > DROP + told.get("error", 0.0) + 1e-9
    if not (told["mean_cosine"] >= COSINE and min(same, scope) >= SAME) or lost:
        raise RefusedError(
            f"int8 with a mean cosine of {COSINE}, {SAME:.0%} of the labels the same and as often in scope, and at most "
            f"{DROP:.1%} less accuracy",
            f"cosine {told['mean_cosine']:.4f}, {same:.1%} the same, {scope:.1%} in scope alike, {drop:.1%} less accuracy "
            f"on {told['texts']} rows",
            "export without --int8",
        )


def reader_of(model: Any) -> EncoderFeatures | None:
    """What makes vectors of single texts in a model."""
    features = model.features.features if isinstance(model.features, Apart) else model.features
    return features if isinstance(features, EncoderFeatures) else None


def apart(probe: list[Row]) -> tuple[NDArray[np.int64], list[Row]]:
    """The places of the rows that judge, and the rows, spread over all, that the scales are measured on: no row is both.

    Raises:
        RefusedError: there are too few.
    """
    first = {row: place for place, row in reversed(list(enumerate(probe)))}
    places = np.sort(np.fromiter(first.values(), dtype=np.int64, count=len(first)))
    least, most = SHOWN
    if len(places) < LEAST + least:
        raise RefusedError(
            f"{LEAST + least} different held-out rows, {least} to measure the scales on and {LEAST} to judge int8",
            f"{len(places)}",
            "give more with --data, or export without --int8",
        )
    shown = np.linspace(0, len(places) - 1, min(len(places) - LEAST, most)).astype(int)
    return np.delete(places, shown), [probe[place] for place in places[shown]]


def with_reader(model: Exportable, reader: Features, card: dict[str, Any]) -> Exportable:
    """The same model on other vectors of texts; what it would need to go on learning stays behind."""
    features = Apart(reader) if isinstance(model.features, Apart) else reader
    past = {"memory": None, "lean": None} if isinstance(model, Classifier) else {}
    made: Exportable = replace(cast(Any, model), features=features, card=card, **past)
    return made
