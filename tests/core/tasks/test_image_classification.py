"""Image classification: loss scale, frozen layers, resume with augmentation, odd input, the command line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fieldtune.errors import ConfigError, InputError
from fieldtune.fingerprint import fingerprint
from fieldtune.models import load
from fieldtune.models.convnet import ConvNet, Still, seeded
from fieldtune.models.image_classifier import ImageClassifier, built
from fieldtune.models.upper import cut, reading
from fieldtune.pipeline import finetune
from fieldtune.tasks import image_classification as task
from fieldtune.tasks.pictured import looks, shuffled
from fieldtune.train.fit import fit
from fieldtune.train.losses import class_weights
from fieldtune.train.run import ends
from fieldtune.train.settings import Settings

QUICK = {"epochs": 4, "batch_rows": 16}
WIDTHS, STRIDES = [4, 6, 8], [1, 2, 2]


def stripes(rows: int, seed: int = 0, side: int = 12) -> tuple[np.ndarray, list[str]]:
    """Noisy pictures with stripes across or down, uint8 ``[rows, side, side]``."""
    rng = np.random.default_rng(seed)
    wave = (np.arange(side) // 2 % 2 * 120).astype(np.uint8)
    across = rng.random(rows) < 0.5
    found = rng.integers(0, 130, (rows, side, side), dtype=np.uint8)
    found += np.where(across[:, None, None], wave[None, :, None], wave[None, None, :])
    return found, ["across" if value else "down" for value in across]


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    pictures, labels = stripes(rows, seed)
    return pd.DataFrame({"image": pd.Series(list(pictures), dtype=object), "label": labels})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model to start from."""
    folder = tmp_path_factory.mktemp("base") / "model"
    return finetune(
        "image-classification", table(96), valid=table(48, 1), out=folder, settings=QUICK, progress=False
    ).path


def sgd(
    plan: list[list[int]], accumulate: int, folder: Path, weights: torch.Tensor, change: bool = True
) -> torch.nn.Module:
    pictures, labels = stripes(12)
    net = seeded(1, ConvNet, 1, 2, WIDTHS, STRIDES)
    targets = torch.tensor([label == "down" for label in labels]).long()
    reader = reading(torch.nn.Identity(), pictures[..., None])
    made = task.problem(reader, targets, weights, 0.1, task.CHANGE if change else None, 0)
    fit(
        Still(net), made, plan, Settings(accumulate=accumulate, warmup=0.0), folder=folder,
        optimizer=torch.optim.SGD(net.parameters(), lr=0.2), seed=0, dtype=torch.float32, description="", show=False,
    )  # fmt: skip
    return net


@pytest.mark.parametrize("weights", [[1.0, 1.0], [0.4, 1.7]])
def test_k_micro_batches_equal_one_batch(tmp_path: Path, weights: list[float]) -> None:
    whole = [list(range(12)), list(range(12, 24))]  # the second epoch's examples are changed otherwise
    parts = [batch[start:end] for batch in whole for start, end in [(0, 1), (1, 5), (5, 7), (7, 12)]]
    one = sgd(whole, 1, tmp_path / "one", torch.tensor(weights))
    many = sgd(parts, 4, tmp_path / "many", torch.tensor(weights))
    start = seeded(1, ConvNet, 1, 2, WIDTHS, STRIDES)
    moved = max((a - b).abs().max() for a, b in zip(one.parameters(), start.parameters(), strict=True))
    apart = max((a - b).abs().max() for a, b in zip(one.parameters(), many.parameters(), strict=True))
    assert moved > 1e-3
    assert apart <= 1e-6
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), start.buffers(), strict=True))  # batch norm stood still


def test_it_learns_and_is_measured_as_scikit_learn_does(base: Path) -> None:
    model, test = load(base), table(64, 2)
    assert isinstance(model, ImageClassifier)
    found = task.metrics(model, test)
    assert found["accuracy"] >= 0.9
    assert {"auc", "balanced_accuracy", "macro_f1", "ece", "cut"} <= set(found)
    probability = model.probabilities(list(test["image"]))[:, 1]
    truth = test["label"] == "down"
    assert found["auc"] == pytest.approx(roc_auc_score(truth, probability))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, probability >= model.cut))
    given = task.predict(model, test)
    assert given["p_down"].to_numpy() == pytest.approx(probability)
    model.cut = float(
        np.sort(probability)[3]
    )  # what is said follows the cut, in figures, predictions and the gate alike
    given, found = task.predict(model, test), task.metrics(model, test)
    assert (given["predicted"] == "down").sum() == len(test) - 3
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(test["label"], given["predicted"]))
    assert found["accuracy"] == task.correct(model, test).mean() == (given["predicted"] == test["label"]).mean()


def test_the_card_says_that_the_best_look_was_kept(base: Path, tmp_path: Path) -> None:
    linear = finetune(
        "image-classification", table(40), valid=table(24, 1), method="linear", out=tmp_path / "a", progress=False
    ).path
    for folder, chosen in ((base, True), (linear, False)):
        assert ("did best on these rows" in (folder / "README.md").read_text()) == chosen


def test_a_saved_model_answers_the_same_to_the_bit(base: Path, tmp_path: Path) -> None:
    model = load(base)
    model.save(tmp_path)
    again = ImageClassifier.load(tmp_path, model.card)
    items = list(table(20, 3)["image"])
    assert (model.logits(items) == again.logits(items)).all()
    assert (again.temperature, again.threshold, again.cut) == (model.temperature, model.threshold, model.cut)
    assert not [file.name for file in base.iterdir() if file.suffix not in (".json", ".safetensors", ".md")]


@pytest.mark.parametrize(("method", "trained"), [("head", ()), ("top", ("blocks.4.",))])
def test_only_the_chosen_layers_change(base: Path, tmp_path: Path, method: str, trained: tuple[str, ...]) -> None:
    rows = table(64, 4)
    finetune(
        "image-classification", rows, valid=table(32, 5), model=str(base), method=method, out=tmp_path / "new",
        settings=QUICK, progress=False,
    )  # fmt: skip
    before, after = load_file(base / "model.safetensors"), load_file(tmp_path / "new/model.safetensors")
    last = max(int(name.split(".")[1]) for name in before if name.startswith("blocks"))
    allowed = ("head.", f"blocks.{last}.") if trained else ("head.",)
    changed = {name for name in before if before[name].numpy().tobytes() != after[name].numpy().tobytes()}
    assert "head.weight" in changed
    assert all(name.startswith(allowed) for name in changed)  # batch norm's statistics among those that may not
    if trained:
        assert any("running_mean" in name for name in changed)


class Uncached(torch.nn.Module):
    """The slow exact version: frozen layers run on every batch."""

    def __init__(self, net: ConvNet) -> None:
        super().__init__()
        lower, self.top = cut(net, 1)
        self.lower = [lower]  # in a list: no part of what trains

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            hidden = self.lower[0](pixels)
        found: torch.Tensor = self.top(hidden)
        return found


def test_kept_hidden_states_train_as_running_the_frozen_layers_does(tmp_path: Path) -> None:
    pictures, labels = stripes(24)
    targets = torch.tensor([label == "down" for label in labels]).long()
    losses: dict[str, list[float]] = {"kept": [], "run": []}
    for name in losses:
        net = seeded(1, ConvNet, 1, 2, WIDTHS, STRIDES).eval()
        lower, top = cut(net, 1)
        module, below = (top, lower) if name == "kept" else (Uncached(net), torch.nn.Identity())
        made = task.problem(reading(below, pictures[..., None]), targets, torch.ones(2), 0.0, None, 0)

        def noted(module: Any, batch: Any, made: Any = made, name: str = name) -> torch.Tensor:
            loss: torch.Tensor = made.loss(module, batch)
            losses[name].append(float(loss.detach()))
            return loss

        fit(
            module, type(made)(made.collate, noted, made.items), [list(range(start, start + 8)) for start in (0, 8, 16)] * 3,
            Settings(warmup=0.0), folder=tmp_path / name, optimizer=torch.optim.SGD(top.parameters(), lr=0.1), seed=0,
            dtype=torch.float32, description="", show=False,
        )  # fmt: skip
    assert losses["kept"] == pytest.approx(losses["run"], abs=1e-5)
    assert losses["kept"][-1] < losses["kept"][0]


def test_a_stopped_run_resumes_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**QUICK, "checkpoint_steps": 5}

    def run(name: str) -> dict[str, torch.Tensor]:
        finetune(
            "image-classification",
            table(60),
            valid=table(20, 1),
            out=tmp_path / name,
            settings=settings,
            progress=False,
        )
        return load_file(tmp_path / name / "model.safetensors")

    whole = run("whole")
    seen = 0
    loss = task.cross_entropy

    def stopping(*arguments: Any, **looking: Any) -> Any:
        nonlocal seen
        seen += not looking  # at validation rows, which is no step
        if seen == 13:
            raise KeyboardInterrupt
        return loss(*arguments, **looking)

    monkeypatch.setattr(task, "cross_entropy", stopping)
    with pytest.raises(KeyboardInterrupt):
        run("stopped")
    assert {path.name for path in (tmp_path / "stopped/checkpoints").glob("checkpoint-*")} == {
        "checkpoint-5",
        "checkpoint-10",
    }
    again = run("stopped")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert 0 < seen - 13 <= 6  # it went on from step 10


def test_figures_of_a_set_in_parts_are_of_its_test_part(base: Path) -> None:
    model, parts = load(base), pd.concat([table(9, 3).assign(part="train"), table(7, 4).assign(part="test")])
    parts.loc[parts["part"] == "train", "label"] = "wrong"
    assert task.metrics(model, parts)["n"] == 7
    assert task.correct(model, parts).tolist() == task.correct(model, table(7, 4)).tolist()
    rows, held_out = task.split(pd.concat([parts, table(5, 5).assign(part="valid")]), 0)
    assert (len(rows), len(held_out)) == (9, 5)


def test_the_fingerprint_covers_the_pixels(tmp_path: Path) -> None:
    Image.fromarray(stripes(1)[0][0]).save(tmp_path / "a.png")
    rows = pd.DataFrame({"image": [tmp_path / "a.png"], "label": ["x"]})

    def told() -> dict[str, Any]:
        return fingerprint("image-classification", "full", [], Settings(), 0, (rows,))

    before = told()
    assert told() == before
    Image.fromarray(stripes(1, 9)[0][0]).save(tmp_path / "a.png")
    assert told() != before


def test_the_default_network_is_small() -> None:
    for side in (28, 64, 96):
        shape = task._shape([np.zeros((side, side), np.uint8)], Settings())
        net = built({"kind": "convnet", "widths": task._WIDTHS, **shape}, 10)
        assert sum(weight.numel() for weight in net.parameters()) <= 200_000
        assert net(torch.zeros(2, 1, side, side)).shape == (2, 10)


def test_the_plan_shows_every_row_once_an_epoch_and_looks_ten_times() -> None:
    epochs = shuffled(37, Settings(epochs=3, batch_rows=8), 0)
    for number, batches in enumerate(epochs):
        assert sorted(example - 37 * number for batch in batches for example in batch) == list(range(37))
        assert {len(batch) for batch in batches} == {7, 8}
    assert looks([5, 10, 15]) == [5, 10, 15]
    assert looks(ends([[[0]] * 5] * 20, 100, 2)) == [5, 10, 15, 20, 25, 30, 35, 40, 45, 50]
    assert looks(ends([[[0]] * 5] * 20, 7, 1))[-1] == 7


def test_odd_input_is_told(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def train(rows: pd.DataFrame, **options: Any) -> Any:
        options = {"valid": table(24, 1), "progress": True, "settings": {"epochs": 1}} | options
        return finetune("image-classification", rows, out=tmp_path / "model", **options)

    with pytest.raises(InputError, match="two classes"):
        train(table(20).assign(label="across"))
    Image.fromarray(stripes(1)[0][0]).save(tmp_path / "good.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    capsys.readouterr()
    with pytest.raises(InputError, match="two classes"):  # the other one has no picture that can be read
        train(
            pd.DataFrame({"image": [str(tmp_path / "good.png"), str(tmp_path / "cut.png")] * 2, "label": list("abab")})
        )
    assert re.search(r"note: 2 pictures cannot be read, left out .*cut\.png", capsys.readouterr().err)
    with pytest.raises(InputError, match="to start from"):
        train(table(20), method="top")
    with pytest.raises(ConfigError, match="top_layers"):
        train(table(20), method="top", model=str(base), settings={"top_layers": 9})
    with pytest.raises(ConfigError, match="image_size"):
        train(table(20), model=str(base), settings={"image_size": 64})
    mixed = table(20).drop(columns="label").assign(label=["a", "b"] * 10)
    mixed.at[0, "image"] = np.zeros((40, 9, 4), np.uint8)
    mixed.at[1, "image"] = np.zeros((3, 50, 3), np.uint8)
    mixed.at[2, "label"] = "once"
    done = train(mixed, valid=pd.DataFrame({"image": mixed["image"][:3], "label": ["a", "never", "b"]}))
    told = capsys.readouterr().err
    assert "held-out rows also stand in train: figures will flatter: 3 rows" in told
    assert "labels with one row only ('once')" in told
    assert done.metrics["per_class"]["never"]["recall"] == 0
    assert load(done.path).plan["channels"] == 3


def test_from_the_command_line(tmp_path: Path, cli: Callable[..., Any]) -> None:
    arrays: dict[str, Any] = {}
    for number, (part, rows) in enumerate({"train": 64, "val": 32, "test": 40}.items()):
        arrays[f"{part}_images"], labels = stripes(rows, number)
        arrays[f"{part}_labels"] = np.array([label == "down" for label in labels])[:, None].astype(int)
    np.savez(tmp_path / "set.npz", **arrays)
    train = ("train", "--task", "image-classification", "--train", tmp_path / "set.npz", "--map", "0=across,1=down")
    told = cli(*train, "--out", tmp_path / "model", "--set", "epochs=3", "--set", "batch_rows=16", "--json")
    assert told.code == 0, told.err
    assert told.json["n"] == 32
    assert "linear" in told.json["rivals"]
    found = cli(
        "evaluate", "--model", tmp_path / "model", "--data", tmp_path / "set.npz", "--map", "0=across,1=down", "--json"
    )
    assert found.json["n"] == 40
    assert found.json["auc"] >= 0.9
    given = cli(
        "predict",
        "--model",
        tmp_path / "model",
        "--data",
        tmp_path / "set.npz",
        "--out",
        tmp_path / "out.csv",
        "--json",
    )
    assert given.json["rows"] == 40
    Image.fromarray(arrays["test_images"][3]).save(tmp_path / "three.png")
    (tmp_path / "rows.csv").write_text("id,image\n7,three.png\n")
    assert (
        cli(
            "predict", "--model", tmp_path / "model", "--data", tmp_path / "rows.csv", "--out", tmp_path / "one.csv"
        ).code
        == 0
    )
    one, many = pd.read_csv(tmp_path / "one.csv"), pd.read_csv(tmp_path / "out.csv")
    assert list(one)[:3] == ["id", "image", "predicted"]
    assert one["p_down"][0] == pytest.approx(many["p_down"][3], abs=1e-5)
    (tmp_path / "rows.csv").write_text("image\ngone.png\n")
    gone = cli("predict", "--model", tmp_path / "model", "--data", tmp_path / "rows.csv", "--out", tmp_path / "one.csv")
    assert gone.code == 0, gone.err
    assert "gone.png" in gone.err
    assert "gone.png" in pd.read_csv(tmp_path / "one.csv")["unreadable"][0]


def test_class_weights_reach_the_loss() -> None:
    weights = class_weights(np.array([0] * 9 + [1]), ("a", "b"), "sqrt")
    reader = reading(torch.nn.Identity(), stripes(10)[0][..., None])
    made = task.problem(reader, torch.tensor([0] * 9 + [1]), weights, 0.0, None, 0)
    assert made.items(made.collate([8, 9])) == pytest.approx(float(weights[0] + weights[1]))
