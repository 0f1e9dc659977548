"""Financial PhraseBank 50-agree: exact duplicates dropped, stratified 80/20, seeds 0, 1, 2, mean."""

import argparse

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from benchmarks.common import data, fieldtune, report, text_of, workspace, write


def sentences(level: str) -> pd.DataFrame:
    """Columns text, label of one agreement level."""
    lines = text_of(data("financial_phrasebank") / f"Sentences_{level}Agree.txt.gz", "latin-1").splitlines()
    rows = [line.strip().rsplit("@", 1) for line in lines if "@" in line]
    return pd.DataFrame(rows, columns=["text", "label"])


def main() -> None:
    """Print accuracy and macro-F1 of tuned, frozen and plain on 50-agree and on its all-agree part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--set", action="append", default=[], help="settings of the tuned model")
    parser.add_argument("--quick", action="store_true", help="one seed, 20 steps")
    options = parser.parse_args()
    seeds = [0] if options.quick else [int(seed) for seed in options.seeds.split(",")]
    table = sentences("50").drop_duplicates("text").reset_index(drop=True)
    sure = set(sentences("All")["text"])
    runs: dict[str, list[dict[str, float]]] = {"full": [], "head": [], "linear": []}
    with workspace() as folder:
        for seed in seeds:
            train, test = train_test_split(table, test_size=0.2, random_state=seed, stratify=table["label"])
            train_file, test_file = write(train, folder / "train.csv"), write(test, folder / "test.csv")
            sure_file = write(test[test["text"].isin(sure)], folder / "sure.csv")
            for method, found in runs.items():
                extra = [word for item in options.set for word in ("--set", item)] if method == "full" else []
                extra += ["--set", "max_steps=20"] if options.quick and method == "full" else []
                out = folder / f"{method}-{seed}"
                fieldtune(
                    "train", "--task", "text-classification", "--train", train_file, "--method", method,
                    "--seed", seed, "--out", out, *extra, home=folder / "home",
                )  # fmt: skip
                figures = fieldtune("evaluate", "--model", out, "--data", test_file, home=folder / "home")
                easy = fieldtune("evaluate", "--model", out, "--data", sure_file, home=folder / "home")
                keys = ("accuracy", "macro_f1", "ece")
                found.append({key: figures[key] for key in keys} | {f"all_agree_{key}": easy[key] for key in keys})
    mean = {
        method: {key: float(np.mean([run[key] for run in found])) for key in found[0]} for method, found in runs.items()
    }
    gain = mean["full"]["macro_f1"] - mean["head"]["macro_f1"]
    report(
        {**mean["full"], "frozen": mean["head"], "plain": mean["linear"], "gain_macro_f1": gain, "seeds": runs["full"]}
    )


if __name__ == "__main__":
    main()
