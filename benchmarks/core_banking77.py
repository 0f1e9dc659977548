"""banking77 through ``train`` and ``evaluate``: official split, validation a stratified tenth of train."""

import argparse

from benchmarks.common import data, fieldtune, peak_gib, report, workspace


def main() -> None:
    """Print accuracy of the tuned model, the frozen encoder with a head, and the plain model, on the official test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 steps instead of the whole run")
    options = parser.parse_args()
    train, test = data("banking77") / "train.csv.gz", data("banking77") / "test.csv.gz"
    found = {}
    with workspace() as folder:
        for method in ("linear", "head", "full"):
            extra = ["--set", "max_steps=20"] if options.quick and method == "full" else []
            trained = fieldtune(
                "train", "--task", "text-classification", "--train", train, "--label", "category",
                "--method", method, "--out", folder / method, *extra, home=folder / "home",
            )  # fmt: skip
            figures = fieldtune(
                "evaluate", "--model", folder / method, "--data", test, "--label", "category", home=folder / "home"
            )
            found[method] = {key: figures[key] for key in ("accuracy", "macro_f1", "ece", "log_loss", "n")}
            found[method]["train_seconds"] = trained["seconds"]
    report({**found["full"], "frozen": found["head"], "plain": found["linear"], "peak_gib": peak_gib()})


if __name__ == "__main__":
    main()
