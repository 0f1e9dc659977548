"""Training in two real processes: the model of one, and what happens when one of them is killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.batching import dealt
from fieldtune.errors import InputError, RefusedError
from fieldtune.pipeline import finetune
from fieldtune.runtime import cores

TEXTS = ["my card is lost", "refund to the account", "cancel my order", "how to transfer", "the card", "refund"] * 4
TABLE = pd.DataFrame({"text": TEXTS, "label": ["a", "b", "c", "d", "a", "b"] * 4})
SETTINGS = {"epochs": 8, "token_budget": 40, "dropout": 0.0, "checkpoint_steps": 4}


def train(encoder: Path, out: Path, processes: int) -> None:
    valid = TABLE.head(6).assign(text=TABLE["text"] + " is")
    finetune(
        "text-classification", TABLE, valid=valid, model=str(encoder), out=out, settings=SETTINGS, progress=False,
        processes=processes,
    )  # fmt: skip


def kill_one(folder: Path) -> None:
    """SIGKILL the second of the processes once there is a checkpoint."""
    deadline = time.monotonic() + 60
    while not list(folder.glob("checkpoint-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(int(multiprocessing.active_children()[-1].pid or 0), signal.SIGKILL)


def test_a_killed_process_ends_the_others_and_the_next_call_ends_at_the_model_of_one(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "two"
    killer = threading.Thread(target=kill_one, args=(out / "checkpoints",))
    killer.start()
    with pytest.raises(RefusedError, match=r"killed by signal 9.*run the same command again"):
        train(tiny_encoder, out, 2)
    killer.join()
    assert not multiprocessing.active_children()
    kept = list((out / "checkpoints").glob("checkpoint-*"))
    assert kept
    assert all((checkpoint / "random.safetensors").is_file() for checkpoint in kept)
    train(tiny_encoder, out, 2)
    train(tiny_encoder, tmp_path / "one", 1)
    one, two = (fieldtune.load(path).logits(TEXTS) for path in (tmp_path / "one", out))
    assert np.abs(one - two).max() <= 1e-2  # AdamW amplifies the last digits; by SGD they agree to 1e-6
    assert not (out / "checkpoints").exists()


def press(curves: Path, number: int) -> None:
    """A signal to this process once there were some steps."""
    deadline = time.monotonic() + 60
    while (
        not any(file.read_text().count("loss") > 3 for file in curves.rglob("*.jsonl")) and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "end"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_leaves_a_checkpoint(
    tiny_encoder: Path, tmp_path: Path, number: int, end: type[BaseException]
) -> None:
    settings = {
        **SETTINGS,
        "epochs": 10_000,
        "checkpoint_steps": 0,
        "track": "jsonl",
        "track_dir": str(tmp_path / "curves"),
    }
    presser = threading.Thread(target=press, args=(tmp_path / "curves", number))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    presser.start()
    try:
        with pytest.raises(end):
            finetune(
                "text-classification", TABLE, model=str(tiny_encoder), out=tmp_path / "out", settings=settings,
                progress=False, processes=2,
            )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
        presser.join()
    assert not multiprocessing.active_children()
    assert list((tmp_path / "out" / "checkpoints").glob("checkpoint-*"))


def test_no_process_is_too_few(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 to"):
        train(tiny_encoder, tmp_path, 0)


def test_every_row_is_dealt_once_and_idle_parts_are_marked() -> None:
    plan = [[4, 0, 3, 1, 2], [7]]
    parts = [dealt(plan, part, 2) for part in range(2)]
    assert sorted(parts[0][0] + parts[1][0]) == [0, 1, 2, 3, 4]
    assert (parts[0][1], parts[1][1]) == ([7], [-8])


UNGUARDED = """
import sys
import fieldtune
table = {"text": ["card", "refund"] * 10, "label": ["a", "b"] * 10}
fieldtune.finetune("text-classification", table, model=sys.argv[1], out="m", settings={"max_steps": 1}, processes=2)
"""


def test_a_script_without_the_guard_is_told_of_it(tiny_encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(UNGUARDED)
    ran = subprocess.run([sys.executable, "script.py", tiny_encoder], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1
    assert '`if __name__ == "__main__":`' in ran.stderr.splitlines()[-1]


def test_more_processes_than_cores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"1 to {max(2, cores())} processes"):
        finetune("text-classification", TABLE, out=tmp_path / "m", processes=max(2, cores()) + 1)
