"""banking77 by LoRA and in full, same split, seed and machine; validation is a stratified tenth of train."""

import argparse

from benchmarks.common import data, fieldtune, peak_gib, report, workspace


def main() -> None:
    """Print both accuracies on the official test, how far LoRA is behind, and the share of parameters it trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 steps instead of the whole run")
    options = parser.parse_args()
    train, test = data("banking77") / "train.csv.gz", data("banking77") / "test.csv.gz"
    found = {}
    with workspace() as folder:
        for method in ("lora", "full"):
            trained = fieldtune(
                "train", "--task", "text-classification", "--train", train, "--label", "category", "--method", method,
                "--out", folder / method, *(["--set", "max_steps=20"] if options.quick else []), home=folder / "home",
            )  # fmt: skip
            figures = fieldtune(
                "evaluate", "--model", folder / method, "--data", test, "--label", "category", home=folder / "home"
            )
            found[method] = {key: figures[key] for key in ("accuracy", "macro_f1", "ece", "n")}
            found[method]["train_seconds"] = trained["seconds"]
            found[method]["valid_accuracy"] = trained["accuracy"]
            if method == "lora":
                found[method]["trainable_share"] = trained["trainable_share"]
    behind = found["full"]["accuracy"] - found["lora"]["accuracy"]
    share = found["lora"].pop("trainable_share")
    report({**found, "behind": behind, "trainable_share": share, "peak_gib": peak_gib()})


if __name__ == "__main__":
    main()
