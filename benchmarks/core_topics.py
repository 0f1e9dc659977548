"""Topics of news and kinds of questions: ag_news (its test file, stratified 80/20, seed 0) and trec (official split)."""

import argparse
import io
from collections.abc import Callable

import pandas as pd
from sklearn.model_selection import train_test_split

from benchmarks.common import data, fieldtune, report, text_of, workspace, write

METHODS = ("linear", "head", "full")


def ag_news() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test; the text is title and description."""
    raw = text_of(data("ag_news") / "test.csv.gz")
    table = pd.read_csv(io.StringIO(raw), header=None, names=["label", "title", "description"], dtype=str)
    table["text"] = table["title"] + " " + table["description"]
    parts = train_test_split(table[["text", "label"]], test_size=0.2, random_state=0, stratify=table["label"])
    return parts[0], parts[1]


def trec() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test, six classes."""

    def read(name: str) -> pd.DataFrame:
        lines = [line for line in text_of(data("trec") / name, "latin-1").splitlines() if line.strip()]
        rows = [(line.split(" ", 1)[1], line.split(":", 1)[0]) for line in lines]
        return pd.DataFrame(rows, columns=["text", "label"])

    return read("TREC.train.gz"), read("TREC.test.gz")


def main() -> None:
    """Print accuracy of tuned, frozen and plain on both sets, and the least gain of the tuned over either."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 steps instead of the whole run")
    options = parser.parse_args()
    sets: dict[str, Callable[[], tuple[pd.DataFrame, pd.DataFrame]]] = {"ag_news": ag_news, "trec": trec}
    found: dict[str, dict[str, float]] = {}
    with workspace() as folder:
        for name, parts in sets.items():
            train, test = (
                write(part, folder / f"{name}-{kind}.csv") for kind, part in zip(("a", "b"), parts(), strict=True)
            )
            found[name] = {}
            for method in METHODS:
                extra = ["--set", "max_steps=20"] if options.quick and method == "full" else []
                out = folder / f"{name}-{method}"
                fieldtune(
                    "train", "--task", "text-classification", "--train", train, "--method", method, "--out", out, *extra,
                    home=folder / "home",
                )  # fmt: skip
                figures = fieldtune("evaluate", "--model", out, "--data", test, home=folder / "home")
                found[name][method] = figures["accuracy"]
                found[name] |= {f"{method}_macro_f1": figures["macro_f1"], "n": figures["n"]}
    gains = {name: own["full"] - max(own["linear"], own["head"]) for name, own in found.items()}
    report({**found, "gains": gains, "least_gain": min(gains.values())})


if __name__ == "__main__":
    main()
