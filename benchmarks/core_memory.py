"""Evaluating 200,000 rows of 1,000 classes: how much the resident memory grows, peak over what the data takes."""

import argparse
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common import report
from fieldtune.models.features import NgramFeatures
from fieldtune.models.trained import Classifier
from fieldtune.tasks import labelled

CLASSES, ROWS, NGRAMS = 1000, 200_000, 5000


def resident() -> float:
    """MiB this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


class Peak(threading.Thread):
    """The most it held at one of many looks."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.on = resident(), True

    def run(self) -> None:
        while self.on:
            self.most = max(self.most, resident())
            time.sleep(0.01)


def main() -> None:
    """Print rows, classes, growth and seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    rows = ROWS // 10 if parser.parse_args().quick else ROWS
    rng = np.random.default_rng(0)
    texts = [f"{a} {b}" for a, b in rng.integers(0, 10**6, (rows, 2))]
    labels = tuple(f"class {place}" for place in range(CLASSES))
    given = pd.Series(rng.choice(np.asarray(labels, dtype=object), rows))
    features = NgramFeatures.fit(texts[:2000], limit=NGRAMS)
    weight = rng.normal(size=(CLASSES, features.width)).astype(np.float32)
    model = Classifier(features, weight, np.zeros(CLASSES, np.float32), labels)
    labelled.metrics(model, texts[:2000], given[:2000])  # what is imported and cached once
    before, peak, started = resident(), Peak(), time.monotonic()
    peak.start()
    found = labelled.metrics(model, texts, given)
    peak.on = False
    peak.join()
    report({"rows": found["n"], "classes": CLASSES, "growth_mib": peak.most - before, "before_mib": before,
            "seconds": time.monotonic() - started})  # fmt: skip


if __name__ == "__main__":
    main()
