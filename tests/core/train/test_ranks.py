"""AdaLoRA: ranks really move between matrices, within the budget; the same through accumulation and interruption."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import AdaLoraConfig
from peft.tuners.adalora import AdaLoraModel

from fieldtune.models.adapters import adapter_of
from fieldtune.tasks import text_classification as task
from fieldtune.tasks.supervised import Headed
from fieldtune.train.fit import fit
from fieldtune.train.problem import Problem
from fieldtune.train.ranks import adaptive
from fieldtune.train.run import adamw
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import Body, trainable

TEXTS = ["my card is lost", "refund to the account", "cancel my order", "how to transfer", "the card", "refund"] * 4
TARGETS = torch.tensor([0, 1, 2, 3, 0, 1] * 4)
SETTINGS = Settings(dropout=0.1, rank=3, learning_rate=2e-2, checkpoint_steps=5, weight_decay=0.0)


def build(encoder_folder: Path, settings: Settings = SETTINGS) -> tuple[Headed, Problem]:
    encoder = trainable(encoder_folder, "adalora", settings)
    weight = np.linspace(-1, 1, 4 * encoder.dimensions, dtype=np.float32).reshape(4, -1)
    module = Headed(Body(encoder), weight, np.zeros(4, np.float32), settings.dropout)
    return module, task.problem(encoder.tokens(TEXTS), TARGETS, torch.ones(4), encoder, 0.0)


def train(module: Headed, problem: Problem, folder: Path) -> dict[str, torch.Tensor]:
    plan = [[row % 24, (row + 7) % 24, (row + 13) % 24] for row in range(24)]
    optimizer = adamw(module.encoder, module, SETTINGS)
    fit(
        module, problem, plan, SETTINGS, folder=folder, optimizer=optimizer, seed=1, dtype=torch.float32,
        description="", show=False,
    )  # fmt: skip
    adapter = adapter_of(module.encoder.body)
    assert adapter is not None
    return adapter.tensors


def test_ranks_differ_and_the_budget_is_met(tiny_encoder: Path, tmp_path: Path) -> None:
    tensors = train(*build(tiny_encoder), tmp_path / "run")
    ranks = [int((tensor != 0).sum()) for name, tensor in tensors.items() if "lora_E" in name]
    assert len(ranks) == 4  # query and value of two layers
    assert sum(ranks) == 4 * SETTINGS.rank
    assert len(set(ranks)) > 1
    assert max(ranks) > SETTINGS.rank


class Interrupted(Exception):
    pass


def test_interrupted_after_a_checkpoint_it_ends_in_the_same_bits(tiny_encoder: Path, tmp_path: Path) -> None:
    whole = train(*build(tiny_encoder), tmp_path / "whole")
    module, problem = build(tiny_encoder)
    left = iter(range(17))

    def collate(rows: list[int]) -> Any:
        if next(left, None) is None:
            raise Interrupted
        return problem.collate(rows)

    with pytest.raises(Interrupted):  # at step 17 of 24, when ranks were dropped and still move
        train(module, Problem(collate, problem.loss, problem.items), tmp_path / "cut")
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["checkpoint-10", "checkpoint-15"]
    again = train(*build(tiny_encoder), tmp_path / "cut")
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_penalty_is_that_of_peft(tiny_encoder: Path) -> None:
    module, problem = build(tiny_encoder, SETTINGS.updated({"dropout": 0.0}))
    ranks = adaptive(module, 10)
    assert ranks is not None
    body: Any = torch.nn.Module()  # a model whose loss is nothing but PEFT's own penalty
    body.forward = lambda: type("Out", (), {"loss": torch.zeros(())})()
    config = AdaLoraConfig(target_modules=["query"], total_step=10, orth_reg_weight=1.0)
    model = AdaLoraModel.__new__(AdaLoraModel)
    torch.nn.Module.__init__(model)
    body.inner = module.encoder.body
    model.model, model.peft_config, model.trainable_adapter_name = body, {"default": config}, "default"
    with torch.no_grad():
        assert float(ranks.penalty()) == pytest.approx(float(model.forward().loss), rel=1e-6)
    batches = [problem.collate([0, 1, 2]), problem.collate([3])]
    with torch.no_grad():
        added = [ranks.penalised(problem).loss(module, batch) - problem.loss(module, batch) for batch in batches]
        assert float(sum(added) / 4) == pytest.approx(0.1 * float(ranks.penalty()), rel=1e-4)  # once for all 4 rows


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_runs_too_short_to_decide_anything_still_meet_the_budget(
    tiny_encoder: Path, tmp_path: Path, steps: int
) -> None:
    module, problem = build(tiny_encoder)
    fit(
        module, problem, [[0, 1, 2]] * steps, SETTINGS, folder=tmp_path, dtype=torch.float32, seed=0, description="",
        optimizer=torch.optim.AdamW(module.parameters(), lr=0.01), show=False,
    )  # fmt: skip
    adapter = adapter_of(module.encoder.body)
    assert adapter is not None
    kept = sum(int((tensor != 0).sum()) for name, tensor in adapter.tensors.items() if "lora_E" in name)
    assert kept == 4 * SETTINGS.rank
