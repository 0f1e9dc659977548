"""Foreign items are told from those of the classes: the score, what it stands on, and where it is kept."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score

import fieldtune
from fieldtune.errors import ArtefactError
from fieldtune.models.folder import staged
from fieldtune.models.scope import SOFTER, Scope, Signs, score
from fieldtune.runtime import generator
from fieldtune.tasks import text_classification
from fieldtune.train.anchors import LOOKED_AT, MEANS, anchors, looked_at


def test_the_score_is_three_signs_multiplied() -> None:
    rng = generator(0)
    logits = rng.normal(scale=5, size=(50, 7)).astype(np.float32)
    vectors = rng.normal(size=(50, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept, foreign = vectors[:4], rng.normal(size=4).astype(np.float32)
    own = 1 - softmax(np.column_stack([logsumexp(logits, axis=1), vectors @ foreign[:3] + foreign[3]]), axis=1)[:, 1]
    close = np.maximum((vectors @ kept.T).max(axis=1), 0)
    wanted = softmax(logits / (SOFTER * 1.7), axis=1).max(axis=1) * close * own
    np.testing.assert_allclose(score(Scope(kept, foreign).read(vectors, logits), 1.7), wanted, rtol=1e-4, atol=1e-6)
    alone = score(Signs.bare(logits), 1.7)
    np.testing.assert_allclose(alone, softmax(logits / (SOFTER * 1.7), axis=1).max(axis=1), rtol=1e-5)


def test_a_score_of_any_logits_is_a_number_from_0_to_1() -> None:
    logits = np.array([[1e4, -1e4], [-1e4, -1e4], [0, 0]], dtype=np.float32)
    for foreign in (-np.inf, -1e4, 0.0, 1e4):
        found = score(Signs(logits, np.ones(3, np.float32), np.full(3, foreign, np.float32)), 0.02)
        assert ((found >= 0) & (found <= 1)).all()


def test_anchors_stand_in_the_middle_of_what_a_class_says() -> None:
    rng = generator(1)
    centres = np.eye(6, dtype=np.float32)
    rows = np.repeat(centres, 12, axis=0) + rng.normal(scale=0.02, size=(72, 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = anchors(rows, np.repeat([0, 0, 0, 1, 1, 1], 12).astype(np.int64), seed=0)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert ((rows @ found.T).max(axis=1) > 0.99).all()
    few = anchors(rows[:6], np.zeros(6, dtype=np.int64), seed=0)  # too few rows for a second anchor: none is a row
    assert len(few) == 1 and not (rows[:6] @ few.T > 1 - 1e-6).any()
    assert len(found) <= 2 * MEANS


@pytest.mark.parametrize("rows", [8, 12, 16, 40, 100])
def test_no_anchor_is_a_row_not_even_of_one_that_lies_apart(rows: int) -> None:
    rng = generator(rows)
    vectors = rng.normal(size=(rows, 24)).astype(np.float32)
    vectors[: rows // 8] += 20 * np.eye(24, dtype=np.float32)[: rows // 8]  # each alone, far from all others
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = anchors(vectors, np.zeros(rows, dtype=np.int64), seed=0)
    assert 1 <= len(found) <= MEANS
    assert (vectors @ found.T).max() < 1 - 1e-3


def test_a_row_that_comes_often_is_no_anchor() -> None:
    vectors = generator(3).normal(size=(12, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    often = np.concatenate([vectors, np.repeat(vectors[:1], 20, axis=0)])
    for seed in range(4):
        assert (vectors @ anchors(often, np.zeros(32, dtype=np.int64), seed=seed).T).max() < 1 - 1e-3


def test_anchors_of_equal_rows_and_of_many() -> None:
    same = np.tile(np.eye(1, 5, dtype=np.float32), (40, 1))
    assert anchors(same, np.zeros(40, dtype=np.int64), seed=0).shape == (1, 5)
    targets = np.repeat([0, 1], [3 * LOOKED_AT, 7]).astype(np.int64)
    rows = looked_at(targets, seed=0)
    assert np.bincount(targets[rows]).tolist() == [LOOKED_AT, 7] and (np.diff(rows) > 0).all()


ROWS = pd.DataFrame(
    [(f"{verb} my {thing} {number}", thing) for thing in ("card", "order") for verb in ("lost", "find") for number in range(8)]
    + [(f"{verb} the {thing} {number}", "oos") for thing in ("goat", "violin") for verb in ("sing", "find") for number in range(6)],
    columns=["text", "label"],
)  # fmt: skip
ASKED = pd.DataFrame(
    [(f"please find my {thing} {number}", thing) for thing in ("card", "order") for number in range(9)]
    + [(f"please find the {thing} {number}", "oos") for thing in ("goat", "violin", "piano") for number in range(5)],
    columns=["text", "label"],
)


@pytest.mark.parametrize(("method", "settings"), [("linear", {}), ("head", {}), ("full", {"max_steps": 3})])
def test_foreign_rows_teach_what_belongs_to_no_class(
    method: str, settings: dict[str, int], tiny_encoder: Path, tmp_path: Path
) -> None:
    found = {}
    for name, rows in (("with", ROWS), ("without", ROWS[ROWS["label"] != "oos"])):
        done = fieldtune.finetune(
            "text-classification", rows.reset_index(drop=True), method=method, model=str(tiny_encoder),
            out=tmp_path / name, settings=settings, progress=False,
        )  # fmt: skip
        model = fieldtune.load(done.path)
        assert model.labels == ("card", "order") and (model.scope.foreign is not None) == (name == "with")
        assert (model.scope.anchors is None) == (method == "linear")
        told = fieldtune.predict(model, ASKED)
        assert "p_oos" not in told and told["predicted"].isin(model.labels).all()
        figures = fieldtune.measure(model, ASKED)["in_scope"]
        assert figures["auroc"] == pytest.approx(roc_auc_score(ASKED["label"] != "oos", told["in_scope_score"]))
        found[name] = figures["auroc"]
    assert found["with"] > 0.9 and found["with"] > found["without"] - 0.02


@pytest.mark.parametrize("name", ["anchors", "foreign"])
def test_what_does_not_fit_the_vectors_is_refused(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    done = fieldtune.finetune(
        "text-classification", ROWS, method="head", model=str(tiny_encoder), out=tmp_path / "m", progress=False
    )
    tensors = load_file(done.path / "head.safetensors")
    with staged(tmp_path / "cut") as folder:
        shutil.copytree(done.path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("MANIFEST.json"))
        save_file({**tensors, name: np.ascontiguousarray(tensors[name][..., :-1])}, folder / "head.safetensors")
    with pytest.raises(ArtefactError, match="features"):
        fieldtune.load(tmp_path / "cut")


def test_a_model_of_all_rows_tells_foreign_texts_by_what_was_measured(tiny_encoder: Path, tmp_path: Path) -> None:
    def trained(rows: pd.DataFrame, name: str) -> Any:
        given = {"method": "head", "model": str(tiny_encoder), "out": tmp_path / name, "progress": False}
        return fieldtune.load(fieldtune.finetune("text-classification", rows, **given).path)

    measured, model = trained(ROWS[ROWS["label"] != "oos"].reset_index(drop=True), "measured"), trained(ROWS, "all")
    assert model.scope.foreign is not None
    text_classification.adopt(model, measured)
    assert model.scope.foreign is None and model.threshold == measured.threshold
