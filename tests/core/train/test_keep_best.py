"""The best epoch of a tuned encoder: against weights and figures of every epoch, through SIGKILL, and when all rows are learnt."""

import signal
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import log_softmax

import fieldtune
from fieldtune.errors import ConfigError
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.tasks import task_module
from fieldtune.tasks import text_classification as classification
from fieldtune.train import trainer
from fieldtune.train.best import Best
from tests.processes import begin, run

EPOCHS = 6
TRAIN = pd.DataFrame({"text": [f"{word} {n}" for word in ("card", "refund") for n in range(16)]})
TRAIN["label"] = [("a", "b")[n % 3 == 0] for n in range(32)]  # nothing but single rows to learn by heart
VALID = pd.DataFrame({"text": [f"{word} {n}" for word in ("card", "refund") for n in range(40, 52)]})
VALID["label"] = [("a", "b")[n % 3 == 0] for n in range(24)]
GIVEN = {
    "epochs": EPOCHS,
    "class_weights": "none",
    "learning_rate": 2e-3,
    "token_budget": 100,
    "dropout": 0.0,
    "noisy": "keep",
}


def learnt(encoder: Path, folder: Path, valid: pd.DataFrame | None = VALID, **more: Any) -> Any:
    settings = classification.DEFAULTS.updated({**GIVEN, **more})
    return classification.train(TRAIN, "full", str(encoder), settings, seed=3, folder=folder, show=False, valid=valid)


def figure(encoder: Path, tensors: dict[str, torch.Tensor]) -> float:
    """The accuracy of a checkpoint's weights on the validation rows, one row at a time."""
    body = load_encoder_folder(encoder)
    body.body.load_state_dict(
        {name[13:]: tensor for name, tensor in tensors.items() if name.startswith("encoder.body.")}
    )
    body.body.eval()
    right = []
    for text, label in zip(VALID["text"], VALID["label"], strict=True):
        ids = torch.tensor(body.tokens([text], 128))
        with torch.no_grad():
            hidden = body.body(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        pooled = hidden.mean(0) if body.pooling == "mean" else hidden[0]
        logits = tensors["head.weight"] @ (pooled / pooled.norm()) + tensors["head.bias"]
        right.append(("a", "b")[int(logits.argmax())] == label)
    return float(np.mean(right))


@pytest.fixture
def whole_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints hold the whole table of words, and all of them stay."""
    monkeypatch.setattr(classification, "words_at_hand", lambda *_: nullcontext())
    monkeypatch.setattr(trainer, "prune", lambda _: None)


@pytest.mark.usefixtures("whole_table")
def test_the_weights_are_those_of_the_best_epoch(tiny_encoder: Path, tmp_path: Path) -> None:
    last = learnt(tiny_encoder, tmp_path / "last", checkpoint_steps=1)
    saved = sorted((tmp_path / "last").glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    steps = len(saved) + 1  # after the last step nothing is saved: the weights are returned
    assert steps % EPOCHS == 0
    ends = [load_file(saved[steps // EPOCHS * (epoch + 1) - 1] / "model.safetensors") for epoch in range(EPOCHS - 1)]
    figures = [figure(tiny_encoder, tensors) for tensors in ends]
    best = int(np.argmax(figures))
    end = {f"encoder.body.{name}": tensor for name, tensor in last.features.encoder.body.state_dict().items()}
    end |= {"head.weight": torch.from_numpy(last.weight), "head.bias": torch.from_numpy(last.bias)}
    assert max(figures) > figure(tiny_encoder, end)  # it overfits
    found = learnt(tiny_encoder, tmp_path / "kept", keep_best=True)
    assert found.card["settled"]["epochs"] == best + 1
    for name, tensor in found.features.encoder.body.state_dict().items():
        assert torch.equal(tensor, ends[best][f"encoder.body.{name}"]), name
    assert torch.equal(torch.from_numpy(found.weight), ends[best]["head.weight"])
    early = learnt(tiny_encoder, tmp_path / "early", keep_best=True, patience=1, checkpoint_steps=1)
    first = next((place for place, (one, two) in enumerate(pairwise([*figures, 0.0])) if two <= one))
    assert early.card["settled"]["epochs"] == first + 1
    stopped = max(int(path.name[11:]) for path in (tmp_path / "early").glob("checkpoint-*"))
    assert stopped <= (first + 2) * steps // EPOCHS < steps


def test_epochs_are_compared_by_what_the_model_answers_and_foreign_is_no_answer(tiny_encoder: Path) -> None:
    rng, lean = np.random.default_rng(0), np.array([0.0, 2.0], dtype=np.float32)
    valid = pd.DataFrame({"text": [f"card {n}" for n in range(60)], "label": ["a", "b"] * 30})
    logits = rng.normal(size=(60, 3)).astype(np.float32) + 2 * np.eye(3, dtype=np.float32)[[0, 1] * 30] + [*lean, 9]
    encoder, targets = load_encoder_folder(tiny_encoder), np.array([0, 1] * 30)
    apart = classification._apart(encoder, valid, ("a", "b"), lean, classification.DEFAULTS)
    steps, temperatures = np.linspace(0, 1, 201), np.geomspace(0.2, 5, 200)
    losses = [
        (-log_softmax(logits[:, :2] / t - s * lean, axis=1)[np.arange(60), targets].mean(), t * s)
        for t in temperatures
        for s in steps
    ]
    wanted = ((logits[:, :2] - min(losses)[1] * lean).argmax(axis=1) == targets).mean()
    assert apart.figure(logits.astype(np.float32)) == pytest.approx(wanted, abs=1 / 60)
    assert wanted > (logits[:, :2].argmax(axis=1) == targets).mean() + 0.1


SCRIPT = """
import sys
from pathlib import Path
from tests.core.train.test_keep_best import VALID, TRAIN, GIVEN
import fieldtune
fieldtune.finetune("text-classification", TRAIN, valid=VALID, model=sys.argv[1], out=sys.argv[2], progress=False, apart=False,
                   seed=3, settings={**GIVEN, "keep_best": True, "patience": 3, "checkpoint_steps": 1})
"""


def test_killed_it_ends_in_the_same_bits(tiny_encoder: Path, tmp_path: Path) -> None:
    run("-c", SCRIPT, tiny_encoder, tmp_path / "whole")
    out, codes = tmp_path / "out", [-signal.SIGKILL]
    while codes[-1] == -signal.SIGKILL:
        process, work = begin("-c", SCRIPT, tiny_encoder, out), out / "checkpoints"
        begun = {path.name for path in work.glob("checkpoint-*")}
        while process.is_alive() and len(codes) < 4:
            if len({path.name for path in work.glob("checkpoint-*")} - begun) > (not begun):
                process.kill()
                break
        process.join()
        codes.append(int(process.exitcode or 0))
    assert codes == [-signal.SIGKILL] * 4 + [0]
    for name in ("model.safetensors", "head.safetensors", "fieldtune.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_all_rows_are_learnt_for_as_many_epochs_as_were_best(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = pd.concat([TRAIN, VALID], ignore_index=True)
    given: dict[str, Any] = {"model": str(tiny_encoder), "progress": False, "seed": 3}
    done = fieldtune.finetune(
        "text-classification", rows, out=tmp_path / "a", settings={**GIVEN, "keep_best": True}, **given
    )
    card = fieldtune.load(done.path).card
    assert card["trained_again"] and "selected" not in card
    page = (done.path / "README.md").read_text()
    assert "did best on these rows" not in page and "In how many epochs it learns was chosen on these rows" in page
    epochs = card["settled"]["epochs"]
    fixed = classification.DEFAULTS.updated({**GIVEN, "epochs": epochs})
    again = classification.train(rows, "full", str(tiny_encoder), fixed, seed=3, folder=tmp_path / "b", show=False)
    np.testing.assert_array_equal(fieldtune.load(done.path).weight, again.weight)


@pytest.mark.parametrize("epochs", [8, 6])
def test_a_step_over_several_epochs_is_counted_with_all_of_them(
    tiny_encoder: Path, tmp_path: Path, epochs: int
) -> None:
    given = {"epochs": epochs, "accumulate": 4, "token_budget": 10_000, "keep_best": True}
    kept = learnt(tiny_encoder, tmp_path, **given).card["settled"]["epochs"]
    assert kept in (4, epochs)  # an epoch is one batch, and a step four, or what is left


@pytest.mark.parametrize("keep_best", [False, True])
def test_only_weights_that_did_best_are_said_to_have(tiny_encoder: Path, tmp_path: Path, keep_best: bool) -> None:
    done = fieldtune.finetune(
        "text-classification", TRAIN, valid=VALID, model=str(tiny_encoder), out=tmp_path / "a", progress=False,
        settings={**GIVEN, "epochs": 2, "keep_best": keep_best},
    )  # fmt: skip
    assert fieldtune.load(done.path).card.get("selected", False) == keep_best
    page = (done.path / "README.md").read_text()
    assert ("did best on these rows" in page) == keep_best and "In how many epochs" not in page


def test_pairs_and_numbers_keep_their_best_epoch_too(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[float] = []
    look = Best.look

    def watched(best: Best, module: Any, step: int) -> None:
        look(best, module, step)
        found.append(best.highest)

    monkeypatch.setattr(Best, "look", watched)
    pairs = TRAIN.assign(text_a=TRAIN["text"], text_b=TRAIN["text"][::-1].to_numpy())
    numbers = TRAIN.assign(label=np.random.default_rng(0).normal(size=32))
    for task, table in (("text-pair", pairs), ("regression", numbers)):
        about = task_module(task)
        settings = about.DEFAULTS.updated({"epochs": 4, "learning_rate": 2e-3, "token_budget": 100, "keep_best": True})
        model = about.train(
            table[:24],
            "full",
            str(tiny_encoder),
            settings,
            seed=0,
            folder=tmp_path / task,
            show=False,
            valid=table[24:],
        )
        told = about.metrics(model, table[24:])
        if task == "regression":
            wanted = -(told["rmse"] ** 2) / model.scale**2
            assert found[-1] == pytest.approx(wanted, rel=1e-3)
        else:
            assert found[-1] == told["accuracy"]
        assert 1 <= model.card["settled"]["epochs"] <= 4 and model.card["selected"]


def test_without_validation_rows_the_last_weights_are_kept_and_it_is_said(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.DataFrame({"text": ["card", "refund"], "label": ["a", "b"]})
    fieldtune.finetune(
        "text-classification",
        rows,
        model=str(tiny_encoder),
        out=tmp_path / "a",
        settings={"epochs": 1, "keep_best": True},
    )
    assert "keep_best kept the last weights" in capsys.readouterr().err


def test_where_nothing_is_compared_it_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    for method, settings in (
        ("head", {"keep_best": True}),
        ("top", {"keep_best": True}),
        ("adalora", {"keep_best": True}),
        ("full", {"patience": 2}),
    ):
        with pytest.raises(ConfigError, match="a setting that --method"):
            fieldtune.finetune(
                "text-classification", TRAIN, model=str(tiny_encoder), method=method, out=tmp_path, settings=settings
            )


def test_patience_counts_looks_without_a_better_one_and_looks_no_further() -> None:
    module, scores = torch.nn.Linear(1, 1), {10: 1.0, 20: 3.0, 30: 2.0, 40: 3.0, 50: 9.0}
    seen: list[int] = []
    best = Best(lambda _: scores[seen[-1]], scores, patience=2)
    ended = []
    for step in range(1, 51):
        seen.append(step)
        best.look(module, step)
        ended.append(best.exhausted(step))
    assert ended.index(True) + 1 == 40
    assert (best.step, best.highest) == (20, 3.0)
    assert not Best(lambda _: 0.0, scores).exhausted(50)
