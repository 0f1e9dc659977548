"""What a training says on stderr where that is no terminal: how far it is, how long it will take, where it goes on."""

import itertools
import os
import re
from pathlib import Path

import pytest
import torch

from fieldtune.errors import InputError
from fieldtune.tasks import text_classification as task
from fieldtune.train import callbacks
from fieldtune.train.fit import fit
from fieldtune.train.problem import Problem
from fieldtune.train.settings import Settings
from tests.core.train.test_fit import TARGETS, build
from tests.processes import begin

PLAN = [[row, row + 6] for row in range(7)]


def learn(encoder: Path, folder: Path, *, show: bool = True, breaks: int | None = None) -> float:
    """Seven steps, a checkpoint after each; the loss of the first batch before any of them, an item."""
    module, tokens, loaded = build(encoder)
    made = task.problem(tokens, torch.from_numpy(TARGETS), torch.ones(4), loaded, 0.0)
    first = made.collate(PLAN[0])
    before = float(made.loss(module.eval(), first).detach()) / made.items(first)
    steps = itertools.count(1)

    def loss(module: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return made.loss(module, batch) * (float("nan") if next(steps) == breaks else 1.0)

    fit(
        module, Problem(made.collate, loss, made.items), PLAN,
        Settings(warmup=0.0, checkpoint_steps=1), folder=folder, seed=0, dtype=torch.float32, description="learning",
        optimizer=torch.optim.SGD(module.parameters(), lr=1e-9), show=show,
    )  # fmt: skip
    return before


def test_lines_come_now_and_then_with_step_loss_and_time_left(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = callbacks.Lines

    def told_every(seconds: float) -> None:
        monkeypatch.setattr(callbacks, "Lines", lambda *given: plain(*given, seconds, itertools.count(0, 20).__next__))

    def lines() -> list[tuple[str, ...]]:
        told = re.findall(r"^learning: step (\d) of 7, loss (\S+), about (\d+) s left$", capsys.readouterr().err, re.M)
        return [tuple(found) for found in told]

    told_every(0.0)
    before = learn(tiny_encoder, tmp_path / "every")
    told = lines()
    assert [(step, left) for step, _, left in told] == [(str(n), str(20 * (7 - n))) for n in range(1, 7)]
    assert float(told[0][1]) == pytest.approx(before, rel=1e-3)
    told_every(30.0)
    learn(tiny_encoder, tmp_path / "half")
    assert [(step, left) for step, _, left in lines()] == [("2", "100"), ("4", "60"), ("6", "20")]


INTERRUPTED = """
from types import SimpleNamespace
from fieldtune.train.callbacks import shown

class Trainer:
    def add_callback(self, bar):
        bar.on_train_begin(None, SimpleNamespace(max_steps=9, global_step=0), None)

with shown("learning", Trainer()):
    raise KeyboardInterrupt
"""


def test_the_cursor_comes_back_after_an_interrupt() -> None:
    ours, its = os.openpty()
    process = begin("-c", INTERRUPTED, environment={**os.environ, "TERM": "xterm"}, err=its)
    process.join(60)
    os.set_blocking(ours, False)
    written = os.read(ours, 100_000).decode()
    os.close(its)
    os.close(ours)
    assert "\x1b[?25l" in written
    assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l")


def test_a_run_that_goes_on_says_where_unless_it_is_to_be_silent(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, show in (("told", True), ("silent", False)):
        with pytest.raises(InputError, match="nan at step 4"):
            learn(tiny_encoder, tmp_path / name, breaks=4)
        assert "going on" not in capsys.readouterr().err
        learn(tiny_encoder, tmp_path / name, show=show)
        assert capsys.readouterr().err == ("learning: going on after step 3 of 7\n" if show else "")
