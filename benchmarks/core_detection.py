"""BCCD through ``train`` and ``evaluate``: its own lists, the small convolutional detector from scratch, one seed.

Training sees the list train, its best epoch is chosen on val, the figure is of test.
"""

import argparse

from benchmarks.common import data, fieldtune, peak_gib, report, workspace


def main() -> None:
    """Print mean average precision on the test list and how long the training took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 steps instead of the whole run")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lists = data("bccd") / "BCCD" / "ImageSets" / "Main"
    extra = ["--set", "max_steps=10"] if options.quick else []
    with workspace() as folder:
        trained = fieldtune(
            "train", "--task", "object-detection", "--train", lists / "train.txt", "--valid", lists / "val.txt",
            "--seed", options.seed, "--out", folder / "model", *extra, home=folder / "home",
        )  # fmt: skip
        found = fieldtune("evaluate", "--model", folder / "model", "--data", lists / "test.txt", home=folder / "home")
    per_class = {name: values["ap50"] for name, values in found["per_class"].items()}
    figures = {name: found[name] for name in ("map50", "map", "n")}
    validated = {"valid_map50": trained["map50"], "valid_map": trained["map"], "train_seconds": trained["seconds"]}
    report({**figures, "ap50": per_class, **validated, "seed": options.seed, "peak_gib": peak_gib()})


if __name__ == "__main__":
    main()
