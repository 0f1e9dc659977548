"""What stops a run from outside: SIGTERM, Ctrl-C, a full disk, a loss that is none. The last good checkpoint stays."""

import contextlib
import errno
import importlib
import os
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any

import pytest
import torch

from fieldtune.errors import InputError
from fieldtune.models.folder import verify
from fieldtune.tasks import text_classification as task
from fieldtune.train import stopping, trainer
from fieldtune.train.checkpoint import OURS, newest
from fieldtune.train.fit import fit
from fieldtune.train.problem import Problem
from fieldtune.train.settings import Settings
from tests.core.train.test_fit import TARGETS, build, train
from tests.processes import begin

PLAN = [[row % 24, (row * 7 + 1) % 24] for row in range(60)]
CHILD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and so do its children
from pathlib import Path
from fieldtune.tasks import text_classification as task
from tests.core.train.test_fit import train
from tests.core.train.test_stopping import PLAN
seconds, problem = float(sys.argv[3]), task.problem

def slow(*arguments):
    made = problem(*arguments)
    def loss(module, batch):
        print("a step begins", flush=True)
        time.sleep(seconds)
        return made.loss(module, batch)
    return type(made)(made.collate, loss, made.items)

task.problem = slow
try:
    train(Path(sys.argv[1]), PLAN, 1, Path(sys.argv[2]), [1.0] * 4)
except KeyboardInterrupt:
    sys.exit(130)
"""


def begun(encoder: Path, folder: Path, seconds: float) -> tuple[BaseProcess, IO[str]]:
    """Training in a process of its own, each step taking so long; with what it says, from its first step on."""
    ours, its = os.pipe()
    process = begin("-c", CHILD, encoder, folder, seconds, out=its)
    os.close(its)
    said = os.fdopen(ours)
    assert said.readline() == "a step begins\n"
    return process, said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_checkpoint_and_a_second_one_ends_at_once(
    tiny_encoder: Path, tmp_path: Path, number: int, code: int
) -> None:
    once, told = begun(tiny_encoder, tmp_path / "once", 0.02)
    with told:
        os.kill(once.pid or 0, number)
        told.read()  # to its end: a full pipe would hold it
        once.join()
    assert once.exitcode == code
    twice, told = begun(tiny_encoder, tmp_path / "twice", 600)
    with told:
        while twice.is_alive():  # the first is heard in the middle of a step of ten minutes
            with contextlib.suppress(ProcessLookupError):  # it ended since
                os.kill(twice.pid or 0, number)
            time.sleep(0.05)
    assert twice.exitcode == code
    assert newest(tmp_path / "twice") is None
    stopped = newest(tmp_path / "once")
    assert stopped is not None
    verify(stopped, ours=OURS)
    resumed = train(tiny_encoder, PLAN, 1, tmp_path / "once", [1.0] * 4)
    whole = train(tiny_encoder, PLAN, 1, tmp_path / "whole", [1.0] * 4)
    assert all(torch.equal(one, other) for one, other in zip(resumed.parameters(), whole.parameters(), strict=True))


@pytest.mark.parametrize("every", [0, 1])
def test_a_signal_while_processes_agree_counts_after_the_next_step(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    agree, asked = stopping.largest, []

    def signalled(number: int) -> int:
        asked.append(number)
        if len(asked) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return agree(number)

    monkeypatch.setattr(stopping, "largest", signalled)
    with pytest.raises(SystemExit) as ended:
        train(tiny_encoder, PLAN, 1, tmp_path / "run", [1.0] * 4, checkpoint_steps=every)
    assert ended.value.code == 143
    assert asked == [0, 0, signal.SIGTERM]  # and no process leaves before the others know
    assert newest(tmp_path / "run") is not None


def test_a_signal_after_the_last_step_is_not_lost(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trainer.Trainer.train

    def signalled(self: trainer.Trainer, **given: Any) -> Any:
        done = plain(self, **given)
        os.kill(os.getpid(), signal.SIGTERM)
        return done

    monkeypatch.setattr(trainer.Trainer, "train", signalled)
    with pytest.raises(SystemExit) as ended:
        train(tiny_encoder, PLAN[:2], 1, tmp_path / "run", [1.0] * 4)
    assert ended.value.code == 143


def test_the_handler_of_the_calling_program_stays(tiny_encoder: Path, tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        train(tiny_encoder, PLAN[:2], 1, tmp_path / "run", [1.0] * 4)
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
    train(tiny_encoder, PLAN[:2], 1, tmp_path / "run2", [1.0] * 4)
    assert signal.getsignal(signal.SIGTERM) is before


def saving(encoder: Path, plan: list[list[int]], folder: Path, broken: int | None = None) -> None:
    """Train with a checkpoint after every step; the loss of a batch with a row of class ``broken`` is NaN."""
    module, tokens, loaded = build(encoder)
    made = task.problem(tokens, torch.from_numpy(TARGETS), torch.ones(4), loaded, 0.1)

    def loss(module: torch.nn.Module, batch: Any) -> torch.Tensor:
        return made.loss(module, batch) * (float("nan") if broken in batch["targets"].tolist() else 1.0)

    problem = Problem(made.collate, loss, made.items)
    fit(
        module,
        problem,
        plan,
        Settings(warmup=0.0, accumulate=2, checkpoint_steps=1),
        folder=folder,
        optimizer=torch.optim.SGD(module.parameters(), lr=0.1),
        seed=0,
        dtype=torch.float32,
        description="",
        show=False,
    )


def test_a_loss_that_is_none_names_step_and_rows(tiny_encoder: Path, tmp_path: Path) -> None:
    assert [row for row, target in enumerate(TARGETS) if target == 3] == [3, 9, 15, 21]
    plan = [[0, 1], [2, 4], [5, 6], [7, 8], [10, 11], [12, 21, 13], [14, 16], [17, 18]]
    with pytest.raises(InputError, match="nan at step 3, in the batch of training rows 12, 21, 13;"):
        saving(tiny_encoder, plan, tmp_path / "run", broken=3)
    found = newest(tmp_path / "run")
    assert found is not None
    assert found.name == "checkpoint-2"


def test_a_full_disk_is_one_message_and_the_checkpoint_before_is_whole(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("fieldtune.train.trainer")
    write, written = module.save_file, []

    def full(tensors: Any, path: Path) -> None:
        written.append(path)
        if len(written) == 2:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(tensors, path)

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(InputError, match="room on the disk"):
        saving(tiny_encoder, [[row] for row in range(8)], tmp_path / "run")
    found = newest(tmp_path / "run")
    assert found is not None
    assert found.name == "checkpoint-1"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint-1"]


SMALL_DISK = """
import sys; from pathlib import Path; import numpy as np; from safetensors.numpy import save_file
from fieldtune.errors import InputError; from fieldtune.models.folder import staged, verify
for size in (10, 10**6):
    try:
        with staged(Path(sys.argv[1]) / "model") as folder:
            save_file({"a": np.zeros(size)}, folder / "a.safetensors")
    except InputError as error:
        print(error)
verify(Path(sys.argv[1]) / "model")
print(sorted(path.name for path in Path(sys.argv[1]).iterdir()))
"""


def test_a_really_full_disk(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*alone, 'mount -t tmpfs none "$0"', tmp_path], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a disk of one megabyte")
    command = [*alone, mount, "sh", str(tmp_path), sys.executable, SMALL_DISK]
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert ran.returncode == 0, ran.stderr
    message, left = ran.stdout.splitlines()
    assert "none left while model was written" in message
    assert left == "['model']"
