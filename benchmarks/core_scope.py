"""Questions of a bank about things it does not offer (near) and about anything else (far), told from its 50 intents.

Fitted on the official train and validation parts, once on the intents alone and once with the foreign questions that stand
in both parts as rows labelled ``oos``; all of these are near ones. Measured on the official test parts.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common import data, fieldtune, report, workspace, write

FOREIGN = {"near": "id-oos", "far": "ood-oos"}


def part(name: str) -> pd.DataFrame:
    """Columns text, label of one file, rows without a text left out."""
    return pd.read_csv(data("banking77_oos") / f"{name}.csv.gz").dropna(subset=["text"])


def measured(model: Path, folder: Path, home: Path) -> dict[str, Any]:
    """Accuracy on the intents, and how either kind of foreign questions is told from them."""
    found: dict[str, Any] = {}
    for name, file in FOREIGN.items():
        rows = write(pd.concat([part("test"), part(f"{file}_test")]), folder / f"{name}.csv")
        figures = fieldtune("evaluate", "--model", model, "--data", rows, home=home)
        found["accuracy"], found["kept"] = figures["accuracy"], figures["in_scope"]["kept"]
        found[name] = {key: figures["in_scope"][key] for key in ("auroc", "out_of_scope_recall")}
    return found


def main() -> None:
    """Print figures of the tuned model and the frozen encoder with a head, with and without foreign rows to learn from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 steps instead of the whole run")
    options = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    with workspace() as folder:
        for shown in ("without", "with"):
            train, valid = (
                write(
                    pd.concat([part(name), part(f"id-oos_{name}")]) if shown == "with" else part(name),
                    folder / f"{shown}-{name}.csv",
                )
                for name in ("train", "valid")
            )
            for method in ("full", "head"):
                extra = ["--set", "max_steps=20"] if options.quick and method == "full" else []
                out = folder / f"{method}-{shown}"
                fieldtune(
                    "train", "--task", "text-classification", "--train", train, "--valid", valid, "--method", method,
                    "--out", out, *extra, home=folder / "home",
                )  # fmt: skip
                found.setdefault(method, {})[shown] = measured(out, folder, folder / "home")
    report({**found["full"], "frozen": found["head"]})


if __name__ == "__main__":
    main()
