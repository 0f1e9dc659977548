"""k micro-batches = one batch, and two processes = one, for every task whose loss is a sum over examples; and contrastive
batches computed in pieces, gradients cached or not, = computed whole.

Each task is trained as users train it, but by plain SGD in float32 without dropout, on a plan cut into pieces: then a
wrong scale of the loss shows in the weights.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from benchmarks.common import report, workspace
from fieldtune.tasks import task_module
from fieldtune.train import fit as engine
from fieldtune.train.processes import joined
from fieldtune.train.settings import Settings

TEXTS = ["my card is lost", "refund to the account", "cancel my order", "how to transfer", "the card", "refund"] * 4
WORDS = [text.split() for text in TEXTS]
LABELS = ["a", "b", "c", "d", "a", "b"] * 4


def pictures(side: int = 24) -> pd.Series:
    """Grey noise, uint8 ``[side, side]`` each."""
    drawn = np.random.default_rng(0).integers(0, 255, (len(TEXTS), side, side), dtype=np.uint8)
    return pd.Series(list(drawn), dtype=object)


def boxes() -> pd.DataFrame:
    """Pictures with a bright square or a dark bar.

    Drawn with 1: with 0 one of 49,152 activations of the second step lies 2e-10 from the kink of ReLU, where there is no
    gradient to agree on: the rounding of two threads puts it on one side or the other, and weights differ by 2e-6.
    """
    rng, images, found = np.random.default_rng(1), [], []
    for row in range(len(TEXTS)):
        image, (x, y) = rng.integers(90, 150, (64, 64, 3), dtype=np.uint8), rng.integers(2, 36, 2).tolist()
        name, height = ("square", 20) if row % 2 else ("bar", 10)
        image[y : y + height, x : x + 20] = 240 if row % 2 else 20
        images.append(image)
        found.append([{"label": name, "box": [x, y, x + 20, y + height]}])
    return pd.DataFrame({"image": pd.Series(images, dtype=object), "boxes": pd.Series(found, dtype=object)})


def dialogues() -> list[list[dict[str, str]]]:
    """A question and an answer each."""
    answers = TEXTS[1:] + TEXTS[:1]
    return [[{"role": "customer", "text": one}, {"role": "agent", "text": other}]
            for one, other in zip(TEXTS, answers, strict=True)]  # fmt: skip


TABLES: dict[str, pd.DataFrame] = {
    "text-classification": pd.DataFrame({"text": TEXTS, "label": LABELS}),
    "multi-label-classification": pd.DataFrame({"text": TEXTS, "label": ["a", "b|c", "c", "a|b", "a", "b"] * 4}),
    "regression": pd.DataFrame({"text": TEXTS, "label": [1.0, 2.5, 0.5, 3.0, 1.5, 2.0] * 4}),
    "text-pair": pd.DataFrame({"text_a": TEXTS, "text_b": TEXTS[1:] + TEXTS[:1], "label": ["a", "b", "b"] * 8}),
    "reranking": pd.DataFrame({"query": TEXTS, "document": TEXTS[5:] + TEXTS[:5], "label": [1.0, 0.0, 0.0] * 8}),
    "token-classification": pd.DataFrame(
        {"tokens": WORDS, "tags": [["B-X" if word in ("card", "order") else "O" for word in one] for one in WORDS]}
    ),
    "seq2seq": pd.DataFrame({"source": TEXTS, "target": TEXTS[1:] + TEXTS[:1]}),
    "dialogue": pd.DataFrame({"turns": dialogues()}),
    "image-classification": pd.DataFrame({"image": pictures(), "label": LABELS}),
    "object-detection": boxes(),
    "image-text": pd.DataFrame({"image": pictures(), "text": TEXTS, "label": LABELS}),
}
SKEWED = {"class_weights": "balanced", "focal_gamma": 2.0, "label_smoothing": 0.1}
STILL = {"freeze_statistics": True, "batch_rows": 12}


class Case(NamedTuple):
    """A training to be computed in several ways."""

    task: str
    method: str = "full"
    changes: Mapping[str, Any] = {}
    rate: float = 0.1

    @property
    def name(self) -> str:
        return "-".join([self.task, self.method, *(["skewed"] if self.changes is SKEWED else [])])


CASES = [
    *(Case(task) for task in TABLES if "image" not in TABLES[task]),
    Case("text-classification", changes=SKEWED, rate=0.5),  # its head starts where the gradient is small
    *(Case(task, changes=SKEWED) for task in ("multi-label-classification", "text-pair")),
    *(Case("text-classification", method) for method in ("lora", "adapter")),  # the other tasks share what adds them
    *(Case(task, changes=STILL) for task in ("image-classification", "image-text")),
    Case("object-detection", changes=STILL, rate=0.05),
]
FIXED = {"dropout": 0.0, "warmup": 0.0, "epochs": 1, "token_budget": 64, "weight_decay": 0.0, "refit": False}
QUESTIONS = pd.DataFrame({"query": TEXTS[:6], "positive": TEXTS[1:6] + TEXTS[:1]})
"""For the loss that compares rows, of which no part is a loss: pieces of its batches must give the same gradient."""


def cut(plan: list[list[int]], pieces: int) -> list[list[int]]:
    """Every batch of at least ``pieces`` rows in as many uneven pieces; smaller ones are left out of the plan."""
    found = []
    for batch in (batch for batch in plan if len(batch) >= 4):
        edges = [0, *range(1, pieces), len(batch)]
        found += [batch[start:end] for start, end in pairwise(edges)]
    return found


@contextmanager
def plainly(pieces: int, rate: float) -> Iterator[list[dict[str, torch.Tensor]]]:
    """Within, the training loop itself runs by SGD on batches cut in pieces; yields how far it moved each weight."""
    original, seen = engine.fit, []

    def fit(module: Any, problem: Any, plan: Any, settings: Settings, **more: Any) -> None:
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        named = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        start = {name: weight.detach().clone() for name, weight in named.items()}
        more |= {"optimizer": torch.optim.SGD(weights, lr=rate), "dtype": torch.float32}
        plan = cut(plan, pieces) if problem.divisible else plan
        original(module, problem, plan, settings.updated({"accumulate": pieces}), **more)
        seen.append({name: weight.detach() - start[name] for name, weight in named.items()})

    with patch.object(engine, "fit", fit):
        yield seen


def moved(case: Case, encoder: str, pieces: int, folder: Path) -> dict[str, torch.Tensor]:
    """How far a task's training moves each weight that it trains."""
    about = task_module(case.task)
    settings = about.DEFAULTS.updated({**FIXED, **case.changes})
    model = "default" if case.task in ("image-classification", "object-detection") else encoder
    with plainly(pieces, case.rate) as seen:
        about.train(about.read(TABLES[case.task]), case.method, model, settings, seed=0, folder=folder, show=False)
    return seen[-1]


def compared(encoder: str, cached: bool, budget: int, folder: Path) -> dict[str, torch.Tensor]:
    """How far contrastive training moves each weight, its batches computed in pieces of so many tokens."""
    about = task_module("embedding")
    settings = about.DEFAULTS.updated({**FIXED, "cached_gradients": cached, "token_budget": budget, "batch_rows": 6})
    with plainly(1, 0.1) as seen:
        about.train(about.read(QUESTIONS), "full", encoder, settings, seed=0, folder=folder, show=False)
    return seen[-1]


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Largest difference of any weight."""
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def pair(encoder: str, folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The weights of every case, trained by two processes: one pair of them for all."""
    command = [sys.executable, "-m", "benchmarks.core_identity", *words(encoder, folder)]
    ranks = [subprocess.Popen([*command, str(rank)]) for rank in range(2)]
    if codes := [code for rank in ranks if (code := rank.wait())]:
        raise SystemExit(f"a process of the pair exited {codes[0]}")
    return trained(folder)


def words(encoder: str, folder: Path) -> list[str]:
    """What one of the two is told; its number follows."""
    return ["--encoder", encoder, "--folder", str(folder), "--rank"]


def trained(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """What the two left there, by case."""
    return {file.stem: load_file(file) for file in folder.glob("*.safetensors")}


def _rank(rank: int, encoder: str, folder: Path) -> None:
    with joined(rank, 2, folder / "meeting"):
        for case in CASES:
            found = moved(case, encoder, 1, folder / case.name)
            if rank == 0:
                save_file(found, folder / f"{case.name}.safetensors")


def measure(encoder: str, folder: Path) -> dict[str, dict[str, float]]:
    """By case: how far 2 and 4 micro-batches and two processes are from one batch in one process."""
    (folder / "pair").mkdir()
    both = pair(encoder, folder / "pair")
    found = {}
    for case in CASES:
        one = moved(case, encoder, 1, folder / f"{case.name}-1")
        parts = {f"k{k}": apart(one, moved(case, encoder, k, folder / f"{case.name}-{k}")) for k in (2, 4)}
        found[case.name] = {**parts, "processes": apart(one, both[case.name]), "moved": largest(one)}
    whole = compared(encoder, False, 10_000, folder / "whole")
    pieces = {
        name: apart(whole, compared(encoder, cached, budget, folder / name))
        for name, cached, budget in (("cached", True, 10_000), ("pieces", False, 24), ("cached_pieces", True, 24))
    }
    return found | {"embedding-full": {**pieces, "moved": largest(whole)}}


def largest(weights: dict[str, torch.Tensor]) -> float:
    """The largest of all numbers."""
    return max(float(weight.abs().max()) for weight in weights.values())


def main() -> None:
    """Print the differences by task and the largest of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same: it takes a minute")
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rank", type=int)
    options = parser.parse_args()
    if options.rank is not None:
        _rank(options.rank, options.encoder, options.folder)
        return
    with workspace() as folder:
        found = measure(options.encoder, folder)
    least = min(one.pop("moved") for one in found.values())
    report(
        {
            "differences": found,
            "least_moved": least,
            "largest": max(one[name] for one in found.values() for name in one),
        }
    )


if __name__ == "__main__":
    main()
