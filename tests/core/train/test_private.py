"""Differential privacy of a head: its accountant against opacus and the definition, its steps against clipped gradients of
single rows, its noise against its formula; what an attack learns, and what the folder keeps."""

import hashlib
import hmac
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from opacus.accountants import PRVAccountant
from scipy.integrate import quad
from scipy.stats import kstest, norm
from sklearn.metrics import roc_auc_score

import fieldtune
from fieldtune.errors import ArtefactError, ConfigError, InputError
from fieldtune.evaluate.privacy import membership_auc
from fieldtune.fingerprint import KEY, fingerprint, rows_digest, table_digest
from fieldtune.train import private
from fieldtune.train.checkpoint import claimed
from fieldtune.train.settings import Settings
from fieldtune.train.track import LINES
from fieldtune.using import seen


@pytest.mark.filterwarnings("ignore:Optimal order")  # of opacus' search for a first bound
@pytest.mark.parametrize("epsilon", [0.5, 1.0, 8.0])
def test_the_noise_keeps_what_opacus_says_it_keeps(epsilon: float) -> None:
    noise = private.noise_for(epsilon, 1e-5, steps=40)
    accountant = PRVAccountant()
    accountant.history = [(noise, 1 - 1e-12, 40)]  # it takes the logarithm of what is not sampled
    assert accountant.get_epsilon(delta=1e-5, eps_error=1e-3) == pytest.approx(epsilon, rel=0.01)


def test_delta_is_the_hockey_stick_divergence_of_two_gaussians() -> None:
    for epsilon, mu in ((0.5, 0.3), (1.0, 1.0), (3.0, 2.0)):
        found, _ = quad(
            lambda x, e=epsilon, m=mu: max(norm.pdf(x, m) - math.exp(e) * norm.pdf(x), 0.0), -12, 12, limit=200
        )
        assert private.delta_of(epsilon, mu) == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize(("epsilon", "delta"), [(1e-6, 1e-8), (1e-4, 1e-9), (100.0, 0.1)])
def test_the_strictest_and_the_loosest_promise_have_a_noise_that_keeps_them(epsilon: float, delta: float) -> None:
    mu = math.sqrt(private.STEPS) / private.noise_for(epsilon, delta)
    place = epsilon / mu + mu / 2  # where the densities' difference begins
    found, _ = quad(
        lambda x: norm.pdf(x, mu) * -math.expm1(epsilon + mu**2 / 2 - mu * x), place, place + 12, epsabs=0, limit=200
    )
    assert found == pytest.approx(delta, rel=1e-3)


class Silent(np.random.Generator):
    """Draws nothing but zeros."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        return np.zeros(size)


def some_rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 60)
    vectors = np.eye(8)[targets] + 0.5 * rng.normal(size=(60, 8))
    vectors[::2] *= 0.1  # short ones, whose gradients need no clipping
    return (vectors / np.maximum(1, np.linalg.norm(vectors, axis=1, keepdims=True))).astype(np.float32), targets


def test_without_its_noise_it_descends_the_gradients_of_single_rows_each_clipped() -> None:
    vectors, targets = some_rows()
    rows = torch.cat([torch.from_numpy(vectors).double(), torch.ones(60, 1).double()], dim=1) / 2**0.5
    weight, seen, shortened = torch.zeros(3, 9, dtype=torch.float64), [], 0
    for _ in range(private.STEPS):
        total = torch.zeros_like(weight)
        for row, target in zip(rows, targets, strict=True):
            moving = weight.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy((moving @ row)[None], torch.tensor([target]))
            (gradient,) = torch.autograd.grad(loss, [moving])
            shortened += bool(gradient.norm() > private.CLIP)
            total += gradient * min(1.0, private.CLIP / float(gradient.norm()))
        weight = weight - private.RATE * total / 60
        seen.append(weight)
    wanted = (torch.stack(seen[private.STEPS // 2 :]).mean(0) / 2**0.5).numpy()
    assert 0.1 < shortened / (60 * private.STEPS) < 0.9
    found, bias = private.private_head(vectors, targets, 3, 1.0, 1e-5, Silent())
    np.testing.assert_allclose(found, wanted[:, :-1], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(bias, wanted[:, -1], rtol=1e-4, atol=1e-4)


def test_the_noise_is_as_large_as_its_formula_says() -> None:
    # One class: no row has a gradient. A step's noise is in every weight from there on, and the last half is averaged.
    vectors, epsilon, delta, half = np.zeros((50, 40_000), dtype=np.float32), 1.0, 1e-5, private.STEPS // 2
    weight, _ = private.private_head(vectors, np.zeros(50, int), 1, epsilon, delta, np.random.default_rng(0))
    shares = np.concatenate([np.ones(half), np.arange(half, 0, -1) / half])
    step = private.noise_for(epsilon, delta) * private.CLIP * private.RATE / 50
    wanted = step * np.linalg.norm(shares) / math.sqrt(2)
    assert weight.std() == pytest.approx(wanted, rel=0.02)  # of 40,000 draws the deviation is known to .35 %
    assert abs(weight.mean()) < 5 * wanted / math.sqrt(weight.size)
    assert kstest(weight[0] / wanted, "norm").pvalue > 1e-3


def test_with_hardly_any_privacy_it_learns_and_with_much_only_noise_is_left() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 300)
    vectors = np.eye(8)[targets] + 0.3 * rng.normal(size=(300, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    weight, bias = private.private_head(vectors, targets, 3, 100.0, 0.05, rng)
    assert ((vectors @ weight.T + bias).argmax(axis=1) == targets).mean() > 0.95
    strict, _ = private.private_head(vectors, targets, 3, 0.05, 1e-6, np.random.default_rng(1))
    again, _ = private.private_head(vectors, targets, 3, 0.05, 1e-6, np.random.default_rng(2))
    assert np.linalg.norm(strict - again) > 10 * np.linalg.norm(weight)


def test_membership_is_the_area_under_the_curve_of_the_losses() -> None:
    rng = np.random.default_rng(0)
    inside, outside = np.round(rng.normal(size=50), 1), np.round(rng.normal(0.5, size=70), 1)
    truth = np.concatenate([np.ones(50), np.zeros(70)])
    wanted = roc_auc_score(truth, -np.concatenate([inside, outside]))
    assert membership_auc(inside, outside) == pytest.approx(wanted)
    assert math.isnan(membership_auc([], [1.0]))


ROWS = pd.DataFrame(
    [(f"{text} {end}", label) for text, label in (("my card", "card"), ("a refund", "refund")) for end in range(20)],
    columns=["text", "label"],
)


VALID = pd.DataFrame({"text": ["card lost", "refund to me"], "label": ["card", "refund"]})


def privately(encoder: Path, out: Path, rows: pd.DataFrame = ROWS, **more: Any) -> fieldtune.Finetuned:
    return fieldtune.finetune(
        "text-classification", rows, method="head", model=str(encoder), out=out, progress=True,
        **{"rivals": True, "settings": {"epsilon": 2, "delta": 1e-3}, "valid": VALID, **more},
    )  # fmt: skip


def test_the_folder_of_a_private_head_confirms_no_guess_of_its_rows(
    tiny_encoder: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    valid = VALID
    done = privately(tiny_encoder, tmp_path / "a")
    assert "validation rows are not" in capsys.readouterr().err
    assert done.metrics["rivals"].keys() == {"linear"}
    held = {file.name: file.read_bytes() for file in done.path.iterdir()}
    card = json.loads(held["fieldtune.json"])
    assert not {"membership_auc", "rivals"} & card["metrics"].keys()
    guesses = [
        table_digest(ROWS),
        table_digest(valid),
        rows_digest([ROWS, valid]),
        rows_digest([ROWS]),
        rows_digest([valid]),
    ]
    key = (home / "digests.key").read_bytes()
    assert (home / "digests.key").stat().st_mode & 0o777 == 0o600
    for guess in guesses:
        own = hmac.new(key, guess.encode(), hashlib.sha256).hexdigest().encode()
        assert not [name for name, text in held.items() if guess.encode() in text or key in text]
        told = [name for name, text in held.items() if own in text]
        assert bool(told) == (guess in guesses[:3])  # the digests the folder has, for whoever has the key
    assert seen(card, ROWS.iloc[::-1]) == "train"
    assert seen(card, valid) == "valid"
    assert privately(tiny_encoder, tmp_path / "a").metrics == card["metrics"]  # known again, not trained again
    assert "already trained" in capsys.readouterr().err
    monkeypatch.setenv("FIELDTUNE_HOME", str(tmp_path / "elsewhere"))
    assert seen(card, ROWS) == "not known" and not (tmp_path / "elsewhere").exists()
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FIELDTUNE_HOME", str(tmp_path / "file"))
    assert seen(card, ROWS) == "not known"
    with pytest.raises(ConfigError, match="FIELDTUNE_HOME"):
        table_digest(ROWS, private=True)


def test_an_unfinished_private_run_without_its_key_says_why_it_is_refused(tmp_path: Path, home: Path) -> None:
    def run(rows: pd.DataFrame, **settings: Any) -> dict[str, Any]:
        return fingerprint("text-classification", "head", [], Settings(**settings), 0, [rows])

    folder, guarded = tmp_path / "work", {"epsilon": 2.0, "delta": 1e-3}
    with claimed(folder, run(ROWS, **guarded)):
        (folder / "checkpoint-1").mkdir()
    with claimed(folder, run(ROWS, **guarded)):  # the key is there: known again
        pass
    (home / KEY).unlink()
    for settings, told in ((guarded, True), ({**guarded, "epsilon": 3.0}, False), ({}, False)):
        with pytest.raises(ArtefactError) as refused, claimed(folder, run(ROWS, **settings)):
            pass
        assert (KEY in str(refused.value)) == told


def test_a_private_head_is_trained_once_and_says_what_it_keeps(tiny_encoder: Path, tmp_path: Path) -> None:
    done = privately(tiny_encoder, tmp_path / "a")
    assert done.metrics["privacy"] == {"epsilon": 2.0, "delta": 1e-3}
    assert 0 <= done.metrics["membership_auc"] <= 1
    assert fieldtune.load(done.path).card["rows"] == 40
    with pytest.raises(ConfigError, match=r"'epsilon'.*--method head"):
        fieldtune.finetune(
            "text-classification",
            ROWS,
            model=str(tiny_encoder),
            out=tmp_path / "b",
            progress=False,
            settings={"epsilon": 2},
        )


def test_the_card_tells_the_delta_of_the_rows_that_were_learnt_from(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[float] = []
    make = private.private_head

    def watched(*given: Any, **named: Any) -> Any:
        used.append(named["delta"])
        return make(*given, **named)

    monkeypatch.setattr("fieldtune.tasks.text_classification.private_head", watched)
    rows = pd.concat([ROWS, pd.DataFrame({"text": ["the sun", "rain"], "label": "oos"})], ignore_index=True)
    done = privately(tiny_encoder, tmp_path / "a", rows, settings={"epsilon": 2}, rivals=False)
    card = fieldtune.load(done.path).card
    assert used == [0.1 / 40] == [card["privacy"]["delta"]] == [done.metrics["privacy"]["delta"]]
    page = (done.path / "README.md").read_text()
    assert "| privacy of each of them | epsilon 2, delta 0.0025 |" in page and "`privacy." not in page


def test_what_the_folder_does_not_keep_is_not_tracked_either(tiny_encoder: Path, tmp_path: Path) -> None:
    given = {"epsilon": 2, "track": "jsonl", "track_dir": str(tmp_path / "runs")}
    done = privately(tiny_encoder, tmp_path / "a", settings=given)
    (file,) = (tmp_path / "runs").rglob(LINES)
    told = {name.split("/")[1] for line in file.read_text().splitlines() for name in json.loads(line) if "/" in name}
    assert "accuracy" in told
    withheld = {"membership_auc", "rivals", "leaked"}
    assert withheld <= done.metrics.keys() and not withheld & told


@pytest.mark.parametrize("delta", [0.1, 0.025])
def test_a_delta_that_promises_nothing_is_refused(tiny_encoder: Path, tmp_path: Path, delta: float) -> None:
    with pytest.raises(ConfigError, match=r"delta well below 0\.025, one over the 40 rows"):
        privately(tiny_encoder, tmp_path / "a", settings={"epsilon": 2, "delta": delta})


def test_validation_rows_of_a_private_model_are_not_split_off(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"would tell of training rows.*--valid FILE"):
        privately(tiny_encoder, tmp_path / "a", valid=None)
    assert not (tmp_path / "a").exists()
