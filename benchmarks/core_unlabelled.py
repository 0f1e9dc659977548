"""Unlabelled rows: 3 labelled rows of each class and the rest of train without labels, official test, 5 seeds.

``selftrain`` against ``head`` on the same labelled rows; then the other sets, where it must do no harm.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import interval, report, workspace
from benchmarks.few_sets import SETS, shots
from benchmarks.scratch import part
from fieldtune.tasks import text_classification

COUNT = 3


def main() -> None:
    """Print the gain on banking77 with its interval, and the mean gain of each other set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one seed of one small set")
    options = parser.parse_args()
    rng, found = np.random.default_rng(0), {}
    with workspace() as folder:
        os.environ["FIELDTUNE_HOME"] = str(folder)
        for name in ["phrasebank"] if options.quick else SETS:
            seeds = range(1 if options.quick else options.seeds)
            runs = [part("core_unlabelled", f"{name}-{seed}", lambda: one(name, seed, folder)) for seed in seeds]  # noqa: B023
            head, selftrain, seconds = (
                np.asarray([run[key] for run in runs]) for key in ("head", "selftrain", "seconds")
            )
            found[name] = {
                "head": float(head.mean()),
                "selftrain": float(selftrain.mean()),
                "gain": float((selftrain - head).mean()),
                "gain_interval": interval((selftrain - head).tolist(), rng),
                "seconds": float(seconds.max()),
            }
    best = found.get("banking77", next(iter(found.values())))
    report({**best, "least_gain": min(one["gain"] for one in found.values()), "sets": found})


def one(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """Accuracy with and without unlabelled rows, and the seconds that they took, encoding included the first time."""
    train, test = SETS[name]()
    few, rest = shots(train, COUNT, seed)
    common: dict[str, Any] = {"seed": seed, "folder": folder / "run", "show": False}
    settings = text_classification.DEFAULTS
    plain = text_classification.train(few, "head", "default", settings, **common)
    started = time.monotonic()
    more = text_classification.train(few, "selftrain", "default", settings, unlabelled=rest["text"].tolist(), **common)
    seconds = time.monotonic() - started
    head, selftrain = (float(text_classification.correct(model, test).mean()) for model in (plain, more))
    return {"head": head, "selftrain": selftrain, "seconds": seconds}


if __name__ == "__main__":
    main()
