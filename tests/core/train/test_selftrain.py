"""Self-training: label spreading against scikit-learn's, a head that gains from unlabelled rows, and the safe stop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import fieldtune
from fieldtune.train import selftrain
from fieldtune.train.selftrain import head_with, helps, spread


def blobs(rng: np.random.Generator, per_class: int, classes: int = 4, width: float = 0.25) -> tuple[Any, Any]:
    centres = rng.normal(size=(classes, 8))
    targets = np.repeat(np.arange(classes), per_class)
    vectors = centres[targets] / np.linalg.norm(centres[targets], axis=1, keepdims=True)
    vectors = vectors + width * rng.normal(size=vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), targets


def exact(known: Any, targets: Any, unknown: Any, classes: int) -> Any:
    """The same by dense matrices and as many turns: Zhou et al. 2003, algorithm on page 2, then equal class masses."""
    both = np.vstack([known, unknown]).astype(float)
    scores = both @ both.T
    np.fill_diagonal(scores, -np.inf)
    weights = np.zeros_like(scores)
    for row in range(len(both)):
        for near in np.argsort(-scores[row])[: selftrain.NEIGHBOURS]:
            weights[row, near] = np.exp((scores[row, near] - 1) / selftrain._WIDTH)
    weights = np.maximum(weights, weights.T)
    scale = 1 / np.sqrt(weights.sum(axis=1))
    graph = scale[:, None] * weights * scale[None]
    start = np.zeros((len(both), classes))
    start[np.arange(len(known)), targets] = 1
    belief = start
    for _ in range(selftrain._TURNS):
        belief = 0.99 * graph @ belief + 0.01 * start
    found = belief[len(known) :]
    found = found / found.sum(axis=0)
    return found / found.sum(axis=1, keepdims=True)


def test_spreading_is_that_of_the_paper_whatever_the_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, targets = blobs(np.random.default_rng(0), 30)
    known = np.arange(0, 120, 10)
    unknown = np.setdiff1d(np.arange(120), known)
    wanted = exact(vectors[known], targets[known], vectors[unknown], 4)
    for size in (7, 1024):
        monkeypatch.setattr(selftrain, "_AT_ONCE", size)
        found = spread(vectors[known], targets[known], vectors[unknown], 4)
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert (found.argmax(axis=1) == targets[unknown]).mean() > 0.9


def test_rows_that_no_label_reaches_are_unsure() -> None:
    known = np.eye(12, dtype=np.float32)[:2]
    far = np.tile(np.eye(12, dtype=np.float32)[5], (30, 1))
    near = np.tile(known[:1], (30, 1))
    found = spread(known, np.array([0, 1]), np.vstack([far, near]), 2)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found[40].argmax() == 0


def strips(rng: np.random.Generator, per_class: int, classes: int) -> tuple[Any, Any]:
    """Each class a long thin strip in 16 dimensions: two of its ends may look less alike than two classes."""
    middles, ways = rng.normal(size=(2, classes, 16))
    targets = np.repeat(np.arange(classes), per_class)
    along = rng.uniform(-1.2, 1.2, size=(len(targets), 1))
    vectors = middles[targets] + along * ways[targets] + 0.15 * rng.normal(size=(len(targets), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), targets


def test_unlabelled_rows_teach_a_head_and_noise_is_left_out() -> None:
    rng = np.random.default_rng(1)
    vectors, targets = strips(rng, 60, 20)
    order = rng.permutation(len(vectors))
    known = np.concatenate([order[targets[order] == place][:2] for place in range(20)])
    rest = rng.permutation(np.setdiff1d(order, known))
    unknown, tested = rest[:800], rest[800:]
    belief = spread(vectors[known], targets[known], vectors[unknown], 20)
    weight, bias = head_with(vectors[known], targets[known], vectors[unknown], belief, 20)
    machine = LogisticRegression(C=10).fit(vectors[known], targets[known])
    plain = machine.score(vectors[tested], targets[tested])
    gained = ((vectors[tested] @ weight.T + bias).argmax(axis=1) == targets[tested]).mean()
    assert gained > plain + 0.05
    keys = [str(row) for row in known]
    good, figures = helps(vectors[known], targets[known], keys, None, vectors[unknown], 20, rng)
    assert figures["with"] > figures["without"]
    assert not good  # 40 rows cannot tell
    more = np.concatenate([order[targets[order] == place][:6] for place in range(20)])
    keys = [str(row) for row in more]
    good, figures = helps(vectors[more], targets[more], keys, None, vectors[np.setdiff1d(unknown, more)], 20, rng)
    assert figures["with"] > figures["without"]
    assert good
    mixed = rng.permutation(vectors[unknown].ravel()).reshape(-1, 16)
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    many = np.concatenate([order[targets[order] == place][:20] for place in range(20)])
    good, figures = helps(vectors[many], targets[many], [str(row) for row in many], None, mixed, 20, rng)
    assert not good


def test_a_gain_within_a_standard_error_is_none() -> None:
    rng = np.random.default_rng(5)
    vectors, targets = strips(rng, 60, 20)
    order = rng.permutation(len(vectors))
    known = np.concatenate([order[targets[order] == place][:8] for place in range(20)])
    unknown = vectors[np.setdiff1d(order, known)][:40]
    good, figures = helps(vectors[known], targets[known], [str(row) for row in known], None, unknown, 20, rng)
    gained = (figures["with"] - figures["without"]) * len(known)
    assert gained == pytest.approx(1)  # a row of 160, some won and some lost
    assert not good


def test_rows_that_say_the_same_are_put_among_the_unknown_ones_together() -> None:
    rng = np.random.default_rng(0)
    vectors, targets = np.eye(60, dtype=np.float32).repeat(2, axis=0), rng.integers(0, 2, 60).repeat(2)
    # One of two in sight would tell the other's label, which nothing else does.
    keys = [str(row // 2) for row in range(120)]
    for named, least, most in ((keys, 0, 0.65), ([str(row) for row in range(120)], 0.8, 1)):
        figures = helps(vectors, targets, named, None, vectors[:0], 2, np.random.default_rng(1))[1]
        assert least <= figures["without"] <= most


def test_the_command_takes_unlabelled_rows_and_says_what_they_brought(
    tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    words = {"card": "card lost", "refund": "refund order"}
    rows = [(f"{word} {a}{b}", label) for label, word in words.items() for a in "abcdef" for b in "klmnop"]
    table = pd.DataFrame(rows, columns=["text", "label"])
    few = table.groupby("label").head(5)
    few.to_csv(tmp_path / "few.csv", index=False)
    table[["text"]].to_csv(tmp_path / "rest.csv", index=False)
    common = ("train", "--task", "text-classification", "--train", tmp_path / "few.csv", "--model", tiny_encoder)
    ran = cli(*common, "--method", "selftrain", "--unlabelled", tmp_path / "rest.csv", "--out", tmp_path / "m")
    assert ran.code == 0, ran.err
    assert "with unlabelled rows against" in ran.err
    model: Any = fieldtune.load(tmp_path / "m")
    assert model.labels == ("card", "refund")
    ran = cli(*common, "--method", "selftrain", "--out", tmp_path / "n")
    assert (ran.code, "--unlabelled FILE" in ran.err) == (1, True)
    ran = cli(*common, "--method", "head", "--unlabelled", tmp_path / "rest.csv", "--out", tmp_path / "n")
    assert (ran.code, "leave --unlabelled out" in ran.err) == (1, True)
