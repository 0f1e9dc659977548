"""Learning on: against ridge regression on all rows at once, slow exact versions, and a hand-worked forgetting."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import load_file as torch_file
from scipy.special import log_softmax, softmax
from sklearn.linear_model import Ridge

import fieldtune
from fieldtune.errors import ConfigError, InputError
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.models.memory import Memory
from fieldtune.tasks import continual as going_on
from fieldtune.tasks import task_module
from fieldtune.train import continual
from fieldtune.train.settings import Settings

BLOCKS = (
    {"card": "my card is lost", "refund": "refund to the account"},
    {"order": "cancel the order", "how": "how is my"},
)


def rows(block: dict[str, str], count: int = 12) -> pd.DataFrame:
    found = [(f"{text} {number}", label) for label, text in block.items() for number in range(count)]
    return pd.DataFrame(found, columns=["text", "label"])


def learn(
    table: pd.DataFrame, model: object, out: Path, valid: pd.DataFrame | None = None, **settings: Any
) -> fieldtune.Finetuned:
    frozen = settings.get("keeps", "statistics") == "statistics"
    steps = {} if frozen else {"epochs": 2, "learning_rate": 1e-3, "token_budget": 128}
    return fieldtune.finetune(
        "text-classification", table, valid=valid, model=str(model), method="continual", out=out, progress=False,
        settings={**steps, **settings},
    )  # fmt: skip


def test_the_words_at_hand_learn_what_the_whole_table_does(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for name in ("few", "whole"):
        done = learn(rows(BLOCKS[0], 6), tiny_encoder, tmp_path / name, keeps="none")
        found[name] = fieldtune.load(done.path).features.encoder
        monkeypatch.setattr(going_on, "words_at_hand", lambda *_: nullcontext())
    few, whole, start = found["few"].body, found["whole"].body, load_encoder_folder(tiny_encoder).body
    used = torch.tensor(sorted({id for ids in found["few"].tokens(rows(BLOCKS[0], 6)["text"].tolist()) for id in ids}))
    table, others = few.get_input_embeddings().weight, torch.ones(few.config.vocab_size, dtype=torch.bool)
    others[used] = False
    for (name, one), other in zip(few.named_parameters(), whole.parameters(), strict=True):
        kept = used if one is table else slice(None)
        torch.testing.assert_close(
            one[kept], other[kept], atol=1e-6, rtol=1e-5, msg=lambda text, name=name: f"{name} {text}"
        )
    assert torch.equal(table[others], start.get_input_embeddings().weight[others])
    assert not torch.equal(whole.get_input_embeddings().weight[others], table[others])  # weight decay alone moved them


def test_statistics_in_blocks_are_ridge_regression_on_all_rows() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    targets = rng.integers(0, 4, 60)
    past = continual.Statistics.empty(8, np.random.default_rng(1), width=16)
    past.moved([], 2)
    first = targets < 2
    past.add(vectors[first], targets[first])
    past.moved([0, 1], 4)
    past.add(vectors[~first], targets[~first])
    seen = np.maximum(vectors @ past.projection, 0).astype(np.float64)
    penalty = continual.RIDGE * np.trace(seen.T @ seen) / 16
    theirs = Ridge(alpha=penalty, fit_intercept=False).fit(seen, np.eye(4)[targets]).coef_
    np.testing.assert_allclose(past.weight(), theirs, rtol=1e-3, atol=1e-6)


def test_herding_takes_the_row_that_keeps_the_mean_nearest() -> None:
    vectors = np.random.default_rng(2).normal(size=(9, 3))
    chosen: list[int] = []
    for _ in range(4):
        left = [row for row in range(9) if row not in chosen]
        errors = [np.linalg.norm(vectors.mean(0) - vectors[[*chosen, row]].mean(0)) for row in left]
        chosen.append(left[int(np.argmin(errors))])
    assert continual.herded(vectors.astype(np.float32), 4) == chosen
    assert len(continual.herded(vectors.astype(np.float32), 20)) == 9


def test_distillation_is_least_and_flat_at_the_teachers_answers() -> None:
    teacher = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    logits = teacher.clone().requires_grad_()
    loss = continual.distillation(logits, teacher)
    soft = torch.softmax(teacher / continual.HEAT, 1)
    assert loss.item() == pytest.approx(-(soft * soft.log()).sum().item() * continual.HEAT**2, rel=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


def test_the_fisher_information_of_logistic_regression_is_known_in_closed_form() -> None:
    from fieldtune.train.problem import Problem

    rng = np.random.default_rng(3)
    inputs = torch.from_numpy(rng.normal(size=(20, 4)).astype(np.float32))
    targets = torch.from_numpy(rng.integers(0, 3, 20))
    module = torch.nn.Linear(4, 3)
    made = Problem(
        lambda chosen: {"x": inputs[chosen], "y": targets[chosen]},
        lambda one, batch: torch.nn.functional.cross_entropy(one(batch["x"]), batch["y"], reduction="sum"),
        lambda batch: float(len(batch["y"])),
    )
    found = continual.fisher(module, made, range(20))
    with torch.no_grad():
        residual = torch.softmax(module(inputs), 1) - torch.nn.functional.one_hot(targets, 3)
    wanted = (residual[:, :, None] * inputs[:, None, :]).pow(2).mean(0)
    torch.testing.assert_close(found["weight"], wanted, rtol=1e-4, atol=1e-6)
    anchor = {"weight": torch.zeros(3, 4)}
    assert continual.moved_weights(module, {"weight": wanted}, anchor).item() == pytest.approx(
        0.5 * (wanted * module.weight.detach() ** 2).sum().item(), rel=1e-5
    )


def test_what_holds_on_to_the_past_follows_the_weights_to_another_device() -> None:
    class Plain(torch.nn.Linear):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return super().forward(ids * mask)

    module, targets = Plain(3, 2), torch.tensor([0, 1])
    past = Memory(tensors={"weight": np.ones((2, 3), np.float32)})
    settings = Settings(keeps="ewc", keep_strength=4.0, label_smoothing=0.0)
    made = going_on._problem(module, [], targets, None, [], ("a", "b"), None, past, settings)
    with torch.no_grad():
        module.weight += 0.5
    batch = {"ids": torch.ones(2, 3), "mask": torch.ones(2, 3), "targets": targets}
    plain = torch.nn.functional.cross_entropy(module(batch["ids"], batch["mask"]), targets, reduction="sum")
    wanted = plain.item() + 4.0 * (6 * 0.5**2) / 2 * len(targets)
    assert made.loss(module, batch).item() == pytest.approx(wanted, rel=1e-5)
    # "meta" holds no numbers, and refuses tensors of other devices as a GPU does
    there = made.loss(module.to("meta"), {name: value.to("meta") for name, value in batch.items()})
    assert there.device.type == "meta"


def test_forgetting_is_the_best_there_was_less_what_there_is() -> None:
    nan = float("nan")
    accuracy = np.asarray([[0.9, nan, nan], [0.95, 0.8, nan], [0.7, 0.6, 1.0]])
    assert continual.forgetting(accuracy) == pytest.approx(((0.95 - 0.7) + (0.8 - 0.6)) / 2)
    assert continual.forgetting(accuracy[:1, :1]) == 0.0


def apart(block: dict[str, str]) -> pd.DataFrame:
    """A validation row a class, so that all rows of a block are learnt."""
    return pd.DataFrame({"text": [f"{text} apart" for text in block.values()], "label": [*block]})


def rows_squared(folder: Path, table: pd.DataFrame) -> dict[str, torch.Tensor]:
    """Slow and exact: the mean over rows of the squared gradient of a row's log-loss, of a model as it was saved."""
    model = fieldtune.load(folder)
    encoder, head = load_encoder_folder(folder), torch.from_numpy(model.weight)
    weights = dict(encoder.body.named_parameters())
    found = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for text, label in zip(table["text"], table["label"], strict=True):
        ids = torch.tensor(encoder.tokens([text], 128))
        hidden = encoder.body(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        pooled = hidden.mean(0) if encoder.pooling == "mean" else hidden[0]
        logits = head @ (pooled / pooled.norm()) + torch.from_numpy(model.bias)
        loss = torch.logsumexp(logits, 0) - logits[model.labels.index(label)]
        for name, gradient in zip(
            weights, torch.autograd.grad(loss, [*weights.values()], allow_unused=True), strict=True
        ):
            found[name] += 0 if gradient is None else gradient**2 / len(table)
    return found


def test_what_a_later_block_adds_to_the_importance_is_of_its_own_labels_alone(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    given = {"keeps": "ewc", "label_smoothing": 0.1, "keep_strength": 1e5}
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", apart(BLOCKS[0]), **given)
    learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "two", apart(BLOCKS[1]), **given)
    one, two = (fieldtune.load(tmp_path / name).memory.tensors for name in ("one", "two"))
    wanted = rows_squared(tmp_path / "two", rows(BLOCKS[1]))
    assert {name.removeprefix("encoder.body.") for name in two} == {name for name in wanted if "embeddings" not in name}
    for name, value in two.items():
        own = wanted[name.removeprefix("encoder.body.")].numpy()
        np.testing.assert_allclose(value - one[name], own, rtol=1e-2, atol=1e-3 * own.max() + 1e-9, err_msg=name)


@pytest.mark.parametrize("keeps", ["replay", "ewc", "lwf", "osf", "none"])
def test_a_second_block_is_learnt_with_the_loss_that_keeps_the_first(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeps: str
) -> None:
    own = {"ewc": {"keep_strength": 1e4}, "lwf": {"keep_strength": 2.0}, "replay": {"memory_rows": 3}}.get(keeps, {})
    given = {"keeps": keeps, "label_smoothing": 0.1, **own}
    told: list[float] = []

    def watched(module: Any, made: Any, tokens: Any, settings: Any, **more: Any) -> None:
        tune(module, made, tokens, settings, **more)
        told.append(made.loss(module, made.collate([*range(len(tokens))])).item())

    tune = going_on.tune
    monkeypatch.setattr(going_on, "tune", watched)
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", apart(BLOCKS[0]), **given)
    learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "two", apart(BLOCKS[1]), **given)
    one, two = (fieldtune.load(tmp_path / name) for name in ("one", "two"))
    table = rows(BLOCKS[1])
    if keeps == "replay":  # 3 rows of an old class, 12 of a new one: each is seen four times
        assert len(one.memory.rehearsed) == 6
        table = pd.concat([table, *[pd.DataFrame(one.memory.rehearsed, columns=["text", "label"])] * 4])
    logits, before = (model.logits(list(table["text"])).astype(np.float64) for model in (two, one))
    targets = np.eye(4)[[two.labels.index(label) for label in table["label"]]] * 0.9 + 0.1 / 4
    plain = -(targets * log_softmax(logits, axis=1)).sum()
    kept = 0.0
    if keeps == "lwf":
        heated = log_softmax(logits[:, [two.labels.index(label) for label in one.labels]] / 2, axis=1)
        kept = 2.0 * -(softmax(before / 2, axis=1) * heated).sum() * 4
    if keeps == "ewc":
        start, end = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
        for name, value in one.memory.tensors.items():
            part = name.removeprefix("encoder.body.")
            kept += 1e4 * float((value * (end[part] - start[part]) ** 2).sum()) / 2 * len(table)
    assert told[-1] == pytest.approx(plain + kept, rel=1e-4)
    assert (kept > 1e-3 * plain) == (keeps in ("ewc", "lwf"))


@pytest.mark.parametrize("keeps", ["statistics", "replay", "ewc", "lwf", "osf", "none"])
def test_two_blocks_are_learnt_one_after_the_other(tiny_encoder: Path, tmp_path: Path, keeps: str) -> None:
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", keeps=keeps)
    done = learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "two", keeps=keeps)
    model = fieldtune.load(tmp_path / "two")
    assert model.labels == ("card", "how", "order", "refund")
    told = done.metrics["continual"]
    assert told["blocks"] == 2
    assert done.metrics["n"] > 2  # earlier rows are measured too
    first = model.memory.blocks[0]
    assert told["forgetting"] == pytest.approx(first.accuracy[0] - first.accuracy[1])
    assert len(model.memory.rehearsed) == (20 if keeps == "replay" else 0)
    if keeps == "statistics":
        known = model.probabilities(["my card is lost 99"])
        assert model.labels[int(known.argmax())] == "card"


@pytest.mark.parametrize(("name", "other"), [("max_length", 64), ("scrub", False), ("keeps", "none")])
def test_a_block_is_read_as_those_before_it(tiny_encoder: Path, tmp_path: Path, name: str, other: Any) -> None:
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one")
    with pytest.raises(InputError, match=rf"{name}=\w+, as .* was trained.*--set {name}="):
        learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "two", **{name: other})


@pytest.mark.parametrize("keeps", ["statistics", "replay"])
def test_a_block_of_one_new_label_is_learnt_whatever_is_measured_beside_it(
    tiny_encoder: Path, tmp_path: Path, keeps: str, capsys: pytest.CaptureFixture[str]
) -> None:
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", keeps=keeps)
    block = rows(BLOCKS[1])
    (label, *_) = block["label"].unique()
    done = fieldtune.finetune(
        "text-classification", block[block["label"] == label], method="continual", model=str(tmp_path / "one"),
        out=tmp_path / "two", settings={"keeps": keeps}, rivals=True, progress=False,
    )  # fmt: skip
    assert label in fieldtune.load(done.path).labels and done.metrics["rivals"] == {}
    assert "have one label" in capsys.readouterr().err


def test_what_later_blocks_measure_on_was_never_learnt(tiny_encoder: Path, tmp_path: Path) -> None:
    table = rows(BLOCKS[0])
    learn(table, tiny_encoder, tmp_path / "one")
    model = fieldtune.load(tmp_path / "one")
    held_out = {text for text, _ in model.memory.blocks[0].held_out}
    learnt = table[~table["text"].isin(held_out)].reset_index(drop=True)
    assert 0 < len(learnt) < len(table)
    learn(learnt, tiny_encoder, tmp_path / "without", valid=table[table["text"].isin(held_out)])
    without = fieldtune.load(tmp_path / "without")
    np.testing.assert_allclose(model.logits(list(table["text"])), without.logits(list(table["text"])), atol=1e-5)


@pytest.mark.parametrize("keeps", ["statistics", "replay"])
def test_old_rows_given_once_more_are_taught_or_measured_and_never_both(
    tiny_encoder: Path, tmp_path: Path, keeps: str
) -> None:
    learn(rows(BLOCKS[0], 40), tiny_encoder, tmp_path / "one", keeps=keeps)
    apart_once = [text for text, _ in fieldtune.load(tmp_path / "one").memory.blocks[0].held_out]
    again = rows(BLOCKS[0], 40)
    table = pd.concat([again[~again["text"].isin(apart_once[:2])], rows(BLOCKS[1], 40)]).sample(frac=1, random_state=1)
    taught, measured = (set(part["text"]) for part in task_module("text-classification").split(table, 0))
    assert set(apart_once) & taught and set(apart_once) & measured
    done = learn(table, tmp_path / "one", tmp_path / "two", keeps=keeps)
    memory = fieldtune.load(done.path).memory
    assert {text for text, _ in memory.blocks[0].held_out} == set(apart_once) - taught
    assert done.metrics["n"] == len(measured | set(apart_once) - taught)
    assert not {text for text, _ in memory.rehearsed} & measured
    assert "that this block did not teach; whether an earlier one" in (done.path / "README.md").read_text()


def test_a_corrected_row_is_rehearsed_under_its_new_label_alone(tiny_encoder: Path, tmp_path: Path) -> None:
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", keeps="replay", valid=apart(BLOCKS[0]), memory_rows=20)
    text, old = fieldtune.load(tmp_path / "one").memory.rehearsed[0]
    new = next(label for label in BLOCKS[0] if label != old)
    corrected = pd.concat([rows(BLOCKS[1]), pd.DataFrame([(text.upper(), new)], columns=["text", "label"])])
    learn(corrected, tmp_path / "one", tmp_path / "two", keeps="replay", valid=apart(BLOCKS[1]), memory_rows=20)
    rehearsed = fieldtune.load(tmp_path / "two").memory.rehearsed
    assert [label for known, label in rehearsed if known.lower() == text.lower()] == [new]


def test_teaching_rows_that_were_measured_on_is_no_forgetting(tiny_encoder: Path, tmp_path: Path) -> None:
    wrong = apart(BLOCKS[0]).assign(label=lambda table: list(table["label"])[::-1])
    right = rows({label: f"{text} kept" for label, text in BLOCKS[0].items()}, 8)
    learn(rows(BLOCKS[0], 40), tiny_encoder, tmp_path / "one", pd.concat([wrong, right]))
    block = fieldtune.load(tmp_path / "one").memory.blocks[0]
    again = pd.concat([right.head(len(right) // 2), rows(BLOCKS[1], 40)])  # of those measured on, right ones alone
    done = learn(again, tmp_path / "one", tmp_path / "two", apart(BLOCKS[1]))
    taught = set(again["text"])
    left = [(text, label) for text, label in block.held_out if text not in taught]
    before, after = (
        np.mean([model.labels[int(model.logits([text]).argmax())] == label for text, label in left])
        for model in (fieldtune.load(tmp_path / "one"), fieldtune.load(tmp_path / "two"))
    )
    assert block.accuracy[0] > before  # a series that went on would call this forgotten
    assert fieldtune.load(tmp_path / "two").memory.blocks[0].accuracy == pytest.approx([before, after])
    assert done.metrics["continual"]["forgetting"] == pytest.approx(before - after)


def test_rows_to_measure_on_that_are_corrected_count_with_their_new_label_alone(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    wrong = apart(BLOCKS[0]).assign(label=lambda table: list(table["label"])[::-1])
    more = rows({label: f"{text} kept" for label, text in BLOCKS[0].items()}, 4)
    learn(rows(BLOCKS[0], 40), tiny_encoder, tmp_path / "one", pd.concat([wrong, more]))
    learn(rows(BLOCKS[1], 40), tmp_path / "one", tmp_path / "two", apart(BLOCKS[0]))
    first, second = fieldtune.load(tmp_path / "two").memory.blocks
    assert set(first.held_out) == set(more.itertuples(index=False, name=None))
    assert set(second.held_out) == set(apart(BLOCKS[0]).itertuples(index=False, name=None))


@pytest.mark.parametrize("keeps", ["statistics", "replay"])
def test_a_block_may_hold_a_single_new_label(tiny_encoder: Path, tmp_path: Path, keeps: str) -> None:
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", keeps=keeps)
    done = learn(rows({"food": "where is the menu"}), tmp_path / "one", tmp_path / "two", keeps=keeps)
    assert fieldtune.load(done.path).labels == ("card", "food", "refund")
    assert done.metrics["continual"]["blocks"] == 2
    with pytest.raises(InputError, match="at least two classes"):
        learn(rows({"food": "where is the menu"}), tiny_encoder, tmp_path / "alone", keeps=keeps)
    with pytest.raises(InputError, match="no class"):
        learn(rows({"oos": "blue sky"}), tmp_path / "one", tmp_path / "none", keeps=keeps)


def test_a_block_of_which_every_row_is_taught_later_is_measured_no_more(tiny_encoder: Path, tmp_path: Path) -> None:
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", apart(BLOCKS[0]))
    second = learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "two", apart(BLOCKS[1]))
    third = learn(apart(BLOCKS[0]), tmp_path / "two", tmp_path / "three", rows(BLOCKS[0], 3))
    told, before = third.metrics["continual"], second.metrics["continual"]["accuracy_by_block"]
    assert third.metrics["n"] == 6 + 2 and len(told["accuracy_by_block"]) == 2
    assert told["forgetting"] == before[1] - told["accuracy_by_block"][0]


def test_a_newest_block_without_rows_to_measure_on_hides_no_forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [
        going_on.Block(["a"], [("x", "a")], [1.0, 0.9]),
        going_on.Block(["b"], [("y", "b")], [0.8]),
        going_on.Block(["c"]),
    ]
    model: Any = SimpleNamespace(memory=going_on.Memory(blocks))
    monkeypatch.setattr(going_on, "_accuracy", lambda _, rows: {"x": 0.7, "y": 0.2}[rows[0][0]])
    told = going_on.measure(model, pd.DataFrame({"text": ["blue sky"], "label": ["oos"]}))
    assert told["accuracy_by_block"] == [0.7, 0.2]
    assert told["forgetting"] == pytest.approx(((1.0 - 0.7) + (0.8 - 0.2)) / 2)


def test_it_is_calibrated_on_the_rows_of_all_blocks_together(tiny_encoder: Path, tmp_path: Path) -> None:
    learn(rows(BLOCKS[0], 100), tiny_encoder, tmp_path / "one")
    done = learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "two", apart(BLOCKS[1]))
    assert done.metrics["n"] == 22 and fieldtune.load(done.path).temperature != 1.0
    assert "not_calibrated" not in done.metrics


def test_orthogonal_training_leaves_the_strong_half_of_every_layer(tiny_encoder: Path, tmp_path: Path) -> None:
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", keeps="osf")
    learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "two", keeps="osf")
    before, after = (torch_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    moved = 0.0
    for name in (name for name in before if name.endswith("query.weight")):
        left, _, right = torch.linalg.svd(before[name], full_matrices=False)
        half = len(left) // 2
        change = after[name] - before[name]
        moved = max(moved, change.abs().max().item())
        assert (left[:, :half].T @ change @ right[:half].T).abs().max() < 1e-5
    assert moved > 1e-4
    assert not (tmp_path / "two" / "adapter.safetensors").exists()


def test_rehearsed_rows_are_repeated_until_old_classes_are_as_frequent_as_new_ones() -> None:
    from fieldtune.models.memory import Memory
    from fieldtune.tasks.continual import _with_rehearsal

    old = [("my card", "card")] * 3 + [("refund", "refund")] * 3
    counts = _with_rehearsal(rows(BLOCKS[1]), Memory(rehearsed=old))["label"].value_counts()
    assert counts.to_dict() == {"order": 12, "how": 12, "card": 12, "refund": 12}


def test_statistics_forget_no_row(tiny_encoder: Path, tmp_path: Path) -> None:
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one", apart(BLOCKS[0]))
    learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "two", apart(BLOCKS[1]))
    both = pd.concat([rows(BLOCKS[0]), rows(BLOCKS[1])])
    learn(both, tiny_encoder, tmp_path / "joint", pd.concat([apart(block) for block in BLOCKS]))
    texts = ["the card", "my refund order", "how to transfer"]
    one_by_one, joint = (fieldtune.load(tmp_path / name).logits(texts) for name in ("two", "joint"))
    np.testing.assert_allclose(one_by_one, joint, atol=1e-3)


def test_what_cannot_go_on_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    plain = fieldtune.finetune(
        "text-classification",
        rows(BLOCKS[0]),
        method="head",
        model=str(tiny_encoder),
        out=tmp_path / "plain",
        progress=False,
    )
    with pytest.raises(InputError, match="a model of --method continual"):
        learn(rows(BLOCKS[1]), plain.path, tmp_path / "a")
    learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "one")
    with pytest.raises(InputError, match="keeps=statistics"):
        learn(rows(BLOCKS[1]), tmp_path / "one", tmp_path / "b", keeps="replay")
    with pytest.raises(ConfigError, match="keeps out of statistics, replay"):
        learn(rows(BLOCKS[0]), tiny_encoder, tmp_path / "c", keeps="everything")
