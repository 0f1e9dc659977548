"""fewshot on 40,000 short texts of 50 classes: how much the resident memory grows, peak over what the data takes.

A training on a few of the rows goes before, so that libraries and encoder are there. Few steps: memory grows with rows.
"""

import argparse
import os
import time

import numpy as np
import pandas as pd

import fieldtune
from benchmarks.common import peak_gib, report, workspace
from benchmarks.core_memory import Peak, resident
from fieldtune.runtime import generator

CLASSES, ROWS, FIRST = 50, 40_000, 500
WORDS = 30
"""Words of a class, of which each of its texts holds some beside those that all classes share."""
STEPS = {"max_steps": 3}


def main() -> None:
    """Print rows, classes, growth and seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the rows")
    rows = ROWS // 20 if parser.parse_args().quick else ROWS
    table = texts(rows, generator(0))
    with workspace() as folder:
        os.environ["FIELDTUNE_HOME"] = str(folder)
        common = {"method": "fewshot", "settings": STEPS, "progress": False}
        fieldtune.finetune("text-classification", table[:FIRST], out=folder / "first", **common)
        before, peak, started = resident(), Peak(), time.monotonic()
        peak.start()
        done = fieldtune.finetune("text-classification", table, out=folder / "all", **common)
        peak.on = False
        peak.join()
    growth = peak.most - before
    report({"rows": len(table), "classes": table["label"].nunique(), "growth_mib": growth, "before_mib": before,
            "kib_a_row": growth * 1024 / len(table), "accuracy": done.metrics["accuracy"], "peak_gib": peak_gib(),
            "seconds": time.monotonic() - started})  # fmt: skip


def texts(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Six to twelve made-up words each, half of them of the class; no two texts alike."""
    words = np.asarray([f"{a}{b}{c}" for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES])
    own = rng.permutation(words)[: (CLASSES + 1) * WORDS].reshape(CLASSES + 1, WORDS)
    rows = []
    for row in range(count):
        kind, length = row % CLASSES, int(rng.integers(3, 7))
        said = [*rng.choice(own[kind], length), *rng.choice(own[CLASSES], length)]
        rows.append((" ".join([*rng.permutation(said), str(row)]), f"class {kind}"))
    return pd.DataFrame(rows, columns=["text", "label"])


SYLLABLES = ("ba", "do", "fi", "ga", "ke", "lu", "mo", "na", "pi", "ru", "se", "to")


if __name__ == "__main__":
    main()
