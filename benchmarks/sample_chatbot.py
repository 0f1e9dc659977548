"""The sample company's questions on fresh seeds: the test pool, which no training text was made from."""

import argparse
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.common import fieldtune, report, workspace


def main() -> None:
    """Print correct_first per language, coverage and unanswerable_answered, means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="2004,2005,2006")
    parser.add_argument("--quick", action="store_true", help="one seed")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")][: 1 if options.quick else None]
    runs: list[dict[str, Any]] = []
    with workspace() as folder:
        for seed in seeds:
            out = folder / str(seed)
            command = [sys.executable, "-m", "fieldtune_sample", "--out", out, "--seed", seed, "--part", "support"]
            subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
            support, store, home = out / "support", out / "bot", out / "home"
            built = fieldtune(
                "chatbot", "build", "--documents", support / "documents", "--faq", support / "faq.csv",
                "--dialogues", support / "dialogues.jsonl", "--questions", support / "known_questions.csv",
                "--store", store, home=home,
            )  # fmt: skip
            figures = fieldtune(
                "chatbot", "evaluate", "--store", store, "--questions", support / "questions.csv", home=home
            )
            runs.append({"seed": seed, **figures, "build": built})
            print(
                {key: value for key, value in figures.items() if not isinstance(value, list)},
                file=sys.stderr,
                flush=True,
            )
    keys = ("correct_first", "coverage", "unanswerable_answered", "answered_wrong", "recall@1")

    def mean(pick: Any) -> dict[str, float]:
        return {key: float(np.mean([pick(run)[key] for run in runs])) for key in keys}

    languages = {name: mean(lambda run, name=name: run["languages"][name]) for name in ("en", "zh")}
    report({**mean(lambda run: run), **languages, "seeds": len(seeds), "runs": runs})


if __name__ == "__main__":
    main()
