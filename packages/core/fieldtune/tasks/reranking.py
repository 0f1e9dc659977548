"""Reranking: how well a document answers a query, to order what a search found. Methods: linear (n-grams of both and
their overlap), head (frozen vectors of both), and those that tune an encoder which reads both at once.

A label above 0 says that the document answers the query. Queries without a document that does not (a table may have
no label column at all) get hard negatives by BM25 among the documents of the table, in training and in measuring;
then the first stage that is measured beside is BM25 too.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldtune.data.checks import Finding, check_table, text_key
from fieldtune.data.labels import check_relevance
from fieldtune.data.split import tenth
from fieldtune.data.tables import training_table
from fieldtune.errors import InputError, MissingExtraError
from fieldtune.evaluate.ranking import per_query, summary
from fieldtune.models.pair_features import Pair
from fieldtune.models.pairs import Reranker
from fieldtune.progress import say
from fieldtune.retrieval.negatives import by_words, hard_negatives
from fieldtune.tasks.text_pair import learn
from fieldtune.train.heeds import CLASSES, Names
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import TOP, TUNED, text_heeds

COLUMNS = (("query", "document"), ("label",))
INPUTS = ("query", "document")
DEFAULTS = Settings(epochs=2, max_length=256, token_budget=4096, hard_negatives=4, label_smoothing=0.0)
METHODS = ("linear", "head", *TUNED, TOP)
RIVALS = ("linear", "head")
ENCODERLESS = ("linear",)
SHARED = (*TUNED, TOP)
FIGURE = "ndcg@10"
CANDIDATES = 20
"""Documents mined per query to measure on, where the table has none that are wrong."""
_CLASSES = ("0", "1")


def heeds(method: str, settings: Settings) -> Names:
    """The settings a method reads."""
    return text_heeds(method, *CLASSES) | {"hard_negatives"}


def read(data: pd.DataFrame | Path | str, **names: Any) -> pd.DataFrame:
    """Columns query, document, label; without a label column every document answers its query."""
    table = training_table(data, "reranking", **names)
    if "label" not in table:
        table["label"] = 1.0
    return table


def check(table: pd.DataFrame) -> list[Finding]:
    """Findings on texts and labels, errors first."""
    found = check_table(table, "reranking") + check_relevance(table)
    return sorted(found, key=lambda finding: finding.severity)


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return [*table["query"], *table["document"]]


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A tenth of the rows, for validation; all rows of one query on one side."""
    keys = [text_key(text) for text in table["query"]]
    return tenth(table, keys, seed)


def train(
    table: pd.DataFrame, method: str, model: str, settings: Settings, *, seed: int, folder: Path, show: bool
) -> Reranker:
    """Fit on ``table`` (columns query, document, label)."""
    table = with_negatives(table, settings.hard_negatives)
    targets = (table["label"].to_numpy() > 0).astype(np.int64)
    if targets.min() == targets.max():
        raise InputError(
            "documents that answer their query and others that do not",
            "only such as answer it" if targets.max() else "only such as do not",
            "give rows with label 0 and label 1, or more documents with --set hard_negatives=4",
        )
    features, weight, bias, _ = learn(
        pairs(table), targets, _CLASSES, method, model, settings, seed=seed, folder=folder, show=show
    )
    return Reranker(features, weight[1] - weight[0], float(bias[1] - bias[0]))


def finish(model: Reranker, valid: pd.DataFrame) -> dict[str, Any]:
    """Nothing to calibrate; returns the metrics on validation rows."""
    return metrics(model, valid)


def adopt(model: Reranker, measured: Reranker) -> None:
    """Nothing to take over from the model that was measured."""


def metrics(model: Reranker, table: pd.DataFrame) -> dict[str, Any]:
    """ndcg@10, mrr@10 and recall@{1,5,10} of each query over its own candidates, n queries; ``first_stage`` is the same
    of BM25's order of these candidates."""
    table = _answerable(with_negatives(table, CANDIDATES))
    found: dict[str, Any] = {**summary(_ranked(table, model.score(pairs(table)))), "n": table["query"].nunique()}
    found["candidates"] = len(table) / found["n"]
    try:
        found["first_stage"] = summary(_ranked(table, _by_words(table)))
    except MissingExtraError as error:
        say(f"note: not measured beside it, the first stage: {error}")
    return found


def correct(model: Reranker, table: pd.DataFrame) -> NDArray[np.float64]:
    """nDCG at ten per query, in the order of the queries: what the gate compares."""
    table = _answerable(with_negatives(table, CANDIDATES))
    return _ranked(table, model.score(pairs(table)))["ndcg@10"]


def predict(model: Reranker, table: pd.DataFrame) -> pd.DataFrame:
    """score: the log-odds that the document answers the query."""
    return pd.DataFrame({"score": model.score(pairs(table))})


def with_negatives(table: pd.DataFrame, k: int) -> pd.DataFrame:
    """The table and, for each query all of whose documents answer it, ``k`` that BM25 finds and that do not."""
    wrong = set(table["query"][table["label"] <= 0])
    right = table[~table["query"].isin(wrong)].groupby("query", sort=True)["document"].agg(list)
    if not k or not len(right):
        return table
    documents, queries = sorted(table["document"].unique()), list(right.index)
    known: list[set[Any]] = [{text_key(document) for document in own} for own in right]
    mined = hard_negatives(queries, documents, known, k, by_words(documents), text_key)
    rows = [(query, documents[place], 0.0) for query, places in zip(queries, mined, strict=True) for place in places]
    return pd.concat([table, pd.DataFrame(rows, columns=["query", "document", "label"])], ignore_index=True)


def _answerable(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of queries that have an answer; the others say nothing about an order."""
    answered = table["query"].isin(set(table["query"][table["label"] > 0]))
    if not answered.any():
        raise InputError("a query with a document that answers it", "none", "check the label column")
    if not answered.all():
        say(f"{table['query'][~answered].nunique()} queries that no document answers left out")
    return table[answered]


def _ranked(table: pd.DataFrame, scores: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Ranking figures of each query, in the order of their first rows; equal scores are ordered by the documents' text,
    so that a model without an opinion gains nothing from how the table is sorted."""
    rows = pd.DataFrame({"query": table["query"].to_numpy(), "document": table["document"].to_numpy()})
    rows["score"], rows["gain"] = scores, table["label"].clip(lower=0).to_numpy()
    ordered = rows.sort_values(["score", "document"], ascending=[False, True]).groupby("query", sort=False)
    lists = {query: list(dict.fromkeys(group["document"])) for query, group in ordered}  # a repeated row counts once
    gains = {
        query: dict(zip(group["document"], group["gain"], strict=True))
        for query, group in rows.sort_values("gain").groupby("query", sort=False)
    }
    queries = list(dict.fromkeys(rows["query"]))
    return per_query([lists[query] for query in queries], [gains[query] for query in queries])


def _by_words(table: pd.DataFrame) -> NDArray[np.float32]:
    """BM25's score of each row."""
    from fieldtune.retrieval.bm25 import Bm25

    documents = sorted(table["document"].unique())
    places = {document: place for place, document in enumerate(documents)}
    index, scores = Bm25.build(documents), np.zeros(len(table), dtype=np.float32)
    where = table["document"].map(places).to_numpy()
    for query, rows in table.reset_index(drop=True).groupby("query").indices.items():
        scores[rows] = index.scores(str(query))[where[rows]]
    return scores


def pairs(table: pd.DataFrame) -> list[Pair]:
    """Query and document of each row."""
    return list(zip(table["query"], table["document"], strict=True))
