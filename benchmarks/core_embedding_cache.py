"""Ten trainings of a head on the same 3,000 news texts, embeddings cached, against encoding them each time; CPU seconds.

Method ``head`` as ``finetune`` calls it, the encoder loaded each time. Encoding each time is measured twice and counted
five times. The ten differ in their seed, so in the order of rows and the penalty chosen.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common import data, report, workspace
from fieldtune.tasks import text_classification

TRAININGS, MEASURED = 10, 2
TOPICS = {1: "world", 2: "sports", 3: "business", 4: "science"}


def main() -> None:
    """Print CPU seconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--quick", action="store_true", help="300 rows")
    options = parser.parse_args()
    news = pd.read_csv(data("ag_news") / "test.csv.gz", header=None, names=["label", "title", "description"])
    table = pd.DataFrame({"text": news["title"] + ". " + news["description"], "label": news["label"].map(TOPICS)})
    table = table.sample(300 if options.quick else options.rows, random_state=0).reset_index(drop=True)
    with workspace() as folder:
        without = np.mean([trained(table, seed, folder / f"apart-{seed}") for seed in range(MEASURED)]) * TRAININGS
        cached = sum(trained(table, seed, folder / "shared") for seed in range(TRAININGS))
    report({"ratio": without / cached, "encoding_each_time": without, "cached": cached, "rows": len(table)})


def trained(table: pd.DataFrame, seed: int, home: Path) -> float:
    """CPU seconds of one training whose embeddings are kept in ``home``."""
    os.environ["FIELDTUNE_HOME"] = str(home)
    started = time.process_time()
    text_classification.train(
        table, "head", "default", text_classification.DEFAULTS, seed=seed, folder=home, show=False
    )
    return time.process_time() - started


if __name__ == "__main__":
    main()
