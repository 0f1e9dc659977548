"""banking77 in seven blocks of eleven new intents each: what is left of the first ones when the last are learnt."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fieldtune
from benchmarks.common import data, report, workspace
from fieldtune.runtime import generator
from fieldtune.train.continual import forgetting

TASK = "text-classification"
BLOCKS = 7
JOINT = ("head", "full")


def main() -> None:
    """Final accuracy over all intents against training on everything at once, the forgetting, and the naive way beside."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keeps", default="statistics", help="how the past is kept")
    parser.add_argument("--beside", default="none", help="another way, shown beside; empty for none")
    parser.add_argument("--quick", action="store_true", help="two blocks, joint by head only")
    options = parser.parse_args()
    train = pd.read_csv(data("banking77") / "train.csv.gz").rename(columns={"category": "label"})
    test = pd.read_csv(data("banking77") / "test.csv.gz").rename(columns={"category": "label"})
    blocks = np.array_split(generator(0).permutation(sorted(train["label"].unique())), BLOCKS)
    blocks = blocks[:2] if options.quick else blocks
    train, test = (table[table["label"].isin(np.concatenate(blocks))] for table in (train, test))
    with workspace() as folder:
        found = _in_blocks(train, test, blocks, options.keeps, folder / "kept")
        joint = {}
        for method in JOINT[:1] if options.quick else JOINT:
            done = fieldtune.finetune(TASK, train, method=method, out=folder / method, progress=False)
            joint[method] = _accuracy(fieldtune.load(done.path), test)
        beside = _in_blocks(train, test, blocks, options.beside, folder / "beside") if options.beside else {}
    best = max(joint.values())
    report({"keeps": options.keeps, **found, "joint": joint, "of_joint": found["accuracy"] / best, "beside": beside})


def _in_blocks(train: pd.DataFrame, test: pd.DataFrame, blocks: list[Any], keeps: str, folder: Path) -> dict[str, Any]:
    model, grid = "default", np.full((len(blocks), len(blocks)), np.nan)
    for step, labels in enumerate(blocks):
        rows = train[train["label"].isin(labels)]
        done = fieldtune.finetune(
            TASK, rows, model=model, method="continual", out=folder / str(step), progress=False,
            settings={"keeps": keeps, **({} if keeps == "statistics" else {"epochs": 3})},
        )  # fmt: skip
        model, loaded = str(done.path), fieldtune.load(done.path)
        for block in range(step + 1):
            grid[step, block] = _accuracy(loaded, test[test["label"].isin(blocks[block])])
    return {
        "accuracy": _accuracy(loaded, test),
        "forgetting": 100 * forgetting(grid),
        "accuracy_by_step": [float(np.nanmean(row)) for row in grid],
    }


def _accuracy(model: Any, table: pd.DataFrame) -> float:
    predicted = np.asarray(model.labels)[model.logits(table["text"].tolist()).argmax(axis=1)]
    return float((predicted == table["label"].to_numpy(dtype=str)).mean())


if __name__ == "__main__":
    main()
