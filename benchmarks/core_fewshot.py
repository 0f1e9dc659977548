"""banking77 with few rows of each class, drawn from train with 5 seeds, on the official test.

``--parts 5-0,10-3`` measures only these (shots-seed) into ``FIELDTUNE_SCRATCH``, so that processes can share the work;
without it every part that is not there yet is measured and the row printed.
"""

import argparse

import numpy as np

from benchmarks.common import interval, report, workspace, write
from benchmarks.few_child import measure
from benchmarks.few_sets import banking77, shots
from benchmarks.scratch import part

METHODS = ("fewshot", "head", "linear")


def main() -> None:
    """Print mean accuracy with its interval per number of shots and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", default="5,10")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--parts", default="")
    parser.add_argument("--quick", action="store_true", help="one seed of 1 shot")
    options = parser.parse_args()
    counts = [1] if options.quick else [int(count) for count in options.shots.split(",")]
    seeds = [0] if options.quick else [int(seed) for seed in options.seeds.split(",")]
    wanted = [(count, seed) for count in counts for seed in seeds]
    if options.parts:
        wanted = [(int(one.split("-")[0]), int(one.split("-")[1])) for one in options.parts.split(",")]
    train, test = banking77()
    runs: dict[str, dict[str, list[float]]] = {}
    with workspace() as folder:
        test_file = write(test, folder / "test.csv")
        for count, seed in wanted:
            rows = write(shots(train, count, seed)[0], folder / f"{count}-{seed}.csv")
            for method in options.methods.split(","):
                found = part(
                    "core_fewshot", f"{count}-{seed}-{method}", lambda: measure(method, rows, test_file, seed)  # noqa: B023
                )  # fmt: skip
                kept = runs.setdefault(f"{method}_{count}", {"accuracy": [], "cpu_seconds": []})
                for name in kept:
                    kept[name].append(found[name])
    rng = np.random.default_rng(0)
    report(
        {
            name: {
                "accuracy": float(np.mean(run["accuracy"])),
                "interval": interval(run["accuracy"], rng),
                "cpu_seconds": float(np.mean(run["cpu_seconds"])),
                "seeds": run["accuracy"],
            }
            for name, run in runs.items()
        }
    )


if __name__ == "__main__":
    main()
