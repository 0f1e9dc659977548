"""Only the upper layers of a text encoder train: what is kept of the lower ones against computing them at every step."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fieldtune
from fieldtune.errors import ConfigError
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.tasks import text_classification as task
from fieldtune.tasks.supervised import Headed
from fieldtune.train import top, tuning
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import Body, trainable, tune

WORDS = ["card", "lost", "refund", "order", "account", "transfer", "cancel", "my", "the", "how", "to", "is"]
TEXTS = [" ".join(WORDS[(row * 5 + place) % 12] for place in range(row % 9 + 1)) for row in range(30)]
TARGETS = np.arange(30) % 3
SETTINGS = Settings(epochs=3, token_budget=48, top_layers=1, dropout=0.1, accumulate=2, learning_rate=1e-3)


def trained(encoder_folder: Path, folder: Path) -> Headed:
    encoder = trainable(encoder_folder, "top", SETTINGS)
    tokens = encoder.tokens(TEXTS)
    weight = np.linspace(-1, 1, 3 * encoder.dimensions, dtype=np.float32).reshape(3, -1)
    module = Headed(Body(encoder), weight, np.zeros(3, np.float32), SETTINGS.dropout)
    made = task.problem(tokens, torch.from_numpy(TARGETS), torch.ones(3), encoder, 0.0)
    tune(module, made, tokens, SETTINGS, seed=0, folder=folder, show=False)
    return module


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many rows the lowest layer has computed so far."""
    from transformers.models.bert.modeling_bert import BertLayer

    forward, seen = BertLayer.forward, []

    def counted(self: BertLayer, hidden: torch.Tensor, *given: object, **named: object) -> object:
        seen.append((id(self), len(hidden)))
        return forward(self, hidden, *given, **named)

    monkeypatch.setattr(BertLayer, "forward", counted)
    return lambda: sum(rows for layer, rows in seen if layer == seen[0][0])


def test_what_is_kept_trains_the_weights_that_computing_anew_trains(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: Callable[[], int]
) -> None:
    kept = trained(tiny_encoder, tmp_path / "kept")
    assert calls() == len(TEXTS)  # each row once, whatever the epochs
    monkeypatch.setattr(tuning, "known_below", _anew)
    anew = trained(tiny_encoder, tmp_path / "anew")
    names = [name for name, weight in kept.named_parameters() if weight.requires_grad]
    assert {name.split(".layer.")[-1][0] for name in names if "encoder" in name} == {"1"}
    one, other = (dict(module.named_parameters()) for module in (kept, anew))
    assert max(float((one[name] - other[name]).detach().abs().max()) for name in names) <= 1e-6
    start = dict(Headed(Body(load_encoder_folder(tiny_encoder)), *kept.weights(), 0.0).named_parameters())
    moved = {name: float((one[name] - start[name]).detach().abs().max()) for name in one if name in start}
    assert all(bool(distance) == (name in names) for name, distance in moved.items() if "head" not in name)


class _anew:
    """Every step computes every layer."""

    def __init__(self, module: object, problem: object, *_: object) -> None:
        self.problem = problem

    def __enter__(self) -> object:
        return self.problem

    def __exit__(self, *_: object) -> None:
        pass


def test_states_that_would_not_fit_are_computed_anew(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: Callable[[], int]
) -> None:
    tokens = sum(map(len, load_encoder_folder(tiny_encoder).tokens(TEXTS)))
    monkeypatch.setattr(top, "_CACHE", tokens * 32 * 4 - 1)
    trained(tiny_encoder, tmp_path / "run")
    assert calls() > SETTINGS.epochs * len(TEXTS)


@pytest.mark.parametrize(
    "name", ["text-classification", "multi-label-classification", "regression", "text-pair", "reranking"]
)
def test_the_tasks_that_know_it(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    texts = [f"{text} {row}" for row, text in enumerate(TEXTS)]
    table = pd.DataFrame(
        {"text": texts, "text_a": texts, "text_b": texts[::-1], "query": texts, "document": texts[::-1]}
    )
    table["label"] = TARGETS % 2 if name in ("regression", "reranking") else [f"label {target}" for target in TARGETS]
    done = fieldtune.finetune(
        name, table, valid=table, model=str(tiny_encoder), method="top", out=tmp_path / "m", progress=False, apart=False,
        settings={"max_steps": 2},
    )  # fmt: skip
    assert done.metrics["n"]


@pytest.mark.parametrize("layers", [0, 2])
def test_no_such_layers(layers: int, tiny_encoder: Path) -> None:
    with pytest.raises(ConfigError, match="top_layers from 1 to 1"):
        trainable(tiny_encoder, "top", SETTINGS.updated({"top_layers": layers}))


@pytest.mark.parametrize("method", ["full", "lora", "adapter", "prefix"])
def test_other_methods_keep_nothing(method: str, tiny_encoder: Path) -> None:
    body = trainable(tiny_encoder, method, Settings()).body
    assert top._frozen(body, list(top._layers(body))) == 0
