"""Explanations of a banking77 classifier: do they add up, does the order of the words matter, is a planted word found."""

import argparse

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

import fieldtune
from benchmarks.common import data, report, workspace
from fieldtune.explain.attribution import STEPS, explain
from fieldtune.runtime import generator

TRIGGER = "zephyr"


def main() -> None:
    """Completeness and deletion over test texts; the rank of a word that alone decides a planted class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 texts instead of 200")
    options = parser.parse_args()
    count, rng = 20 if options.quick else 200, generator(0)
    train = pd.read_csv(data("banking77") / "train.csv.gz").rename(columns={"category": "label"})
    test = pd.read_csv(data("banking77") / "test.csv.gz")
    texts = test["text"].iloc[np.sort(rng.permutation(len(test))[:count])].tolist()
    with workspace() as folder:
        plain = fieldtune.load(_trained(train, folder / "plain"))
        found = [explain(plain, text, rng=rng) for text in texts]
        told = train.sample(2000, random_state=0)
        planted = told.assign(text=_planted(told["text"].tolist(), rng), label="planted")
        caught = fieldtune.load(_trained(pd.concat([told, planted]), folder / "planted"))
        first = [_first(caught, text, rng) for text in _planted(texts, rng)]
    gain = np.asarray([one.deletion_random - one.deletion for one in found])
    report(
        {
            "texts": count,
            "steps": STEPS,
            "completeness_error": max(one.completeness_error or 0.0 for one in found),
            "deletion_by_weight": float(np.mean([one.deletion for one in found])),
            "deletion_random": float(np.mean([one.deletion_random for one in found])),
            "deletion_p": float(wilcoxon(gain, alternative="greater").pvalue),
            "trigger_first": float(np.mean(first)),
        }
    )


def _trained(table: pd.DataFrame, out: object) -> object:
    return fieldtune.finetune("text-classification", table, method="head", out=str(out), progress=False).path


def _planted(texts: list[str], rng: np.random.Generator) -> list[str]:
    """Each text with the trigger at a random place."""
    found = []
    for text in texts:
        words = text.split()
        words.insert(int(rng.integers(len(words) + 1)), TRIGGER)
        found.append(" ".join(words))
    return found


def _first(model: object, text: str, rng: np.random.Generator) -> bool:
    told = explain(model, text, rng=rng, label="planted")  # type: ignore[arg-type]
    return told.words[int(np.argmax(told.weights))] == TRIGGER


if __name__ == "__main__":
    main()
