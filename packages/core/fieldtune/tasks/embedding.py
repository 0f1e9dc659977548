"""Embedding: queries close to their positives. Methods: linear (latent semantics of n-grams), head, full.

The loss is multiple negatives ranking (Henderson et al. 2017, arXiv 1705.00652), both ways: in a batch every other
row's document is a negative, so no two rows of a batch share a query or a document. A row may bring a negative of
its own (an empty one is none), and ``hard_negatives`` adds what the encoder as it is puts near the query. A document
that is known to answer a query is never a negative of it.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fieldtune.batching import Batch, fixed
from fieldtune.data.checks import check_table, text_key
from fieldtune.data.split import tenth
from fieldtune.data.tables import training_table
from fieldtune.errors import InputError
from fieldtune.evaluate.ranking import per_query, summary
from fieldtune.models.features import EncoderFeatures, NgramFeatures
from fieldtune.models.trained import Embedder, load_encoder
from fieldtune.progress import say
from fieldtune.retrieval.highest import highest
from fieldtune.runtime import generator
from fieldtune.tasks.contrast import Projection, answered, token_problem, tokens_of, vector_problem, with_negatives
from fieldtune.train.heeds import ENCODED, EPOCHS, Names
from fieldtune.train.run import planned, run
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import TUNED, Body, text_heeds, trainable
from fieldtune.train.words import words_at_hand

COLUMNS = (("query", "positive"), ("negative",))
INPUTS = ("query",)
DEFAULTS = Settings(epochs=1, learning_rate=5e-5, batch_rows=64)
METHODS = ("linear", "head", *TUNED)
RIVALS = ("linear", "head")
ENCODERLESS = ("linear",)
FIGURE = "ndcg@10"
_LATENT = 256
_NGRAMS = 30_000
_DEPTH = 10
read = partial(training_table, task="embedding")
check = partial(check_table, task="embedding")


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    if method == "linear":
        return text_heeds(method)
    paired = Names({"batch_rows", "temperature", "hard_negatives"})
    if method == "head":
        return ENCODED | EPOCHS | paired
    return text_heeds(method, "cached_gradients", *paired) - {"head_learning_rate"}  # nothing is new


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row, queries first."""
    return [*table["query"], *table["positive"]]


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A tenth of the rows, for validation, when the user gave none; all rows of one query on one side."""
    queries = [text_key(text) for text in table["query"]]
    return tenth(table, queries, seed)


def train(
    table: pd.DataFrame, method: str, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> Embedder:
    """Fit on ``table`` (columns query, positive and, when given, negative)."""
    if method == "linear":
        return _linear(table, seed)
    if settings.hard_negatives:
        table = with_negatives(table, load_encoder(model, settings.max_length).encode, settings.hard_negatives)
    plan = _plan(table, settings, seed, show)
    start = partial(run, plan=plan, settings=settings, seed=seed, folder=folder, show=show)
    if method == "head":
        frozen = load_encoder(model, settings.max_length)
        projection = Projection(frozen.features.width)
        made = vector_problem(frozen, table, settings.temperature)
        start(projection, made, body=None, dtype=torch.float32)
        return Embedder(frozen.features, projection.linear.weight.detach().cpu().numpy())
    encoder = trainable(model, method, settings)
    module, tokens = Body(encoder), tokens_of(encoder, table, settings.max_length)
    made = token_problem(encoder, tokens, settings, answered(table))
    with words_at_hand(encoder, *tokens.values()):
        start(module, made, body=module)
    return Embedder(EncoderFeatures(encoder, settings.max_length))


def finish(model: Embedder, valid: pd.DataFrame) -> dict[str, Any]:
    """Nothing to calibrate; returns the metrics on validation rows."""
    return metrics(model, valid)


def adopt(model: Embedder, measured: Embedder) -> None:
    """Nothing to take over from the model that was measured."""


def metrics(model: Embedder, table: pd.DataFrame) -> dict[str, Any]:
    """Each query against all distinct positives of the table: ndcg@10, mrr@10, recall@{1,5,10}, n."""
    found = summary(ranked(model, table))
    return {**found, "n": len(table)}


def predict(*given: Any) -> Any:
    """An embedder labels nothing, whatever the table.

    Raises:
        InputError: always; ``fieldtune encode`` gives the vectors.
    """
    raise InputError("a model that labels or scores rows", "a model for embedding", "use fieldtune encode")


read_inputs = predict  # before a column of the table is missed


def correct(model: Embedder, table: pd.DataFrame) -> NDArray[np.float64]:
    """Reciprocal rank at ten per row: what the gate compares."""
    return np.asarray(ranked(model, table)["mrr@10"], dtype=np.float64)


def ranked(model: Embedder, table: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Ranking figures per row, with every distinct positive as a candidate."""
    documents = sorted(table["positive"].unique())
    vectors = model.encode(documents)
    queries = model.encode(table["query"].tolist())
    lists: list[list[str]] = []
    for start in range(0, len(queries), 1024):  # never queries x documents at once
        scores = queries[start : start + 1024] @ vectors.T
        lists += [[documents[place] for place in highest(row, _DEPTH)] for row in scores]
    relevant = table.groupby("query")["positive"].agg(set)
    return per_query(lists, [relevant[query] for query in table["query"]])


def _plan(table: pd.DataFrame, settings: Settings, seed: int, show: bool) -> list[Batch]:
    keys = list(zip(("q:" + table["query"]).tolist(), ("d:" + table["positive"]).tolist(), strict=True))
    rng = generator(seed)
    epochs = [fixed(keys, settings.batch_rows, rng) for _ in range(settings.epochs)]
    # A batch of one row has no other row's document for a negative: left out.
    epochs = [[batch for batch in batches if len(batch) > 1] for batches in epochs]
    if not any(epochs):
        raise InputError(
            "rows of different queries and positives, so that each is a negative of the others",
            f"{len(table)} rows that all share a query or a positive",
            "give more queries and positives",
        )
    alone = len(table) - sum(map(len, epochs[0]))
    if show and alone > 1:  # one may be the rest of a division
        say(f"note: {alone} of {len(table)} rows take no part: their queries or positives repeat in all rows left over")
    return planned(epochs, settings)


def _linear(table: pd.DataFrame, seed: int) -> Embedder:
    """Latent semantic analysis of character n-grams (Deerwester et al. 1990): reads any language."""
    from sklearn.decomposition import TruncatedSVD

    texts = pd.unique(pd.concat([table["query"], table["positive"]])).tolist()
    features = NgramFeatures.fit(texts, limit=_NGRAMS)
    matrix = features(texts)
    size = max(2, min(_LATENT, *(side - 1 for side in matrix.shape)))
    machine = TruncatedSVD(size, random_state=seed).fit(matrix)
    return Embedder(features, machine.components_.astype(np.float32))
