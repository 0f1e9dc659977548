"""SQuAD as a knowledge base: every paragraph a document; tuned on questions of even articles, judged on odd ones.

Rivals in the same run, on the same questions: BM25 with stemming, the frozen encoder, and their plain fusion by
reciprocal rank.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import data, fieldtune, interval, report, text_of, workspace, write
from fieldtune.retrieval.bm25 import Bm25

Questions = list[tuple[str, str]]
DEPTH = 100


def main() -> None:
    """Print recall@1 and recall@5 of the built bot and of its rivals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="six articles, no fine-tuning")
    parser.add_argument("--max-steps", type=int, default=150, help="fine-tuning steps of the encoder")
    options = parser.parse_args()
    articles = json.loads(text_of(data("squad") / "dev-v1.1.json.gz"))["data"][: 6 if options.quick else None]
    with workspace() as folder:
        texts, even, odd = _write(articles, folder)
        built = fieldtune(
            "chatbot", "build", "--documents", folder / "documents", "--questions", folder / "even.csv",
            "--store", folder / "bot", "--max-steps", 0 if options.quick else options.max_steps, home=folder / "home",
        )  # fmt: skip
        figures = fieldtune(
            "chatbot", "evaluate", "--store", folder / "bot", "--questions", folder / "odd.csv", home=folder / "home"
        )
        rivals = _rivals(texts, odd)
    best = max(rival["recall@1"] for rival in rivals.values())
    report(
        {
            "recall@1": figures["recall@1"],
            "recall@5": figures["recall@5"],
            "mrr@10": figures["mrr@10"],
            "best_rival": best,
            "gain_over_best_rival": figures["recall@1"] - best,
            "rivals": rivals,
            "coverage": figures["coverage"],
            "answered_wrong": figures["answered_wrong"],
            "p50_ms": figures["p50_ms"],
            "p95_ms": figures["p95_ms"],
            "tuned_on": len(even),
            "n": len(odd),
            "built": {key: built[key] for key in ("winner", "reason", "standings")},
        }
    )


def _write(articles: list[dict[str, Any]], folder: Path) -> tuple[dict[str, str], Questions, Questions]:
    """One text file per paragraph, and the questions of even and odd articles with their paragraph."""
    documents = folder / "documents"
    documents.mkdir()
    texts: dict[str, str] = {}
    parts: tuple[Questions, Questions] = ([], [])
    for number, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            name = f"{len(texts):05}.txt"
            texts[name] = paragraph["context"]
            (documents / name).write_text(paragraph["context"], encoding="utf-8")
            parts[number % 2].extend((row["question"].strip(), name) for row in paragraph["qas"])
    for name, rows in zip(("even", "odd"), parts, strict=True):
        write(pd.DataFrame(rows, columns=["question", "document"]), folder / f"{name}.csv")
    return texts, *parts


def _rivals(texts: dict[str, str], questions: Questions) -> dict[str, dict[str, Any]]:
    """Each alone, and both by reciprocal rank; the frozen encoder reads at most 256 word pieces, as published."""
    from fieldtune.models import load_encoder

    names = np.asarray(list(texts))
    right = np.asarray([name for _, name in questions])
    asked = [question for question, _ in questions]
    _, words = Bm25.build(list(texts.values())).search(asked, DEPTH)
    encoder = load_encoder("default")
    vectors, meaning = encoder.encode(list(texts.values())), np.zeros((len(asked), min(DEPTH, len(names))), np.int64)
    queries = encoder.encode(asked)
    for start in range(0, len(asked), 1000):
        scores = queries[start : start + 1000] @ vectors.T
        meaning[start : start + 1000] = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
    pairs = zip(words.tolist(), meaning.tolist(), strict=True)
    fused = [_fused(pair)[:5] for pair in pairs]
    ranked = {"bm25": words[:, :5], "frozen_encoder": meaning[:, :5], "reciprocal_rank_fusion": np.asarray(fused)}
    return {name: _recall(names[places] == right[:, None]) for name, places in ranked.items()}


def _fused(rankings: tuple[list[int], list[int]]) -> list[int]:
    """One ranking of several by the sum of 1 / (60 + rank) (Cormack et al. 2009)."""
    total: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            total[item] = total.get(item, 0.0) + 1 / (60 + rank)
    return sorted(total, key=lambda item: -total[item])


def _recall(hits: Any) -> dict[str, Any]:
    first = hits[:, 0].astype(float)
    return {
        "recall@1": float(first.mean()),
        "interval": interval(first, np.random.default_rng(0)),
        "recall@5": float(hits.any(axis=1).mean()),
    }


if __name__ == "__main__":
    main()
