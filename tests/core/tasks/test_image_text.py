"""Image and text: a task that neither part solves alone, a part that is missing, odd rows, reload, the loss scale."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import fieldtune
from fieldtune.errors import InputError
from fieldtune.models.convnet import Still
from fieldtune.models.image_text import Fusion
from fieldtune.tasks import image_text, task_module
from fieldtune.train.fit import fit
from fieldtune.train.settings import Settings

WORDS = {0: "card lost", 1: "refund order"}


def world(count: int, seed: int, *, either: bool) -> pd.DataFrame:
    """Rows whose label is the exclusive or of what picture and text say, or, with ``either``, what both say."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        left, right = (int(bit) for bit in rng.integers(0, 2, 2))
        right = left if either else right
        picture = rng.integers(0, 60, (12, 12)).astype(np.uint8)
        picture[:, :6] += np.uint8(180 * left)
        rows.append(
            (picture, f"{WORDS[right]} {'abcdefgh'[rng.integers(8)]}", ["no", "yes"][left if either else left ^ right])
        )
    return pd.DataFrame(rows, columns=["image", "text", "label"])


def trained(
    table: pd.DataFrame, encoder: Path, out: Path, method: str = "full", epochs: int = 12
) -> fieldtune.Finetuned:
    return fieldtune.finetune(
        "image-text", table, valid=table.iloc[:40], model=str(encoder), method=method, out=out, progress=False,
        settings={"epochs": epochs, "label_smoothing": 0.0}, apart=False,
    )  # fmt: skip


def test_both_together_solve_what_neither_does_alone(tiny_encoder: Path, tmp_path: Path) -> None:
    table, test = world(320, 0, either=False), world(80, 1, either=False)
    found = {
        method: image_text.metrics(
            fieldtune.load(trained(table, tiny_encoder, tmp_path / method, method, 16).path), test
        )
        for method in image_text.METHODS
    }
    assert found["full"]["accuracy"] >= 0.95
    assert max(found["text"]["accuracy"], found["image"]["accuracy"]) <= 0.65


def test_without_one_part_it_is_as_good_as_the_other_alone(tiny_encoder: Path, tmp_path: Path) -> None:
    table, test = world(120, 2, either=True), world(60, 3, either=True)
    model = fieldtune.load(trained(table, tiny_encoder, tmp_path / "full").path)
    found = image_text.metrics(model, test)
    assert found["without"] == {"image": pytest.approx(1.0, abs=0.05), "text": pytest.approx(1.0, abs=0.05)}
    model.threshold = 2.0  # everything is turned away, which is no answer where rows are in scope
    mixed = pd.concat([test, test.assign(label="oos")], ignore_index=True)
    assert image_text.metrics(model, mixed)["without"] == found["without"]
    again = fieldtune.load(tmp_path / "full")
    items = [(test["image"][0], ""), (None, test["text"][1]), (None, ""), (test["image"][2], test["text"][2])]
    np.testing.assert_array_equal(again.logits(items), model.logits(items))
    np.testing.assert_allclose(model.logits(items), np.concatenate([model.logits([item]) for item in items]), atol=1e-4)
    missing = [(test["image"][0], None), ("", test["text"][1]), ("", None), items[3]]
    np.testing.assert_array_equal(model.logits(missing), model.logits(items))
    assert model.logits([]).shape == (0, 2)
    with pytest.raises(InputError, match="pairs of a picture"):
        model.logits(["card"])


@pytest.mark.parametrize("micro", [2, 4])
def test_k_micro_batches_equal_one_batch(tmp_path: Path, micro: int) -> None:
    rng = np.random.default_rng(0)
    there = np.asarray([[1, 1], [1, 0], [0, 1], [1, 1]] * 3, dtype=np.float32)
    pixels, vectors = rng.integers(0, 255, (12, 8, 8, 1)).astype(np.uint8), rng.normal(size=(12, 6)).astype(np.float32)
    cuts = {2: [(0, 5), (5, 12)], 4: [(0, 1), (1, 4), (4, 6), (6, 12)]}[micro]
    weights = []
    for name, plan in (("one", [list(range(12))]), ("many", [list(range(*cut)) for cut in cuts])):
        torch.manual_seed(0)
        net = Fusion(1, [1, 2, 2], 6, 3)
        made = image_text.problem(pixels, vectors, there, np.arange(12) % 3, torch.tensor([0.5, 1.0, 2.0]), "full", 0.1)
        fit(
            Still(net), made, plan, Settings(accumulate=len(plan), warmup=0.0), folder=tmp_path / name,
            optimizer=torch.optim.SGD(net.parameters(), lr=0.1), seed=0, dtype=torch.float32, description="", show=False,
        )  # fmt: skip
        weights.append([weight.detach().clone() for weight in net.parameters()])
    assert max((a - b).abs().max() for a, b in zip(*weights, strict=True)) <= 1e-6


def test_the_commands_read_pictures_beside_the_table_and_rows_without_one(
    cli: Any, tiny_encoder: Path, tmp_path: Path
) -> None:
    table = world(40, 4, either=True)
    for row, picture in enumerate(table["image"]):
        Image.fromarray(picture).convert(["L", "RGB", "RGBA", "P"][row % 4]).save(tmp_path / f"{row}.png")
    rows = table.assign(image=[f"{row}.png" for row in range(40)])
    rows.loc[:3, "image"] = ""
    rows.loc[4:7, "text"] = ""
    rows.loc[8, ["image", "text"]] = ""
    rows.to_csv(tmp_path / "t.csv", index=False)
    ran = cli(
        "train", "--task", "image-text", "--train", tmp_path / "t.csv", "--model", tiny_encoder, "--out", tmp_path / "m",
        "--set", "epochs=2", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "1 of 40 rows with neither picture nor text left out" in ran.err
    assert set(ran.json["rivals"]) == {"text", "image"}
    ran = cli("predict", "--model", tmp_path / "m", "--data", tmp_path / "t.csv", "--out", tmp_path / "p.csv", "--json")
    assert ran.code == 0, ran.err
    assert len(pd.read_csv(tmp_path / "p.csv")) == 40


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for rows, message in (
        ({"image": ["gone.png"], "text": ["a"], "label": ["x"]}, "nothing at .*gone.png"),
        ({"image": [""], "text": [" "], "label": ["x"]}, "pictures or texts"),
        ({"image": [""], "text": ["a"], "label": [""]}, "a label on every row"),
    ):
        pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
        with pytest.raises(InputError, match=message):
            image_text.read(tmp_path / "t.csv")
    with pytest.raises(InputError, match="the columns headline; found image, text, label"):
        task_module("image-text").read_inputs(tmp_path / "t.csv", {"text": "headline"})  # type: ignore[misc]
