"""Unlabelled rows: 3 labelled rows of each class and the rest of train without labels, official test, 5 seeds.

``selftrain`` against ``head`` on the same labelled rows; then the other sets, where it must do no harm.
"""

import argparse
import os
import time

import numpy as np

from benchmarks.common import interval, report, workspace
from benchmarks.few_sets import SETS, shots
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
            train, test = SETS[name]()
            runs = []
            for seed in range(1 if options.quick else options.seeds):
                few, rest = shots(train, COUNT, seed)
                settings = text_classification.DEFAULTS
                common = {"seed": seed, "folder": folder / "run", "show": False}
                plain = text_classification.train(few, "head", "default", settings, **common)  # type: ignore[arg-type]
                started = time.monotonic()
                more = text_classification.train(
                    few, "selftrain", "default", settings, unlabelled=rest["text"].tolist(), **common  # type: ignore[arg-type]
                )  # fmt: skip
                seconds = time.monotonic() - started
                right = [float(text_classification.correct(one, test).mean()) for one in (plain, more)]
                runs.append((*right, seconds))
            head, selftrain, seconds_of = np.asarray(runs).T
            found[name] = {
                "head": float(head.mean()),
                "selftrain": float(selftrain.mean()),
                "gain": float((selftrain - head).mean()),
                "gain_interval": interval((selftrain - head).tolist(), rng),
                "seconds": float(seconds_of.max()),
            }
    best = found.get("banking77", next(iter(found.values())))
    report({**best, "least_gain": min(one["gain"] for one in found.values()), "sets": found})


if __name__ == "__main__":
    main()
