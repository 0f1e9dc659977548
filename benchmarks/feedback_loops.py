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
from fieldtune_sample.size import FULL
from fieldtune_sample.steps import home_at


def noted(loop: Loop, kept: list[Sequence[float]]) -> Loop:
    """The same loop; the first two looks, before and after, leave the headline of every row in `kept`."""

    def look() -> tuple[Mapping[str, Any], bytes]:
        found = loop.look()
        if len(kept) < 2:
            kept.append(loop.rows())
        return found

    return replace(loop, look=look)


def intervals(before: Sequence[float], after: Sequence[float], seed: int) -> dict[str, Any]:
    """n, and 95 % intervals of the headline before, after, and of the gain row by row."""
    rng = np.random.default_rng(seed)
    return {
        "rows": len(before),
        "interval_before": bootstrap(before, rng)[1:],
        "interval_after": bootstrap(after, rng)[1:],
        "gain": paired_bootstrap(after, before, rng)._asdict(),
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", choices=tuple(demo.APPS), required=True)
    parser.add_argument("--seed", type=int, default=3206, help="of the company, the training and the users")
    parser.add_argument("--quick", action="store_true", help="no fine-tuning: frozen encoder, linear models")
    options = parser.parse_args()
    size = replace(FULL, encoder_steps=0, tower_steps=0, methods="linear") if options.quick else FULL
    part = demo.APPS[options.app]
    with workspace() as folder, home_at(folder / "home"):
        place = Place(folder)
        part.write(place, options.seed, size)
        built = part.build(place, size, options.seed, demo.NOW)
        print(
            {key: value for key, value in built.items() if key in ("figures", "backtest")}, file=sys.stderr, flush=True
        )
        kept: list[Sequence[float]] = []
        turn = loops.turn(noted(part.loop(place, size, options.seed, demo.NOW), kept))
    # refused, what served before serves after it: there was no second look
    report({"app": options.app, "seed": options.seed, **turn, **intervals(kept[0], kept[-1], options.seed)})


if __name__ == "__main__":
    main()
