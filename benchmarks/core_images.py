"""PneumoniaMNIST through ``train`` and ``evaluate``: official parts, threshold and best epoch from validation, 3 seeds.

Beside the recipe: the same without augmentation, and the plain model (edges in a grid, logistic regression).
"""

import argparse
from pathlib import Path
from typing import Any

from benchmarks.common import data, fieldtune, peak_gib, report, workspace
from fieldtune.models.folder import MANIFEST

FIGURES = ("auc", "balanced_accuracy", "accuracy", "macro_f1", "ece")
SEEDS = (0, 1, 2)


def one(seed: int, extra: list[str], folder: Path, file: Path) -> dict[str, Any]:
    """Figures of one training on the test part."""
    out = folder / f"{seed}{'-'.join(extra).replace('=', '_')}"
    arguments = ["--task", "image-classification", "--train", file, "--map", "0=normal,1=pneumonia", "--seed", seed]
    trained = fieldtune("train", *arguments, "--out", out, *extra, home=folder / "home")
    found = fieldtune("evaluate", "--model", out, "--data", file, "--map", "0=normal,1=pneumonia", home=folder / "home")
    assert (out / MANIFEST).is_file()
    return {name: found[name] for name in FIGURES} | {"seconds": trained["seconds"], "parameters": parameters(out)}


def parameters(folder: Path) -> int:
    """How many numbers the model has that training chooses."""
    from fieldtune.models import load

    return sum(weight.numel() for weight in load(folder).net.parameters())


def mean(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each figure over the seeds; the most parameters and seconds."""
    figures = {name: sum(run[name] for run in runs) / len(runs) for name in FIGURES}
    return figures | {name: max(run[name] for run in runs) for name in ("seconds", "parameters")}


def main() -> None:
    """Print the mean figures of the recipe on the official test part, with each seed's, and those of its rivals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 steps and one seed instead of the whole run")
    options = parser.parse_args()
    file, seeds = data("pneumoniamnist") / "pneumoniamnist.npz", SEEDS[:1] if options.quick else SEEDS
    short = ["--set", "max_steps=20"] if options.quick else []
    kinds = {
        "recipe": short,
        "without_augmentation": [*short, "--set", "augment=false"],
        "plain": ["--method", "linear"],
    }
    with workspace() as folder:
        found = {name: [one(seed, extra, folder, file) for seed in seeds] for name, extra in kinds.items()}
    wins = sum(a["auc"] > b["auc"] for a, b in zip(found["recipe"], found["without_augmentation"], strict=True))
    rivals = {name: mean(runs) for name, runs in found.items() if name != "recipe"}
    report({**mean(found["recipe"]), **rivals, "augmentation_wins": wins, "seeds": found, "peak_gib": peak_gib()})


if __name__ == "__main__":
    main()
