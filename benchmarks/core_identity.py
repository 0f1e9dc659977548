"""k micro-batches = one batch, and two processes = one, for every task whose loss is a sum over examples.

Each task is trained as users train it, but by plain SGD in float32 without dropout, on a plan cut into pieces: then a
wrong scale of the loss shows in the weights.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

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
TABLES = {
    "text-classification": pd.DataFrame({"text": TEXTS, "label": ["a", "b", "c", "d", "a", "b"] * 4}),
    "multi-label-classification": pd.DataFrame({"text": TEXTS, "label": ["a", "b|c", "c", "a|b", "a", "b"] * 4}),
    "regression": pd.DataFrame({"text": TEXTS, "label": [1.0, 2.5, 0.5, 3.0, 1.5, 2.0] * 4}),
    "text-pair": pd.DataFrame({"text_a": TEXTS, "text_b": TEXTS[1:] + TEXTS[:1], "label": ["a", "b", "b"] * 8}),
    "seq2seq": pd.DataFrame({"source": TEXTS, "target": TEXTS[1:] + TEXTS[:1]}),
    "token-classification": pd.DataFrame(
        {"tokens": WORDS, "tags": [["B-X" if word in ("card", "order") else "O" for word in one] for one in WORDS]}
    ),
}
ADAPTED = ("lora", "adapter")  # measured on the first task; the others share what adds them to an encoder
NAMES = [(task, "full") for task in TABLES] + [(next(iter(TABLES)), method) for method in ADAPTED]
FIXED = {"dropout": 0.0, "warmup": 0.0, "epochs": 2, "token_budget": 64, "weight_decay": 0.0, "refit": False}


def cut(plan: list[list[int]], pieces: int) -> list[list[int]]:
    """Every batch of at least ``pieces`` rows in as many uneven pieces; smaller ones are left out of the plan."""
    found = []
    for batch in (batch for batch in plan if len(batch) >= 4):
        edges = [0, *range(1, pieces), len(batch)]
        found += [batch[start:end] for start, end in pairwise(edges)]
    return found


@contextmanager
def plainly(pieces: int) -> Iterator[list[dict[str, torch.Tensor]]]:
    """Within, the training loop itself runs by SGD on batches cut in pieces; yields how far it moved each weight."""
    original, seen = engine.fit, []

    def fit(module: Any, problem: Any, plan: Any, settings: Settings, **more: Any) -> None:
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        named = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        start = {name: weight.detach().clone() for name, weight in named.items()}
        more |= {"optimizer": torch.optim.SGD(weights, lr=0.1), "dtype": torch.float32}
        original(module, problem, cut(plan, pieces), settings.updated({"accumulate": pieces}), **more)
        seen.append({name: weight.detach() - start[name] for name, weight in named.items()})

    with patch.object(engine, "fit", fit):
        yield seen


def moved(task: str, method: str, encoder: str, pieces: int, folder: Path) -> dict[str, torch.Tensor]:
    """How far a task's training moves each weight that it trains."""
    about = task_module(task)
    settings = about.DEFAULTS.updated(FIXED)
    with plainly(pieces) as seen:
        about.train(about.read(TABLES[task]), method, encoder, settings, seed=0, folder=folder, show=False)
    return seen[-1]


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Largest difference of any weight."""
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def pair(encoder: str, folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The weights of every task and method, trained by two processes: one pair of them for all."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.core_identity",
        "--encoder",
        encoder,
        "--folder",
        str(folder),
        "--rank",
    ]
    ranks = [subprocess.Popen([*command, str(rank)]) for rank in range(2)]
    if codes := [code for rank in ranks if (code := rank.wait())]:
        raise SystemExit(f"a process of the pair exited {codes[0]}")
    return {file.stem: load_file(file) for file in folder.glob("*.safetensors")}


def _rank(rank: int, encoder: str, folder: Path) -> None:
    with joined(rank, 2, folder / "meeting"):
        for task, method in NAMES:
            found = moved(task, method, encoder, 1, folder / f"{task}-{method}")
            if rank == 0:
                save_file(found, folder / f"{task}-{method}.safetensors")


def measure(encoder: str, folder: Path) -> dict[str, dict[str, float]]:
    """By task and method: how far 2 and 4 micro-batches and two processes are from one batch in one process."""
    (folder / "pair").mkdir()
    both = pair(encoder, folder / "pair")
    found = {}
    for task, method in NAMES:
        name = f"{task}-{method}"
        one = moved(task, method, encoder, 1, folder / f"{name}-1")
        found[name] = {f"k{k}": apart(one, moved(task, method, encoder, k, folder / f"{name}-{k}")) for k in (2, 4)}
        found[name]["processes"] = apart(one, both[name])
        found[name]["moved"] = max(float(weight.abs().max()) for weight in one.values())
    return found


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
