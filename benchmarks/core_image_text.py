"""Pictures with texts: what only both together tell, and how far accuracy falls when one of them is missing at test."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fieldtune
from benchmarks.common import report, workspace
from fieldtune.runtime import generator
from fieldtune.tasks import image_text

TASK = "image-text"
SIDE = 16
SAYS = {
    0: ("the parcel came intact", "everything is whole", "no damage at all", "it arrived in one piece"),
    1: ("the parcel came broken", "the glass is cracked", "it is damaged", "it arrived in pieces"),
}


def main() -> None:
    """Exclusive or: fused and alone. Two unsure witnesses: each part taken away, against a model of the other alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, fewer rows")
    options = parser.parse_args()
    seeds, count = ([71], 400) if options.quick else ([71, 72, 73], 1200)
    both: list[dict[str, float]] = []
    with workspace() as folder:
        for seed in seeds:
            train, test = (exclusive(count, generator(seed)), exclusive(400, generator(seed + 1000)))
            found = {
                method: measured(train, test, method, folder / f"x{seed}-{method}") for method in image_text.METHODS
            }
            train, test = (unsure(count, generator(seed + 2000)), unsure(1000, generator(seed + 3000)))
            left = {
                method: measured(train, test, method, folder / f"u{seed}-{method}") for method in image_text.METHODS
            }
            without = left["full"]["without"]
            both.append(
                {
                    "fused": found["full"]["accuracy"],
                    "alone": max(found["text"]["accuracy"], found["image"]["accuracy"]),
                    "unsure_fused": left["full"]["accuracy"],
                    "lost_without_image": left["text"]["accuracy"] - without["image"],
                    "lost_without_text": left["image"]["accuracy"] - without["text"],
                }
            )
    table = pd.DataFrame(both)
    lost = float(table[["lost_without_image", "lost_without_text"]].to_numpy().max())
    report({"seeds": seeds, **table.mean().to_dict(), "least_fused": float(table["fused"].min()),
            "most_alone": float(table["alone"].max()), "most_lost": lost})  # fmt: skip


def exclusive(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """The label is whether picture and text disagree."""
    left, right = rng.integers(0, 2, count), rng.integers(0, 2, count)
    return table(left, right, left ^ right, rng)


def unsure(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Picture and text each say the label, and are wrong in 10 and 15 of 100 rows."""
    label = rng.integers(0, 2, count)
    return table(label ^ (rng.random(count) < 0.10), label ^ (rng.random(count) < 0.15), label, rng)


def table(pictures: Any, texts: Any, labels: Any, rng: np.random.Generator) -> pd.DataFrame:
    """Noise with a bright left half or not; one of four sentences and a number."""
    images = []
    for bit in pictures:
        image = rng.integers(0, 90, (SIDE, SIDE)).astype(np.uint8)
        image[:, : SIDE // 2] += np.uint8(90 * bit)
        images.append(image)
    said = [f"{SAYS[int(bit)][int(rng.integers(4))]}, order {int(rng.integers(1000, 9999))}" for bit in texts]
    return pd.DataFrame(
        {"image": images, "text": said, "label": np.asarray(["no", "yes"])[np.asarray(labels).astype(int)]}
    )


def measured(train: pd.DataFrame, test: pd.DataFrame, method: str, out: Path) -> dict[str, Any]:
    """Figures of one method on the test rows."""
    done = fieldtune.finetune(TASK, train, method=method, out=out, progress=False)
    return dict(image_text.metrics(fieldtune.load(done.path), test))


if __name__ == "__main__":
    main()
