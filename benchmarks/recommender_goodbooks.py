"""goodbooks through the command line: first 80 % of the rows train, positives are ratings of 4 and 5, full catalogue.

Users with at least five training positives, seen items out, nDCG@10. Texts are title and authors (and genres where
asked for); average_rating and ratings_count come from the end of the crawl and are never read.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import data, fieldtune, machine, peak_gib, report, workspace, write

RIVALS = ("recent_popularity", "without_text", "frozen_text", "item_knn", "item_knn_last", "bm25", "bm25_last")


def tables(folder: Path, genres: bool) -> tuple[Path, Path]:
    """events and items as the command reads them; only the columns that may be used."""
    source = data("goodbooks")
    books = pd.read_csv(source / "books.csv.gz", usecols=["book_id", "title", "authors"])
    if genres:
        known = pd.read_csv(source / "book_genres.csv.gz", usecols=["book_id", "genres"])
        books = books.merge(known, on="book_id", how="left")
        books["genres"] = books["genres"].fillna("").str.split(",").str[:8].str.join("|")
    ratings = pd.read_csv(source / "ratings.csv.gz")
    return write(ratings, folder / "ratings.csv"), write(books, folder / "books.csv")


def run(folder: Path, seed: int, steps: int, genres: bool) -> dict[str, Any]:
    """Train and evaluate once."""
    events, items = tables(folder, genres)
    out, home = folder / f"model-{seed}", folder / "home"
    renamed = "item=book_id,tags=authors" + (",description=genres" if genres else "")
    started = time.monotonic()
    trained = fieldtune(
        "recommender", "train", "--events", events, "--items", items, "--out", out, "--seed", seed,
        "--columns", "user=user_id,item=book_id", "--item-columns", renamed, "--positive", "rating>=4",
        "--max-steps", steps, home=home,
    )  # fmt: skip
    seconds = time.monotonic() - started
    found = fieldtune("recommender", "evaluate", "--model", out, "--events", events, "--seed", seed, home=home)
    return {"seed": seed, "train_seconds": seconds, "winner": trained["verdict"]["winner"], **found}


def gained(runs: list[dict[str, Any]], rival: str) -> dict[str, float]:
    """Means over the seeds: the rival's nDCG@10, our ratio to it, and the least lower bound of the gain."""
    rows = [one["rivals"].get(rival) for one in runs]
    if any(row is None for row in rows):
        return {}
    theirs = float(np.mean([row["ndcg@10"] for row in rows]))
    ours = float(np.mean([one["ndcg@10"] for one in runs]))
    return {"ndcg@10": theirs, "ratio": ours / theirs, "least_low": min(row["gain"]["low"] for row in rows)}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=60, help="of the text tower")
    parser.add_argument("--genres", action="store_true", help="genres as part of the text")
    parser.add_argument("--quick", action="store_true", help="one seed, 10 steps")
    options = parser.parse_args()
    seeds = [0] if options.quick else [int(seed) for seed in options.seeds.split(",")]
    runs = []
    with workspace() as folder:
        for seed in seeds:
            runs.append(run(folder, seed, 10 if options.quick else options.steps, options.genres))
            print(f"seed {seed}: {runs[-1]['ndcg@10']:.4f}", file=sys.stderr, flush=True)
    values = [one["ndcg@10"] for one in runs]
    report(
        {
            "ndcg@10": float(np.mean(values)),
            "deviation": float(np.std(values)),
            "n_users": runs[0]["n_users"],
            "n_relevant": runs[0]["n_relevant"],
            "rivals": {name: gained(runs, name) for name in RIVALS},
            "new_users": [one["slices"].get("new_users", {}) for one in runs],
            "peak_gib": peak_gib(),
            "machine": machine(),
            "runs": runs,
        }
    )


if __name__ == "__main__":
    main()
