"""Object detection: loss scale, overfitting and reload of both kinds of network, odd input, the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import DetrConfig, ResNetConfig, YolosConfig

from fieldtune.errors import ArtefactError, InputError
from fieldtune.models import load
from fieldtune.models.anchor_free import AnchorFree
from fieldtune.models.convnet import Still, seeded
from fieldtune.models.detector import loaded
from fieldtune.pipeline import finetune
from fieldtune.tasks import object_detection as task
from fieldtune.train.fit import fit
from fieldtune.train.settings import Settings

SIDE = 64


def shapes(rows: int, seed: int = 0) -> pd.DataFrame:
    """Bright squares and dark bars on grey noise."""
    rng = np.random.default_rng(seed)
    pictures, boxes = [], []
    for _ in range(rows):
        picture = rng.integers(90, 150, (SIDE, SIDE, 3), dtype=np.uint8)
        own = []
        for corner in rng.permutation([(2, 2), (34, 4), (4, 36), (36, 34)])[: rng.integers(1, 4)]:
            label = str(rng.choice(["square", "bar"]))
            x0, y0 = (corner + rng.integers(0, 4, 2)).tolist()
            x1, y1 = (x0 + 20, y0 + 20) if label == "square" else (x0 + 24, y0 + 10)
            picture[y0:y1, x0:x1] = 240 if label == "square" else 20
            own.append({"label": label, "box": [x0, y0, x1, y1]})
        pictures.append(picture)
        boxes.append(own)
    return pd.DataFrame({"image": pd.Series(pictures, dtype=object), "boxes": pd.Series(boxes, dtype=object)})


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that learns in seconds."""
    monkeypatch.setattr(task, "_WIDTHS", (8, 12, 16, 16))
    monkeypatch.setattr(task, "_NECK", 16)


def yolos(folder: Path) -> Path:
    """A folder that holds a config only."""
    YolosConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=[SIDE, SIDE],
        patch_size=16, num_detection_tokens=6, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        initializer_range=0.15,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def detr(folder: Path) -> Path:
    DetrConfig(
        use_timm_backbone=False, backbone=None, use_pretrained_backbone=False,
        backbone_config=ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 1, 1], layer_type="basic", out_features=["stage4"]
        ),
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=5, dropout=0.0,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def network(kind: str, folder: Path) -> Any:
    torch.manual_seed(0)
    if kind == "anchor-free":
        return seeded(1, AnchorFree, 2, (4, 6, 8, 8), 8)
    net = loaded(yolos(folder) if kind == "yolos" else detr(folder), ["bar", "square"])
    if kind == "yolos":  # all its queries start as zeros: which one is given which box would be for rounding to decide
        torch.nn.init.normal_(net.get_parameter("inner.vit.embeddings.detection_tokens"))
    return net


def sgd(kind: str, plan: list[list[int]], accumulate: int, folder: Path) -> tuple[Any, Any]:
    net, start = network(kind, folder / "config"), network(kind, folder / "config")
    rows = shapes(6)
    rows.at[2, "boxes"] = []
    pictures, samples = task._samples(rows, ("bar", "square"), (SIDE, SIDE))
    fit(
        Still(net), task.problem(net, pictures, samples, task.CHANGE, 0), plan,
        Settings(accumulate=accumulate, warmup=0.0), folder=folder / str(accumulate),
        optimizer=torch.optim.SGD(net.parameters(), lr=0.01), seed=0, dtype=torch.float32, description="", show=False,
    )  # fmt: skip
    return net, start


@pytest.mark.parametrize("kind", ["anchor-free", "yolos", "detr"])
def test_k_micro_batches_equal_one_batch(tmp_path: Path, kind: str) -> None:
    whole = [list(range(6)), list(range(6, 12))]
    parts = [batch[start:end] for batch in whole for start, end in [(0, 1), (1, 4), (4, 6)]]
    one, start = sgd(kind, whole, 1, tmp_path)
    many, _ = sgd(kind, parts, 3, tmp_path)
    assert max((a - b).abs().max() for a, b in zip(one.parameters(), start.parameters(), strict=True)) > 1e-4
    assert max((a - b).abs().max() for a, b in zip(one.parameters(), many.parameters(), strict=True)) <= 1e-6


@pytest.mark.usefixtures("narrow")
def test_our_detector_learns_shapes_and_answers_the_same_after_reload(tmp_path: Path) -> None:
    settings = {"epochs": 14, "head_learning_rate": 0.01, "batch_rows": 8}
    done = finetune(
        "object-detection", shapes(64), valid=shapes(16, 1), out=tmp_path / "model", settings=settings, progress=False
    )
    assert done.metrics["map50"] >= 0.8
    model, test = load(done.path), shapes(12, 2)
    found = task.metrics(model, test)
    assert found["map50"] >= 0.7
    assert set(found["per_class"]) == {"bar", "square"}
    assert task.correct(model, test).mean() >= 0.7
    given = task.predict(model, test)["boxes"]
    again = task.predict(load(done.path), test)["boxes"]
    assert given.tolist() == again.tolist()
    best = given[0][0]
    assert set(best) == {"label", "score", "box"}
    wide = test["image"][0].repeat(3, axis=1)  # the same picture three times as wide: boxes are in its own pixels
    stretched = task.predict(model, pd.DataFrame({"image": [wide]}))["boxes"][0][0]
    assert stretched["box"] == pytest.approx(np.array(best["box"]) * [3, 1, 3, 1], abs=1.5)


def test_yolos_overfits_and_reloads(tmp_path: Path) -> None:
    rows = shapes(2, 3)
    settings = {"epochs": 80, "learning_rate": 3e-3, "batch_rows": 2, "augment": False, "weight_decay": 0.0}
    done = finetune(
        "object-detection", rows, valid=rows, model=str(yolos(tmp_path / "start")), out=tmp_path / "model",
        settings=settings, progress=False,
    )  # fmt: skip
    assert done.metrics["map50"] >= 0.9
    model = load(done.path)
    assert task.metrics(model, rows)["map50"] == pytest.approx(done.metrics["map50"])
    assert model.canvas == (SIDE, SIDE)
    names = {file.name for file in done.path.iterdir()}
    assert {"config.json", "model.safetensors", "fieldtune.json", "MANIFEST.json"} <= names
    on = finetune(
        "object-detection", rows, valid=rows, model=str(done.path), out=tmp_path / "on",
        settings={"epochs": 1, "learning_rate": 1e-5, "augment": False}, progress=False,
    )  # fmt: skip
    assert on.metrics["map50"] >= 0.8  # it went on from there


@pytest.mark.usefixtures("narrow")
def test_odd_input_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def train(rows: pd.DataFrame, valid: pd.DataFrame, **options: Any) -> Any:
        options = {"settings": {"epochs": 1, "batch_rows": 4}, "out": tmp_path / "model"} | options
        return finetune("object-detection", rows, valid=valid, progress=True, **options)

    none = shapes(3)
    none["boxes"] = [[], [], []]
    with pytest.raises(InputError, match="no picture has a box"):
        train(none, shapes(2))
    with pytest.raises(InputError, match="true box"):
        train(shapes(3), none)
    with pytest.raises(InputError, match="nothing at"):
        train(shapes(3), shapes(2), model=str(tmp_path / "gone"))
    mixed = shapes(8)
    mixed.at[0, "boxes"] = []
    mixed.at[1, "boxes"] = [{"label": "once", "box": [-5, -5, 200, 30]}, {"label": "bar", "box": [3, 3, 3, 9]}]
    mixed.at[2, "image"] = np.zeros((30, 90), np.uint8)
    valid = shapes(4, 1)
    valid.at[0, "boxes"] = [{"label": "never", "box": [1, 1, 9, 9]}]
    done = train(mixed, valid)
    told = capsys.readouterr().err
    for part in (
        "1 boxes without area",
        "boxes that reach beyond",
        "labels with one box only: once",
        "does not know: never",
    ):
        assert part in told
    assert done.metrics["per_class"]["never"]["ap50"] == 0
    with pytest.raises(InputError, match="the labels of"):
        train(shapes(6), shapes(2), model=str(done.path), out=tmp_path / "other")
    (done.path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ArtefactError):
        load(done.path)


@pytest.mark.usefixtures("narrow")
def test_from_the_command_line(tmp_path: Path, cli: Callable[..., Any]) -> None:
    told: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "square"}, {"id": 2, "name": "bar"}],
    }
    rows = shapes(20)
    for number, (picture, boxes) in enumerate(zip(rows["image"], rows["boxes"], strict=True)):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
        told["images"].append({"id": number, "file_name": f"{number}.png"})
        for entry in boxes:
            (x0, y0, x1, y1), kind = entry["box"], 1 if entry["label"] == "square" else 2
            told["annotations"].append({"image_id": number, "category_id": kind, "bbox": [x0, y0, x1 - x0, y1 - y0]})
    (tmp_path / "set.json").write_text(json.dumps(told))
    trained = cli(
        "train", "--task", "object-detection", "--train", tmp_path / "set.json", "--out", tmp_path / "model",
        "--set", "epochs=2", "--set", "batch_rows=4", "--json",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert {"map50", "map", "n"} <= set(trained.json)
    found = cli("evaluate", "--model", tmp_path / "model", "--data", tmp_path / "set.json", "--json")
    assert found.json["n"] == 20
    given = cli(
        "predict", "--model", tmp_path / "model", "--data", tmp_path / "set.json", "--out", tmp_path / "out.csv"
    )
    assert given.code == 0, given.err
    written = pd.read_csv(tmp_path / "out.csv")
    assert list(written) == ["image", "boxes"]
    assert all(isinstance(json.loads(cell), list) for cell in written["boxes"])
    assert cli("evaluate", "--model", tmp_path / "model", "--data", tmp_path / "out.csv", "--json").code in (0, 1)
    assert set(load_file(tmp_path / "model/model.safetensors"))
