"""banking77 by an exported int8 graph: how fast beside sentence-transformers' ``encode``, and what it costs in accuracy."""

import argparse
from typing import Any

import numpy as np

import fieldtune
from benchmarks.common import report, workspace
from benchmarks.core_speed import ROUNDS, banking
from benchmarks.speed_peers import interleaved
from fieldtune.data.split import stratified
from fieldtune.infer.export import export
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.runtime import generator


def main() -> None:
    """Ratios of wall seconds of float32 and int8 graphs, mean cosine, accuracy of both heads on the official test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer test rows and rounds")
    options = parser.parse_args()
    train, test = banking("train"), banking("test", 300 if options.quick else None)
    rows, apart = stratified(train["label"].tolist(), 0.1, generator(0))
    kept, held_out = train.iloc[rows].reset_index(drop=True), train.iloc[apart].reset_index(drop=True)
    with workspace() as folder:
        done = fieldtune.finetune(
            "text-classification", kept, valid=held_out, method="head", out=folder / "exact", progress=False
        )
        exact = fieldtune.load(done.path)
        probe, labels = held_out["text"].tolist(), held_out["label"].tolist()
        told = {
            name: export(exact, folder / name, probe, labels=labels, int8=name == "int8")
            for name in ("float32", "int8")
        }
        graphs = {name: fieldtune.load(folder / name) for name in told}
        figures = {name: accuracy(model, test) for name, model in {"exact": exact, **graphs}.items()}
        found = compared(test["text"].tolist(), graphs, 2 if options.quick else ROUNDS)
    report({**found, "export": told, "accuracy": figures, "accuracy_lost": figures["exact"] - figures["int8"]})


def compared(texts: list[str], graphs: dict[str, Any], rounds: int) -> dict[str, Any]:
    """How many times as fast as sentence-transformers each graph gives the vectors."""
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(load_encoder_folder().folder))
    runs: dict[str, Any] = {"sentence_transformers": lambda: theirs.encode(texts)}
    for name, model in graphs.items():
        runs[name] = lambda features=model.features: features(texts)
    found: dict[str, Any] = interleaved(runs, rounds)
    vectors = theirs.encode(texts, normalize_embeddings=True)
    for name, model in graphs.items():
        found[name]["ratio"] = found["sentence_transformers"]["seconds"] / found[name]["seconds"]
        found[name]["mean_cosine"] = float((vectors * model.features(texts)).sum(axis=1).mean())
    return found


def accuracy(model: Any, table: Any) -> float:
    """Share of rows with the right label."""
    predicted = np.asarray(model.labels)[model.logits(table["text"].tolist()).argmax(axis=1)]
    return float((predicted == table["label"].to_numpy(dtype=str)).mean())


if __name__ == "__main__":
    main()
