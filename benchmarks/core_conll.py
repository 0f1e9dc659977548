"""CoNLL-2003 through ``train`` and ``evaluate``: settings chosen on testa, strict entity F1 on testb."""

import argparse

from benchmarks.common import data, fieldtune, peak_gib, report, workspace


def main() -> None:
    """Print the entity and token scores of the tuned model and the plain tagger, and on testa of the frozen encoder too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 steps instead of the whole run")
    options = parser.parse_args()
    train, valid, test = (data("conll2003") / f"eng.{part}.gz" for part in ("train", "testa", "testb"))
    found = {}
    with workspace() as folder:
        for method in ("linear", "full"):
            extra = ["--set", "max_steps=20"] if options.quick and method == "full" else []
            trained = fieldtune(
                "train", "--task", "token-classification", "--train", train, "--valid", valid, "--method", method,
                "--out", folder / method, *extra, home=folder / "home",
            )  # fmt: skip
            figures = fieldtune("evaluate", "--model", folder / method, "--data", test, home=folder / "home")
            found[method] = {key: figures[key] for key in ("entity_f1", "token_accuracy", "entity", "n", "seconds")}
            found[method] |= {"valid_f1": trained["entity_f1"], "train_seconds": trained["seconds"]}
    frozen = trained["rivals"]["head"]["entity_f1"]
    report({**found["full"], "plain": found["linear"], "frozen_valid_f1": frozen, "peak_gib": peak_gib()})


if __name__ == "__main__":
    main()
