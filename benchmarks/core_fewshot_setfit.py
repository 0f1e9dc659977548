"""Few-shot tuning beside setfit 1.2.0: same encoder, rows and seeds, CPU seconds of one thread, five sets, 8 a class.

Needs ``FIELDTUNE_SETFIT``, see :mod:`benchmarks.few_child`; without it the row says so. ``--parts trec-0,bitext-2``
measures only these into ``FIELDTUNE_SCRATCH``.
"""

import argparse
import os

import numpy as np

from benchmarks.common import report, workspace, write
from benchmarks.few_child import SETFIT, measure
from benchmarks.few_sets import SETS, shots
from benchmarks.scratch import part

METHODS = {
    "fewshot": ("packages", "benchmarks/few_child.py", "benchmarks/few_sets.py"),
    "setfit": ("benchmarks/few_child.py", "benchmarks/few_sets.py"),
}
"""What each stands on: SetFit takes minutes, and our code does not change it."""


def main() -> None:
    """Print accuracy and CPU seconds of both on every set, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--parts", default="")
    parser.add_argument("--quick", action="store_true", help="one seed of the smallest set")
    options = parser.parse_args()
    if not os.environ.get(SETFIT):
        report({"setfit": f"not measured: {SETFIT} names no folder with setfit"})
        return
    wanted = [(name, int(seed)) for name in SETS for seed in options.seeds.split(",")]
    if options.quick or options.parts:
        parts = "phrasebank-0" if options.quick else options.parts
        wanted = [(one.rpartition("-")[0], int(one.rpartition("-")[2])) for one in parts.split(",")]
    found: dict[str, dict[str, list[float]]] = {}
    with workspace() as folder:
        for name, seed in wanted:
            train, test = SETS[name]()
            rows = write(shots(train, options.shots, seed)[0], folder / "rows.csv")
            test_file = write(test, folder / "test.csv")
            for method, reads in METHODS.items():
                run = part(
                    "core_fewshot_setfit", f"{name}-{options.shots}-{seed}-{method}",
                    lambda: measure(method, rows, test_file, seed), reads,  # noqa: B023
                )  # fmt: skip
                kept = found.setdefault(name, {f"{one}_{kind}": [] for one in METHODS for kind in ("accuracy", "cpu")})
                kept[f"{method}_accuracy"].append(run["accuracy"])
                kept[f"{method}_cpu"].append(run["cpu_seconds"])
    sets = {name: {key: float(np.mean(values)) for key, values in kept.items()} for name, kept in found.items()}
    mean = {key: float(np.mean([one[key] for one in sets.values()])) for key in next(iter(sets.values()))}
    report(
        {
            "gain": mean["fewshot_accuracy"] - mean["setfit_accuracy"],
            "cpu_share": mean["fewshot_cpu"] / mean["setfit_cpu"],
            **mean,
            "sets": sets,
        }
    )


if __name__ == "__main__":
    main()
