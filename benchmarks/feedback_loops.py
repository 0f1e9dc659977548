"""The learning loop on the sample company: honest users make an application better, careless ones are refused.

``before`` and ``after`` are one figure on rows that no feedback touched (``headline`` names it); a rollback must restore
the same bytes. The loop is the one that ``fieldtune demo`` runs.
"""

import argparse
import sys
from dataclasses import replace

from benchmarks.common import report, workspace
from fieldtune_sample import demo
from fieldtune_sample.place import Place
from fieldtune_sample.size import FULL
from fieldtune_sample.steps import home_at


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", choices=tuple(demo.APPS), required=True)
    parser.add_argument("--seed", type=int, default=3203, help="of the company, the training and the users")
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
        turn = demo.learn(part, place, size, options.seed)
    report({"app": options.app, "seed": options.seed, **turn})


if __name__ == "__main__":
    main()
