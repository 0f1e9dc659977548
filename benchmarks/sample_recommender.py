"""The sample company's shop on fresh seeds: nDCG@10 beside recent popularity and the twin without text."""

import argparse
import subprocess
import sys
from typing import Any

from benchmarks.common import fieldtune, report, workspace


def main() -> None:
    """Print the figures of every seed, and the smallest lower bound of the two gains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="3001,3002,3003")
    parser.add_argument("--quick", action="store_true", help="one seed")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")][: 1 if options.quick else None]
    runs: list[dict[str, Any]] = []
    with workspace() as folder:
        for seed in seeds:
            out = folder / str(seed)
            command = [sys.executable, "-m", "fieldtune_sample", "--out", out, "--seed", seed, "--part", "shop"]
            subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
            shop, model, home = out / "shop", out / "model", out / "home"
            fieldtune(
                "recommender", "train", "--events", shop / "events.csv", "--items", shop / "items.csv", "--out", model,
                home=home,
            )  # fmt: skip
            figures = fieldtune("recommender", "evaluate", "--model", model, "--events", shop / "events.csv", home=home)
            runs.append({"seed": seed, **figures})
            print(figures, file=sys.stderr, flush=True)
    report(
        {
            "seeds": len(seeds),
            "least_gain_over_recent_popularity": least(runs, "recent_popularity"),
            "least_gain_over_twin_without_text": least(runs, "without_text"),
            "runs": runs,
        }
    )


def least(runs: list[dict[str, Any]], rival: str) -> float:
    """The smallest lower end of the 95 % intervals of the gain; 0 where the rival itself answers."""
    return min(run["rivals"][rival]["gain"]["low"] if rival in run["rivals"] else 0.0 for run in runs)


if __name__ == "__main__":
    main()
