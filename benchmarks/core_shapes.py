"""Our small detector, from scratch, on pictures of shapes drawn here: one to four circles, squares or triangles on noise.

Training and validation rows are drawn with one seed, the test pictures with another.
"""

import argparse
import os
import time

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

import fieldtune
from benchmarks.common import peak_gib, report, workspace
from fieldtune.evaluate.detection import iou
from fieldtune.runtime import generator
from fieldtune.tasks import object_detection

SIDE = 64
KINDS = ("circle", "square", "triangle")
SMALLEST, LARGEST = 12, 24
OVERLAP = 0.1
"""The most that two boxes of a picture share, over what both cover."""


def main() -> None:
    """Print mean average precision on test pictures and how long the training took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 steps instead of the whole run")
    parser.add_argument("--seed", type=int, default=81)
    options = parser.parse_args()
    settings = {"max_steps": 10} if options.quick else {}
    train, test = shapes(600, generator(options.seed)), shapes(300, generator(options.seed + 1000))
    with workspace() as folder:
        os.environ["FIELDTUNE_HOME"] = str(folder)
        started = time.monotonic()
        done = fieldtune.finetune(
            "object-detection", train, out=folder / "model", settings=settings, seed=options.seed, progress=False
        )
        seconds = time.monotonic() - started
        found = object_detection.metrics(fieldtune.load(done.path), test)
    figures = {name: found[name] for name in ("map50", "map", "n")}
    per_class = {name: values["ap50"] for name, values in found["per_class"].items()}
    report({**figures, "ap50": per_class, "valid_map50": done.metrics["map50"], "rows": len(train),
            "train_seconds": seconds, "seed": options.seed, "peak_gib": peak_gib()})  # fmt: skip


def shapes(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Pictures as arrays ``[64, 64, 3]`` and the boxes in them."""
    rows = [picture(rng) for _ in range(count)]
    return pd.DataFrame({"image": [image for image, _ in rows], "boxes": [boxes for _, boxes in rows]})


def picture(rng: np.random.Generator) -> tuple[np.ndarray, list[dict[str, object]]]:
    """One picture: any colours, noise over all of it, shapes that hardly overlap."""
    image = Image.new("RGB", (SIDE, SIDE), tuple(rng.integers(60, 200, 3).tolist()))
    boxes: list[dict[str, object]] = []
    for _ in range(int(rng.integers(1, 5))):
        box = free(rng, [one["box"] for one in boxes])
        if box is None:
            continue
        kind = KINDS[int(rng.integers(len(KINDS)))]
        draw(image, kind, box, rng)
        boxes.append({"label": kind, "box": box})
    noisy = np.asarray(image, dtype=float) + rng.normal(0, 15, (SIDE, SIDE, 3))
    return noisy.clip(0, 255).astype(np.uint8), boxes


def free(rng: np.random.Generator, taken: list[object]) -> list[int] | None:
    """A box that hardly overlaps those that are taken; None where none was found."""
    for _ in range(50):
        size = int(rng.integers(SMALLEST, LARGEST + 1))
        x, y = rng.integers(1, SIDE - size - 1, 2).tolist()
        box = [x, y, x + size, y + size]
        if not taken or iou(np.array([box], float), np.array(taken, float)).max() <= OVERLAP:
            return box
    return None


def draw(image: Image.Image, kind: str, box: list[int], rng: np.random.Generator) -> None:
    """Fill the shape with a colour that stands out from what is behind it."""
    x0, y0, x1, y1 = box
    behind = np.asarray(image.getpixel(((x0 + x1) // 2, (y0 + y1) // 2)))
    colour = behind
    while abs(colour - behind).max() < 60:
        colour = rng.integers(0, 256, 3)
    ink, pen = tuple(colour.tolist()), ImageDraw.Draw(image)
    if kind == "circle":
        pen.ellipse((x0, y0, x1 - 1, y1 - 1), fill=ink)
    elif kind == "square":
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), fill=ink)
    else:
        pen.polygon([(x0, y1 - 1), ((x0 + x1) // 2, y0), (x1 - 1, y1 - 1)], fill=ink)


if __name__ == "__main__":
    main()
