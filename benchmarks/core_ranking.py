"""A bi-encoder tuned on pairs of banking77 questions of one intent, against the same encoder as it is.

Pairs are made of train: a question and another one of its intent. Ten questions of each intent are in no pair: they are
the documents. The official test questions are the queries; right is every document of the query's intent.
"""

import argparse
import os
import time

import numpy as np
import pandas as pd

import fieldtune
from benchmarks.common import interval, peak_gib, report, workspace
from benchmarks.few_sets import banking77, shots
from fieldtune.evaluate.ranking import per_query
from fieldtune.evaluate.significance import chance_of_gain
from fieldtune.models.trained import Embedder, load_encoder
from fieldtune.retrieval.highest import highest
from fieldtune.runtime import generator

DOCUMENTS = 10
FIGURE = "ndcg@10"


def main() -> None:
    """Print nDCG@10 of both, the mean gain with its interval, and the chance that it is luck."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="10 steps instead of an epoch")
    options = parser.parse_args()
    train, queries = banking77()
    documents, rest = shots(train, DOCUMENTS, options.seed)
    with workspace() as folder:
        os.environ["FIELDTUNE_HOME"] = str(folder)
        before = scores(load_encoder("default", 128), queries, documents)
        started = time.monotonic()
        done = fieldtune.finetune(
            "embedding", pairs(rest, generator(options.seed)), out=folder / "model", seed=options.seed,
            settings={"max_steps": 10} if options.quick else {}, progress=False,
        )  # fmt: skip
        seconds = time.monotonic() - started
        after = scores(fieldtune.load(done.path), queries, documents)
    gain = after[FIGURE] - before[FIGURE]
    means = {name: {kind: float(found[kind].mean()) for kind in found} for name, found in
             (("tuned", after), ("untuned", before))}  # fmt: skip
    report({**means, "gain": float(gain.mean()), "gain_interval": interval(gain, generator(0)),
            "p": chance_of_gain(after[FIGURE], before[FIGURE], generator(0)), "queries": len(queries),
            "documents": len(documents), "pairs": len(rest), "train_seconds": seconds, "peak_gib": peak_gib()})  # fmt: skip


def pairs(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Each question with the next one of its intent, in an order drawn at random."""
    rows = [own.iloc[rng.permutation(len(own))] for _, own in table.groupby("label")]
    made = [pd.DataFrame({"query": own["text"], "positive": np.roll(own["text"], 1)}) for own in rows]
    return pd.concat(made, ignore_index=True)


def scores(model: Embedder, queries: pd.DataFrame, documents: pd.DataFrame) -> dict[str, np.ndarray]:
    """Ranking figures of each query."""
    known = model.encode(documents["text"].tolist()).T
    lists = [highest(row, 10).tolist() for row in model.encode(queries["text"].tolist()) @ known]
    own = documents.groupby("label").indices
    return per_query(lists, [set(own[label].tolist()) for label in queries["label"]])


if __name__ == "__main__":
    main()
