"""A tenth of the training labels flipped: does the data check find them, and what does training on them lose?

``--only check`` leaves the trainings out. With ``FIELDTUNE_SCRATCH`` finished parts are kept, see benchmarks/scratch.py.
"""

import argparse
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import data, fieldtune, report, workspace, write
from benchmarks.few_child import measure
from benchmarks.few_sets import SETS, banking77
from benchmarks.scratch import part

SHARE = 0.1
CHECKED = ("banking77", "trec", "phrasebank", "bitext")
TRAINED = ("head", "full")


def flipped(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A tenth of the labels changed to another one, any alike; and which rows these are."""
    rng = np.random.default_rng(seed)
    names = np.asarray(sorted(table["label"].unique()))
    place = np.searchsorted(names, table["label"].to_numpy(dtype=str))
    wrong = np.zeros(len(table), dtype=bool)
    wrong[rng.choice(len(table), round(SHARE * len(table)), replace=False)] = True
    other = (place + rng.integers(1, len(names), len(table))) % len(names)
    return table.assign(label=names[np.where(wrong, other, place)]), wrong


def checked(name: str, seed: int) -> dict[str, Any]:
    """Share of flipped rows named, share of the others named, share of the right suggestions among the first."""
    table = SETS[name]()[0]
    spoilt, wrong = flipped(table, seed)
    with workspace() as folder:
        file = write(spoilt, folder / "rows.csv")
        findings = fieldtune("data", "check", file, "--labels", home=folder / "home")["findings"]
    told = next(one for one in findings if one["kind"] == "likely-wrong-label")
    rows = np.asarray(told["rows"]) - 2  # the file counts its header, and from 1
    named = np.zeros(len(table), dtype=bool)
    named[rows] = True
    suggested = np.asarray(told["suggested"]) == table["label"].to_numpy(dtype=str)[rows]
    return {
        "found": float(named[wrong].mean()),
        "false_alarms": float(named[~wrong].mean()),
        "right_suggestion": float(suggested[wrong[rows]].mean()),
    }


def trained(method: str, spoil: bool, seed: int) -> dict[str, Any]:
    """Accuracy on the official test of banking77, trained on right or on spoilt labels."""
    train, test = banking77()
    with workspace() as folder:
        rows = write(flipped(train, seed)[0] if spoil else train, folder / "train.csv")
        return measure(method, rows, write(test, folder / "test.csv"), seed)


def main() -> None:
    """Print the worst and the mean of the check over the sets, and what each method loses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("check", "training"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="the check of one small set")
    options = parser.parse_args()
    data("banking77")
    found: dict[str, Any] = {}
    if options.only != "training":
        sets = {
            name: part("core_label_noise", f"check-{name}-{options.seed}", lambda: checked(name, options.seed))  # noqa: B023
            for name in (("phrasebank",) if options.quick else CHECKED)
        }  # fmt: skip
        found |= {
            "found": float(np.mean([one["found"] for one in sets.values()])),
            "false_alarms": float(np.mean([one["false_alarms"] for one in sets.values()])),
            "least_found": min(one["found"] for one in sets.values()),
            "most_false_alarms": max(one["false_alarms"] for one in sets.values()),
            "sets": sets,
        }
    if options.only != "check" and not options.quick:
        for method in TRAINED:
            clean, spoilt = (
                part("core_label_noise", f"{method}-{spoil}-{options.seed}", lambda: trained(method, spoil, options.seed))  # noqa: B023
                for spoil in (False, True)
            )  # fmt: skip
            found[method] = {
                "clean": clean["accuracy"],
                "spoilt": spoilt["accuracy"],
                "lost": clean["accuracy"] - spoilt["accuracy"],
            }
    report(found)


if __name__ == "__main__":
    main()
