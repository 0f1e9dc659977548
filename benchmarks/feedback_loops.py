"""The learning loop on the sample company: honest users make an application better, careless ones are refused.

``before`` and ``after`` are one figure on rows that no feedback touched (``headline`` names it); a rollback must restore
the same bytes. The loop is the one that ``fieldtune demo`` runs. ``gain`` is the mean of after minus before over those
rows, with its paired 95 % interval: it speaks of other rows of this company, not of other companies.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.common import report, workspace
from fieldtune.evaluate.significance import bootstrap, paired_bootstrap
from fieldtune_sample import demo, loops
from fieldtune_sample.loops import Loop
from fieldtune_sample.place import Place
from fieldtune_sample.size import FULL, Size
from fieldtune_sample.steps import home_at


def noted(turned: Loop, kept: list[Sequence[float]]) -> Loop:
    """The same loop; the first two looks, before and after, leave the headline of every row in `kept`."""

    def look() -> tuple[Mapping[str, Any], bytes]:
        found = turned.look()
        if len(kept) < 2:
            kept.append(turned.rows())
        return found

    return replace(turned, look=look)


def intervals(before: Sequence[float], after: Sequence[float], seed: int) -> dict[str, Any]:
    """n, and 95 % intervals of the headline before, after, and of the gain row by row."""
    rng = np.random.default_rng(seed)
    return {
        "rows": len(before),
        "interval_before": bootstrap(before, rng)[1:],
        "interval_after": bootstrap(after, rng)[1:],
        "gain": paired_bootstrap(after, before, rng)._asdict(),
    }


def loop(app: str, seed: int, size: Size) -> dict[str, Any]:
    """One company: built, used by simulated users, retrained, rolled back."""
    part = demo.APPS[app]
    with workspace() as folder, home_at(folder / "home"):
        place = Place(folder)
        part.write(place, seed, size)
        built = part.build(place, size, seed, demo.NOW)
        print(
            {key: value for key, value in built.items() if key in ("figures", "backtest")}, file=sys.stderr, flush=True
        )
        kept: list[Sequence[float]] = []
        turn = loops.turn(noted(part.loop(place, size, seed, demo.NOW), kept))
    # refused, what served before serves after it: there was no second look
    found = {"seed": seed, **turn, **intervals(kept[0], kept[-1], seed)}
    print({key: found[key] for key in ("seed", "promoted", "before", "after", "gain")}, file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Print one JSON object: what holds for every company, means, and each company's own figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", choices=tuple(demo.APPS), required=True)
    parser.add_argument("--seeds", default="3207,3208,3209", help="of the companies, the training and the users")
    parser.add_argument(
        "--quick", action="store_true", help="one company, no fine-tuning: frozen encoder, linear models"
    )
    options = parser.parse_args()
    size = replace(FULL, encoder_steps=0, tower_steps=0, methods="linear") if options.quick else FULL
    seeds = [int(seed) for seed in options.seeds.split(",")][: 1 if options.quick else None]
    runs = [loop(options.app, seed, size) for seed in seeds]
    every = {name: all(run[name] for run in runs) for name in ("promoted", "refused_with_noise", "rollback_identical")}
    means = {name: float(np.mean([run[name] for run in runs])) for name in ("before", "after")}
    least = min(run["after"] - run["before"] for run in runs)
    report({"app": options.app, **every, **means, "least_gain": least, "companies": len(runs), "runs": runs})


if __name__ == "__main__":
    main()
