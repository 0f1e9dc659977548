"""Few-shot tuning: the loss against its definition written out, the batches against what they promise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import fieldtune
from fieldtune.tasks import few
from fieldtune.text.names import readable
from fieldtune.train.fewshot import (
    LEAST_WAY,
    MASKED,
    batches,
    mask_of,
    masked,
    softness,
    supervised_contrastive,
    told_apart,
    tune_contrastive,
    way_of,
)
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import trainable


def written_out(vectors: np.ndarray, targets: list[int], temperature: float) -> float:
    """Equation 2 of Khosla et al. 2020, word by word."""
    total = 0.0
    for i in range(len(targets)):
        positives = [p for p in range(len(targets)) if p != i and targets[p] == targets[i]]
        others = sum(np.exp(vectors[i] @ vectors[a] / temperature) for a in range(len(targets)) if a != i)
        for p in positives:
            total -= np.log(np.exp(vectors[i] @ vectors[p] / temperature) / others) / len(positives)
    return total


def test_the_loss_is_the_published_one() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(7, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    targets = [0, 1, 0, 2, 1, 0, 3]  # 2 and 3 stand alone
    found = supervised_contrastive(torch.from_numpy(vectors), torch.tensor(targets), 0.2)
    assert found.item() == pytest.approx(written_out(vectors, targets, 0.2), rel=1e-6)


def test_a_lone_row_gives_no_broken_gradient() -> None:
    vectors = torch.eye(3, requires_grad=True)
    supervised_contrastive(vectors, torch.tensor([0, 1, 2]), 0.05).backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_batches_hold_rows_of_a_class_with_its_name_and_grow_with_classes_not_with_rows() -> None:
    rng = np.random.default_rng(0)
    targets = np.concatenate([np.repeat(np.arange(50), 800), np.arange(40)])  # 40,000 rows; ten classes have no name
    plan = batches(targets, 40_000, 150, 0, rng)
    assert len(plan) == 60
    assert sum(map(len, plan)) < 60 * 160
    for batch in plan:
        texts = [row for row in batch if row < 40_000]
        assert len(set(batch)) == len(batch)
        assert (np.bincount(targets[texts], minlength=50)[np.unique(targets[texts])] == 2).all()
        assert {row - 40_000 for row in batch if row >= 40_000} == {c for c in targets[texts].tolist() if c < 40}
    few = batches(np.array([0, 0, 1, 1, 1, 2]), 6, 64, 0, rng)
    assert len(few) == 24
    assert all(sorted(batch) == [0, 1, 2, 3, 4, 5] for batch in few)
    assert len(batches(targets, 40_000, 150, 7, rng)) == 7
    assert len(batches(np.arange(100) % 4, 100, 64, 0, rng)) == 40


def test_few_classes_are_told_apart_softly_and_many_by_their_nearest() -> None:
    found = [softness(classes) for classes in (2, 5, 10, 30, 150)]
    assert found == pytest.approx([0.3, 0.3, 0.15, 0.05, 0.01])


def test_masking_keeps_the_ends_and_hides_the_share_it_names(tiny_encoder: Path) -> None:
    encoder, rng = trainable(tiny_encoder, "full", Settings()), np.random.default_rng(0)
    ids = [2, *range(5, 205), 3]
    drawn = [masked(encoder, ids, 0.3, rng) for _ in range(20)]
    assert {(one[0], one[-1], len(one)) for one in drawn} == {(2, 3, 202)}
    assert np.mean([one.count(encoder.tokenizer.mask_token_id) / 200 for one in drawn]) == pytest.approx(0.3, abs=0.03)
    assert all(one[place] in (ids[place], 4) for one in drawn for place in range(202))
    assert masked(encoder, ids, 0.0, rng) == ids


def left_out(vectors: np.ndarray, targets: np.ndarray) -> float:
    """The share of rows nearest to the mean of their class when each is left out of it, row by row."""
    right = []
    for row in range(len(targets)):
        rest = np.arange(len(targets)) != row
        if not (targets[rest] == targets[row]).any():
            continue
        means = {one: vectors[rest & (targets == one)].mean(axis=0) for one in set(targets[rest].tolist())}
        near = max(means, key=lambda one: vectors[row] @ means[one] / np.linalg.norm(means[one]))
        right.append(near == targets[row])
    return float(np.mean(right))


def test_what_the_encoder_knows_is_what_leaving_each_row_out_says() -> None:
    rng = np.random.default_rng(0)
    targets, shares = np.repeat(np.arange(12), 5)[:-4], []  # the last class has one row, which tells nothing
    for spread in np.linspace(0, 4, 60):
        vectors = np.eye(12, 24)[targets] + spread * rng.normal(size=(len(targets), 24)) / 2
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        shares.append(left_out(vectors, targets))
        assert told_apart(vectors, targets) == pytest.approx(shares[-1], abs=1e-6)
    assert min(shares) < 0.65
    assert max(shares) == 1
    assert told_apart(np.eye(3, dtype=np.float32), np.arange(3)) is None
    assert (way_of(None), mask_of(None)) == (1, 0)


def test_the_way_gets_shorter_and_more_is_masked_as_the_classes_lie_apart_already() -> None:
    assert [way_of(told) for told in (0.0, 0.65, 0.7, 0.75, 1.0)] == pytest.approx([1, 1, 0.8, LEAST_WAY, LEAST_WAY])
    assert [mask_of(told) for told in (0.0, 0.65, 0.7, 0.75, 1.0)] == pytest.approx([0, 0, 0.15, MASKED, MASKED])


def test_the_weights_end_on_the_straight_line_to_where_training_ends(tiny_encoder: Path, tmp_path: Path) -> None:
    texts, targets = ["my card is lost", "the card", "refund my order", "refund"], np.array([0, 0, 1, 1])
    found = []
    for way in (0.0, 0.5, 1.0):
        encoder = trainable(tiny_encoder, "full", Settings())
        tune_contrastive(
            encoder, texts, targets, {}, Settings(max_steps=3, learning_rate=1e-2), way=way, mask=0.0, seed=0,
            folder=tmp_path / str(way), show=False,
        )  # fmt: skip
        found.append(encoder.body.state_dict())
    before = trainable(tiny_encoder, "full", Settings()).body.state_dict()
    assert all(torch.equal(before[name], found[0][name]) for name in before)
    assert any((found[2][name] - before[name]).abs().max() > 1e-3 for name in before)
    for name in before:
        torch.testing.assert_close(found[1][name], (before[name] + found[2][name]) / 2)


def test_what_it_knows_is_told_by_the_frozen_vectors_and_each_text_counts_once(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: pd.DataFrame
) -> None:
    ways: list[tuple[float, float]] = []
    monkeypatch.setattr(few, "tune_contrastive", lambda *_, way, mask, **__: ways.append((way, mask)))
    mixed = np.random.default_rng(0).permutation(list("abcdefghijklmnopqr")).tolist()  # a row each tells nothing
    for texts, named in ((rows["text"].tolist(), rows["label"].tolist()), (rows["text"].tolist(), mixed)):
        labels = tuple(sorted(set(named)))
        targets = np.array([labels.index(name) for name in named])
        for times in (1, 2):
            given = few.Rows(texts * times, np.tile(targets, times), labels)
            few.train(given, "fewshot", str(tiny_encoder), Settings(), seed=0, folder=tmp_path, show=False)
        vectors = fieldtune.load_encoder(tiny_encoder, Settings().max_length).encode(texts)
        told = told_apart(vectors, targets)
        assert ways[-2:] == [(way_of(told), mask_of(told))] * 2
    assert ways[0][0] < ways[2][0] == 1
    assert ways[0][1] > ways[2][1] == 0


def test_names_that_are_words() -> None:
    told = {"card_arrival": "card arrival", "Refund-Status": "refund status", "cardArrival": "card arrival",
            "退款 查询": "退款 查询", "17": "", "B2": "", "c_1": "", "??": "", "": ""}  # fmt: skip
    assert {label: readable(label) for label in told} == told


@pytest.fixture
def rows() -> pd.DataFrame:
    words = {"card lost": "card", "refund": "refund", "transfer": "transfer"}
    told = [(f"my {word} {number} {tail}", label) for label, word in words.items()
            for number, tail in enumerate(["is", "to account", "how", "order the", "cancel", "account my"])]  # fmt: skip
    return pd.DataFrame(told, columns=["text", "label"])


def test_few_rows_train_from_the_command_line_and_the_model_loads_again(
    tiny_encoder: Path, tmp_path: Path, rows: pd.DataFrame, cli: object
) -> None:
    rows.to_csv(tmp_path / "rows.csv", index=False)
    ran = cli("train", "--task", "text-classification", "--train", tmp_path / "rows.csv", "--model", tiny_encoder,
              "--method", "fewshot", "--out", tmp_path / "m", "--set", "max_steps=3", "--set", "learning_rate=1e-3",
              "--json")  # type: ignore[operator]  # fmt: skip
    assert ran.code == 0, ran.err
    model = fieldtune.load(tmp_path / "m")
    assert model.probabilities(["my card"]).shape == (1, 3)
    known = left_out(fieldtune.load_encoder(tiny_encoder, 256).encode(rows["text"].tolist()), rows["label"].to_numpy())
    noted = model.card["fewshot"]
    assert noted["told_apart"] == pytest.approx(known)
    assert f"told the classes of {known:.0%} of the rows before it was tuned" in (tmp_path / "m/README.md").read_text()
    before = trainable(tiny_encoder, "full", Settings()).body.state_dict()
    after = model.features.encoder.body.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"encoder"}  # the word table stays as it was
    names = [readable(label) for label in model.labels]
    assert all(names)
    vectors = model.features([*rows["text"], *names])
    wanted = LogisticRegression(C=1.0, max_iter=1000).fit(vectors, [*rows["label"], *model.labels])
    plain = LogisticRegression(C=1.0, max_iter=1000).fit(vectors[: len(rows)], rows["label"])
    heads = [fitted.coef_ for fitted in (wanted, plain)]  # names that tell nothing of the rows are left out
    assert min(np.abs(model.weight - head).max() for head in heads) < 1e-3


def test_a_table_of_descriptions_is_a_classifier_without_training(
    tiny_encoder: Path, tmp_path: Path, cli: object
) -> None:
    told = pd.DataFrame({"label": ["card", "x1", "x2"], "text": ["my card is lost", "refund the order", "转失败"]})
    told.to_csv(tmp_path / "told.csv", index=False)
    ran = cli("train", "--task", "text-classification", "--train", tmp_path / "told.csv", "--model", tiny_encoder,
              "--method", "zeroshot", "--out", tmp_path / "m", "--json")  # type: ignore[operator]  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json["n"] == 0
    assert "not measured" in ran.err
    model = fieldtune.load(tmp_path / "m")
    assert [model.labels[place] for place in model.logits(["refund the order", "转失败"]).argmax(axis=1)] == [
        "x1",
        "x2",
    ]
    vectors = fieldtune.load_encoder(tiny_encoder, 128).encode(["my card is lost", "card", "a question"])
    mean = vectors[:2].mean(axis=0)
    wanted = vectors[2] @ mean / np.linalg.norm(mean) / 0.05
    assert model.logits(["a question"])[0, 0] == pytest.approx(wanted, abs=1e-3)
