"""The two detectors' losses against numpy and transformers, and what they are asked to say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForObjectDetection, YolosConfig, YolosForObjectDetection

from fieldtune.errors import ArtefactError
from fieldtune.evaluate.detection import giou
from fieldtune.models.anchor_free import AnchorFree, assigned, focal, paired_giou
from fieldtune.models.convnet import seeded
from fieldtune.models.detector import loaded
from fieldtune.models.set_predictor import SetPredictor, corners

SIZE = (112, 128)
BOXES = [
    np.array([[4.0, 4, 12, 14], [20, 2, 46, 30], [21, 3, 30, 12], [20, 2, 120, 110]]),
    np.zeros((0, 4)),
    np.array([[0.0, 0, 3, 3]]),
]
CLASSES = [np.array([0, 1, 0, 1]), np.zeros(0, np.int64), np.array([2])]


def small() -> AnchorFree:
    return seeded(0, AnchorFree, 3, [4, 6, 8, 8], 8)


def test_giou_is_the_one_of_the_figures() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 9, (2, 20, 2))
    first, second = np.concatenate([corner, corner + rng.uniform(0.5, 6, (2, 20, 2))], axis=2)
    found = paired_giou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    assert found == pytest.approx(np.diag(giou(first, second)))


def test_the_loss_of_our_detector_is_that_of_its_papers() -> None:
    net = small().eval()
    pictures = torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    batch = {"pictures": pictures, **net.targets(BOXES, CLASSES, SIZE)}
    outputs = net(pictures)
    logits, boxes = (value.detach().double().numpy() for value in outputs)
    class_loss = l1 = overlap = 0.0
    strides = [8] * 224 + [16] * 56
    for picture in range(3):
        for place in range(280):
            wanted = int(batch["classes"][picture, place])
            for name in range(3):
                p = 1 / (1 + np.exp(-logits[picture, place, name]))
                class_loss -= 0.25 * (1 - p) ** 2 * np.log(p) if name == wanted else 0.75 * p**2 * np.log(1 - p)
            if wanted >= 0:
                given, true = boxes[picture, place], batch["boxes"][picture, place].double().numpy()
                l1 += 0.2 * np.abs(given - true).mean() / strides[place]
                overlap += 2.0 * (1 - giou([given], [true])[0, 0])
    found = {name: float(value.detach()) for name, value in net.terms(outputs, batch).items()}
    wanted_terms = {"class": class_loss, "l1": l1, "giou": overlap}
    assert found == pytest.approx(wanted_terms, rel=1e-5)
    assert net.items(batch) == max(1, int((batch["classes"][0] >= 0).sum())) + 1 + int((batch["classes"][2] >= 0).sum())


def test_every_box_has_a_place_and_the_smaller_one_goes_first() -> None:
    found = assigned(BOXES[0], SIZE)
    assert set(found[:224][found[:224] >= 0]) == {0, 1, 2}
    assert set(found[224:][found[224:] >= 0]) == {3}  # only the large one is on the coarse map
    fine = found[:224].reshape(14, 16)
    assert fine[0, 3] == 2  # the place at (28, 4) lies in two boxes
    assert (assigned(np.zeros((0, 4)), SIZE) == -1).all()
    assert (assigned(BOXES[2], SIZE) == 0).sum() == 1


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    logits = torch.zeros(4, 3)
    assert float(focal(logits, torch.ones(4, 3))) == pytest.approx(12 * 0.25 * 0.25 * np.log(2), rel=1e-6)


def yolos(**changes: Any) -> YolosConfig:
    return YolosConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=list(SIZE),
        patch_size=16, num_detection_tokens=6, num_labels=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        **changes,
    )  # fmt: skip


def test_the_loss_of_yolos_is_that_of_transformers() -> None:
    torch.manual_seed(0)
    inner = YolosForObjectDetection(yolos()).eval()
    net = SetPredictor(inner)
    pictures = torch.rand(3, 3, *SIZE)
    batch = {"pictures": pictures, **net.targets(BOXES, CLASSES, SIZE)}
    labels = [
        {"class_labels": classes[classes >= 0], "boxes": boxes[classes >= 0]}
        for classes, boxes in zip(batch["classes"], batch["boxes"], strict=True)
    ]
    told = inner(pixel_values=(pictures - net.mean) / net.spread, labels=labels).loss_dict
    theirs = {name: float(value.detach()) for name, value in told.items()}
    outputs = net(pictures)
    ours = {name: float(value.detach()) for name, value in net.terms(outputs, batch).items()}
    true = sum(map(len, BOXES))  # they average: boxes over all boxes, classes over their weights
    weight = true + 0.1 * (3 * 6 - true)
    assert ours["l1"] / 5 / true == pytest.approx(theirs["loss_bbox"], rel=1e-5)
    assert ours["giou"] / 2 / true == pytest.approx(theirs["loss_giou"], rel=1e-5)
    assert ours["class"] / weight == pytest.approx(theirs["loss_ce"], rel=1e-5)
    assert corners(batch["boxes"][0]).numpy() * [128, 112, 128, 112] == pytest.approx(BOXES[0], abs=1e-4)


def test_only_harmless_detectors_are_loaded(tmp_path: Path) -> None:
    yolos(auto_map={"AutoModel": "mine.Model"}).save_pretrained(tmp_path / "code")
    with pytest.raises(ArtefactError, match="yolos"):
        loaded(tmp_path / "code", ["a"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ArtefactError, match="bert"):
        loaded(tmp_path / "other", ["a"])
    (tmp_path / "other/config.json").write_text('{"model_type": "detr", "use_timm_backbone": true, "backbone": "x"}')
    with pytest.raises(ArtefactError, match="backbone"):
        loaded(tmp_path / "other", ["a"])


def test_a_detector_trained_for_other_labels_keeps_its_body(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = YolosForObjectDetection(yolos())
    first.save_pretrained(tmp_path)
    assert isinstance(AutoModelForObjectDetection.from_pretrained(tmp_path), YolosForObjectDetection)
    net = loaded(tmp_path, ["a", "b", "c", "d"])
    assert net.inner.config.num_labels == 4
    weights = dict(first.named_parameters())
    same = [name for name, value in net.inner.named_parameters() if torch.equal(value, weights[name])]
    assert len(same) == len(weights) - 2  # all but weight and bias of the layer that names classes
