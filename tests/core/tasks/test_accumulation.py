"""k micro-batches equal one batch, for every text task with a loss per example, through the task's own training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fieldtune.batching import Batch
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.tasks import common, task_module

WORDS = ["my card is lost", "refund to the account", "cancel my order", "how to transfer", "the card", "refund"]
TEXTS = [f"{word} {row}" for row in range(4) for word in WORDS]
LABELS = ["a", "b", "c", "d", "a", "b"] * 4
TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "text-classification": lambda: pd.DataFrame({"text": TEXTS, "label": LABELS}),
    "multi-label-classification": lambda: pd.DataFrame(
        {"text": TEXTS, "label": ["a", "a|b", "b|c", "", "c", "a|c"] * 4}
    ),
    "regression": lambda: pd.DataFrame({"text": TEXTS, "label": np.arange(24.0) % 7}),
    "text-pair": lambda: pd.DataFrame({"text_a": TEXTS, "text_b": TEXTS[3:] + TEXTS[:3], "label": LABELS}),
    "reranking": lambda: pd.DataFrame(
        {"query": TEXTS, "document": TEXTS[5:] + TEXTS[:5], "label": [1.0, 0.0, 0.0] * 8}
    ),
}
SKEWED = {"class_weights": "balanced", "focal_gamma": 2.0, "label_smoothing": 0.1}
CASES: list[tuple[str, dict[str, Any]]] = [
    *((task, {}) for task in TABLES),
    *((task, SKEWED) for task in ("text-classification", "multi-label-classification", "text-pair")),
]
WHOLE = [list(range(12)), list(range(12, 24))]
PARTS = [(0, 1), (1, 5), (5, 7), (7, 12)]  # the parts need not be equal


def weights_of(
    task: str, plan: list[Batch], changes: dict[str, Any], encoder: Path, folder: Path, patch: pytest.MonkeyPatch
) -> dict[str, torch.Tensor]:
    """All weights of the model that ``train`` of the task ends in, by plain SGD over this plan."""
    patch.setattr(common, "epoch", lambda *_: plan)
    patch.setattr(common, "adamw", lambda _, module, __: torch.optim.SGD(module.parameters(), lr=0.1))
    about = task_module(task)
    settings = about.DEFAULTS.updated({"epochs": 1, "dropout": 0, "warmup": 0, "max_length": 32, **changes})
    table = TABLES[task]()
    model = about.train(table, "full", str(encoder), settings, seed=0, folder=folder, show=False)
    found = {name: value.detach().clone() for name, value in model.features.encoder.body.named_parameters()}
    return found | {"weight": torch.from_numpy(model.weight.copy()), "bias": torch.as_tensor(model.bias)}


@pytest.mark.parametrize(("task", "changes"), CASES)
def test_k_micro_batches_equal_one_batch_of_every_task(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, changes: dict[str, Any]
) -> None:
    parts = [batch[start:end] for batch in WHOLE for start, end in PARTS]
    one = weights_of(task, WHOLE, changes, tiny_encoder, tmp_path / "one", monkeypatch)
    many = weights_of(task, parts, {**changes, "accumulate": 4}, tiny_encoder, tmp_path / "many", monkeypatch)
    start = load_encoder_folder(tiny_encoder).body.named_parameters()
    assert max((one[name] - weight).abs().max() for name, weight in start) > 1e-3  # it did train
    assert max((one[name] - many[name]).abs().max() for name in one) <= 1e-6
