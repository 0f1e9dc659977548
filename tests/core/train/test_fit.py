"""The training engine: loss scale, exact resume after SIGKILL, damaged checkpoints."""

import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fieldtune.batching import Batch
from fieldtune.errors import ArtefactError, DivergedError
from fieldtune.models.folder import MARKS, replaceable, write_whole
from fieldtune.tasks import text_classification as task
from fieldtune.tasks.supervised import Headed
from fieldtune.train import checkpoint
from fieldtune.train.checkpoint import CHOICE, claimed, newest
from fieldtune.train.fit import fit
from fieldtune.train.problem import Problem, Tensors
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import Body, trainable
from tests.processes import begin

TEXTS = ["my card is lost", "refund to the account", "cancel my order", "how to transfer", "the card", "refund"] * 4
TARGETS = np.asarray([0, 1, 2, 3, 0, 1] * 4)


def build(encoder_folder: Path) -> tuple[Headed, list[list[int]], object]:
    encoder = trainable(encoder_folder, "full", Settings(dropout=0.0))
    weight = np.linspace(-1, 1, 4 * encoder.dimensions, dtype=np.float32).reshape(4, -1)
    module = Headed(Body(encoder), weight, np.zeros(4, np.float32), 0.0)
    return module, encoder.tokens(TEXTS), encoder


def train(
    encoder_folder: Path, plan: list[Batch], accumulate: int, folder: Path, weights: list[float], **more: Any
) -> torch.nn.Module:
    """A few steps of plain SGD, in which a wrong loss scale shows in the weights."""
    module, tokens, encoder = build(encoder_folder)
    problem = task.problem(tokens, torch.from_numpy(TARGETS), torch.tensor(weights), encoder, 0.1)
    settings = Settings(**{"accumulate": accumulate, "warmup": 0.0, "weight_decay": 0.0, **more})
    fit(
        module,
        problem,
        plan,
        settings,
        folder=folder,
        optimizer=torch.optim.SGD(module.parameters(), lr=0.5),
        seed=0,
        dtype=torch.float32,
        description="",
        show=False,
    )
    return module


def test_what_the_caller_draws_after_a_training_is_the_callers(tiny_encoder: Path, tmp_path: Path) -> None:
    found = []
    for seed in (7, 8):
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)  # noqa: NPY002
        train(tiny_encoder, [[0, 1, 2, 3]], 1, tmp_path / f"run-{seed}", [1.0] * 4)
        found.append([random.random(), np.random.rand(), float(torch.rand(1))])  # noqa: NPY002
    assert all(one != other for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("steps", [1, 5])
def test_a_run_of_few_steps_learns_from_its_first(tiny_encoder: Path, tmp_path: Path, steps: int) -> None:
    plan, weights = [[0, 1, 2, 3]] * steps, [1.0] * 4
    with_warmup = train(tiny_encoder, plan, 1, tmp_path / "a", weights, warmup=0.1)
    without = train(tiny_encoder, plan, 1, tmp_path / "b", weights)
    start, end = build(tiny_encoder)[0].state_dict(), with_warmup.state_dict()
    assert max(float((end[name] - start[name]).abs().max()) for name in start) > 0
    assert all(torch.equal(end[name], value) for name, value in without.state_dict().items())


@pytest.mark.parametrize("micro", [2, 4])
@pytest.mark.parametrize("weights", [[1.0] * 4, [0.5, 1.0, 2.0, 0.7]])
def test_k_micro_batches_equal_one_batch(tiny_encoder: Path, tmp_path: Path, micro: int, weights: list[float]) -> None:
    whole = [list(range(12)), list(range(12, 24))]
    uneven = {2: [(0, 9), (9, 12)], 4: [(0, 1), (1, 5), (5, 7), (7, 12)]}[micro]  # the halves need not be equal
    parts = [batch[start:end] for batch in whole for start, end in uneven]
    one = train(tiny_encoder, whole, 1, tmp_path / "one", weights)
    many = train(tiny_encoder, parts, micro, tmp_path / "many", weights)
    start = build(tiny_encoder)[0]
    moved = max((a - b).abs().max() for a, b in zip(one.parameters(), start.parameters(), strict=True))
    apart = max((a - b).abs().max() for a, b in zip(one.parameters(), many.parameters(), strict=True))
    assert moved > 1e-3  # it did train
    assert apart <= 1e-6


def test_loss_that_is_not_finite_stops_the_run(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="finite loss"):
        train(tiny_encoder, [list(range(8))], 1, tmp_path / "run", [float("nan")] * 4)


def test_weights_that_are_not_finite_stop_the_run(tiny_encoder: Path, tmp_path: Path) -> None:
    module, tokens, encoder = build(tiny_encoder)
    problem = task.problem(tokens, torch.from_numpy(TARGETS), torch.ones(4), encoder, 0.0)
    with pytest.raises(DivergedError, match=r"finite loss.*weights"):  # the only step has a finite loss and ruins them
        fit(
            module,
            problem,
            [[0, 1, 2]],
            Settings(warmup=0.0),
            folder=tmp_path / "run",
            optimizer=torch.optim.SGD(module.parameters(), lr=float("inf")),
            seed=0,
            dtype=torch.float32,
            description="",
            show=False,
        )


SCRIPT = """
import sys, pandas as pd
from fieldtune.pipeline import finetune
table = pd.DataFrame({"text": TEXTS, "label": LABELS})
finetune("text-classification", table, model=sys.argv[1], out=sys.argv[2], progress=False,
         settings={"epochs": 15, "token_budget": 32, "checkpoint_steps": 7, "refit": True})
""".replace("TEXTS", repr([f"{text} {row}" for row, text in enumerate(TEXTS)])).replace(
    "LABELS", repr([f"label {target}" for target in TARGETS])
)


def run(encoder: Path, out: Path, home: Path, seconds: float | None = None) -> int:
    """Train in a process of its own; with ``seconds``, SIGKILL it after that long."""
    environment = {**os.environ, "FIELDTUNE_HOME": str(home)}
    process = begin("-c", SCRIPT, encoder, out, environment=environment)
    if seconds is not None:
        deadline = time.monotonic() + 60
        while not (out / "checkpoints").exists() and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()
    process.join()
    return process.exitcode or 0


def test_killed_anywhere_training_resumes_to_the_same_bits(tiny_encoder: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    assert run(tiny_encoder, tmp_path / "whole", tmp_path / "home") == 0
    length = time.monotonic() - started
    rng = random.Random(3)
    out = tmp_path / "killed"
    for _ in range(3):
        run(tiny_encoder, out, tmp_path / "home", seconds=rng.uniform(0, length / 3))
    assert run(tiny_encoder, out, tmp_path / "home") == 0
    for name in ("model.safetensors", "head.safetensors"):
        whole, killed = load_file(tmp_path / "whole" / name), load_file(out / name)
        assert whole.keys() == killed.keys()
        assert all(torch.equal(whole[key], killed[key]) for key in whole)
    assert not (out / "checkpoints").exists()


def nine_steps(encoder_folder: Path, folder: Path, every: int = 3, until: int = 9) -> torch.nn.Module:
    """A checkpoint after each ``every`` steps; the step after ``until`` fails."""
    module, tokens, encoder = build(encoder_folder)
    problem = task.problem(tokens, torch.from_numpy(TARGETS), torch.ones(4), encoder, 0.0)

    def loss(module: torch.nn.Module, batch: Tensors) -> torch.Tensor:
        if batch["row"] >= until:
            raise OSError("stopped")
        return problem.loss(module, batch)

    fit(
        module,
        Problem(lambda rows: problem.collate(rows) | {"row": torch.tensor(rows)}, loss, problem.items),
        [[row] for row in range(9)],
        Settings(checkpoint_steps=every),
        folder=folder,
        optimizer=torch.optim.AdamW(module.parameters()),
        seed=0,
        dtype=torch.float32,
        description="",
        show=False,
    )
    return module


def kept(folder: Path) -> list[int]:
    return sorted(checkpoint.step(path) for path in folder.glob("checkpoint-*"))


@pytest.fixture
def two_checkpoints(tiny_encoder: Path, tmp_path: Path) -> Path:
    nine_steps(tiny_encoder, tmp_path / "run")
    assert kept(tmp_path / "run") == [3, 6]
    return tmp_path / "run"


@pytest.mark.parametrize("damage", ["deleted", "cut", "flipped"])
def test_any_damaged_file_is_named_and_the_one_before_is_taken(
    two_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    names = [file.name for file in (two_checkpoints / "checkpoint-6").iterdir()]
    assert {"model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"} <= set(names)
    assert "training_args.bin" not in names
    for name in names:
        copy = tmp_path / damage / name
        shutil.copytree(two_checkpoints, copy)
        file = copy / "checkpoint-6" / name
        raw = bytearray(file.read_bytes())
        if damage == "deleted":
            file.unlink()
        elif damage == "cut":
            file.write_bytes(raw[: len(raw) // 2])
        else:
            raw[len(raw) // 2] ^= 1
            file.write_bytes(raw)
        found = newest(copy)
        assert found is not None
        assert found.name == "checkpoint-3"
        assert name in capsys.readouterr().err


@pytest.mark.parametrize("cut", [False, True])
def test_what_was_passed_over_as_damaged_takes_no_good_ones_place(
    tiny_encoder: Path, tmp_path: Path, two_checkpoints: Path, monkeypatch: pytest.MonkeyPatch, cut: bool
) -> None:
    (two_checkpoints / "checkpoint-6" / "optimizer.pt").write_bytes(b"damaged")
    with pytest.raises(OSError, match="stopped"), monkeypatch.context() as patch:
        if cut:  # killed between the new checkpoint and the deletion of old ones
            patch.setattr("fieldtune.train.trainer.prune", lambda _: None)
        nine_steps(tiny_encoder, two_checkpoints, every=1, until=4)
    assert kept(two_checkpoints) == ([3, 4, 6] if cut else [3, 4])
    with pytest.raises(OSError, match="stopped"):
        nine_steps(tiny_encoder, two_checkpoints, every=1, until=5)
    assert kept(two_checkpoints) == [4, 5]
    (two_checkpoints / "checkpoint-5" / "optimizer.pt").write_bytes(b"damaged too")
    whole = nine_steps(tiny_encoder, tmp_path / "whole").state_dict()
    found = nine_steps(tiny_encoder, two_checkpoints).state_dict()
    assert all(torch.equal(whole[name], found[name]) for name in whole)


def test_when_every_checkpoint_is_damaged_nothing_starts_from_zero(two_checkpoints: Path) -> None:
    for folder in two_checkpoints.glob("checkpoint-*"):
        (folder / "optimizer.pt").unlink()
    with pytest.raises(ArtefactError, match="damaged"):
        newest(two_checkpoints)


def test_an_unfinished_folder_of_other_data_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    from fieldtune.pipeline import finetune

    out = tmp_path / "model"
    (out / "checkpoints").mkdir(parents=True)
    (out / "checkpoints" / "run.json").write_text("{}")
    table = pd.DataFrame({"text": TEXTS, "label": [str(target) for target in TARGETS]})
    with pytest.raises(ArtefactError, match="unfinished"):
        finetune("text-classification", table, valid=table, model=str(tiny_encoder), out=out, progress=False)


def test_a_training_that_was_stopped_is_told_from_a_dangerous_folder(tmp_path: Path) -> None:
    from fieldtune.models import load

    (tmp_path / "checkpoints" / "checkpoint-5").mkdir(parents=True)
    (tmp_path / "checkpoints" / "run.json").write_text("{}")
    (tmp_path / "checkpoints" / "checkpoint-5" / "optimizer.pt").write_bytes(b"ours")
    with pytest.raises(ArtefactError, match="run the same command again"):
        load(tmp_path)


def test_a_failed_run_keeps_its_checkpoints_and_nothing_without_them(tmp_path: Path) -> None:
    for name, steps in {"early": [], "late": [3, 6]}.items():
        work = tmp_path / name / "checkpoints"
        with pytest.raises(KeyboardInterrupt), claimed(work, {"seed": 1}):
            (work / "rival-linear").mkdir()
            for step in steps:
                (work / f"checkpoint-{step}").mkdir()
            raise KeyboardInterrupt
    assert not (tmp_path / "early").exists()
    assert len(list((tmp_path / "late" / "checkpoints").glob("checkpoint-*"))) == 2
    with pytest.raises(ArtefactError, match="a different one"), claimed(tmp_path / "late" / "checkpoints", {"seed": 2}):
        pass
    assert (tmp_path / "late" / "checkpoints" / "checkpoint-6").is_dir()


@pytest.mark.parametrize(("error", "stays"), [(KeyboardInterrupt, True), (SystemExit, True), (ValueError, False)])
def test_a_run_that_was_stopped_keeps_what_auto_chose_and_one_that_failed_does_not(
    tmp_path: Path, error: type[BaseException], stays: bool
) -> None:
    with pytest.raises(error), claimed(tmp_path / "checkpoints", {"seed": 1}):
        (tmp_path / "checkpoints" / CHOICE).write_text("{}")
        raise error
    assert (tmp_path / "checkpoints" / CHOICE).is_file() == stays
    with claimed(tmp_path / "checkpoints", {"seed": 2}):  # another run is not kept out by a choice alone
        assert not (tmp_path / "checkpoints" / CHOICE).is_file()


@pytest.mark.parametrize("ours", [True, False])
def test_what_a_person_put_beside_a_choice_is_never_deleted(tmp_path: Path, ours: bool) -> None:
    work = tmp_path / "checkpoints"
    if ours:
        with pytest.raises(KeyboardInterrupt), claimed(work, {"seed": 1}):
            (work / CHOICE).write_text("{}")
            raise KeyboardInterrupt
        (work / "thesis.txt").write_text("years of work")
    else:
        work.mkdir()
        (work / CHOICE).write_text("years of work")
    before = sorted(work.iterdir())
    with pytest.raises(ArtefactError), claimed(work, {"seed": 2}):
        pass
    assert sorted(work.iterdir()) == before


@pytest.mark.parametrize("harm", ["cut", "flipped", "deleted"])
@pytest.mark.parametrize("mark", MARKS)
def test_a_run_is_known_again_by_one_whole_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mark: str, harm: str
) -> None:
    work = tmp_path / "model" / "checkpoints"
    with pytest.raises(KeyboardInterrupt), claimed(work, {"seed": 1}):
        (work / "checkpoint-3").mkdir()
        raise KeyboardInterrupt
    raw = (work / mark).read_bytes()
    harmed = {"cut": raw[: len(raw) // 2], "flipped": raw.replace(b"1", b"3"), "deleted": None}[harm]
    if harmed is None:
        (work / mark).unlink()
    else:
        (work / mark).write_bytes(harmed)
    replaceable(work.parent)
    if harm != "flipped":
        with pytest.raises(ArtefactError, match="a different one"), claimed(work, {"seed": 2}):
            pass
    with claimed(work, {"seed": 1}):
        assert (work / "checkpoint-3").is_dir()
        assert all((work / name).read_bytes() == raw for name in MARKS)
    assert ("run.json is damaged or missing" in capsys.readouterr().err) == (mark == MARKS[0])


def test_a_mark_is_written_whole_and_only_where_it_does_not_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def recorded(file: Path, text: str) -> None:
        written.append(file.name)
        write_whole(file, text)

    monkeypatch.setattr(checkpoint, "write_whole", recorded)
    for harmed, expected in (((), [".run.json", "run.json"]), ((), []), (("run.json",), ["run.json"])):
        for name in harmed:
            (tmp_path / "run" / name).write_text("")
        with claimed(tmp_path / "run", {"seed": 1}):
            assert written == expected
        written.clear()


def test_a_run_whose_marks_are_damaged_is_no_different_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-3").mkdir()
    for name in MARKS:
        (tmp_path / name).write_text('{"seed"')
    with (
        pytest.raises(ArtefactError, match=r"a readable run\.json.*found damaged ones"),
        claimed(tmp_path, {"seed": 1}),
    ):
        pass


def test_a_folder_of_other_files_is_not_taken_for_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").write_text("x")
    with pytest.raises(ArtefactError, match="other files"), claimed(tmp_path, {"seed": 1}):
        pass
    assert (tmp_path / "mine.pt").read_text() == "x"
