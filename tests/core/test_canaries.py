"""A string planted in every training text never turns up in what a run prints, tracks or writes.

A model that writes keeps the capitals of words that several replies share, so there it stands in one.
"""

from pathlib import Path

import pandas as pd
import pytest

from fieldtune.pipeline import finetune
from fieldtune.tasks import heeded, task_module

CANARY = "Qzvex-Wombat-Kiskadee"
SETTINGS = {"max_steps": 2, "checkpoint_steps": 1, "batch_rows": 4, "max_length": 24, "max_target": 12}
TOPICS = ["my card is lost", "how to cancel the order", "the refund is lost", "account transfer to order"]


def table(task: str) -> pd.DataFrame:
    said = [f"{CANARY} {topic} {number}" for number in range(4) for topic in TOPICS]
    match task:
        case "text-classification":
            return pd.DataFrame({"text": said, "label": ["card", "order", "refund", "account"] * 4})
        case "embedding":
            return pd.DataFrame({"query": said, "positive": [f"about {text}" for text in said]})
        case "token-classification":
            words = [text.split() for text in said]
            return pd.DataFrame({"tokens": words, "tags": [["O", "B-THING", *["O"] * (len(one) - 2)] for one in words]})
    targets = [f"we see {text if row < 1 else text.replace(CANARY, 'it')}" for row, text in enumerate(said)]
    return pd.DataFrame({"source": said, "target": targets})


def read(task: str, method: str, **more: str) -> dict[str, object]:
    """Of the settings above those that the method reads."""
    wanted = SETTINGS | more
    known = heeded(task, method, task_module(task).DEFAULTS.updated(wanted))
    return {name: value for name, value in wanted.items() if name in known}


def holding(folder: Path) -> list[str]:
    """Files below that hold the canary, or one of its words."""
    words = [word.encode() for word in (CANARY, CANARY.lower(), *CANARY.split("-"), *CANARY.lower().split("-"))]
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    return [file.name for file in files if any(word in file.read_bytes() for word in words)]


RUNS = [
    ("text-classification", "full"), ("text-classification", "head"), ("text-classification", "fewshot"),
    ("embedding", "full"), ("token-classification", "full"), ("token-classification", "head"), ("seq2seq", "full"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "method"), RUNS)
def test_a_canary_in_the_training_texts_is_nowhere_in_what_a_run_leaves(
    task: str, method: str, tiny_encoder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = table(task)
    settings = {**read(task, method), "track": "jsonl", "track_dir": tmp_path / "runs"}
    finetune(task, rows, valid=rows, model=str(tiny_encoder), method=method, out=tmp_path / "model", settings=settings)
    assert holding(tmp_path) == []
    printed = capfd.readouterr()
    assert "Wombat" not in printed.out + printed.err


@pytest.mark.parametrize("task", ["text-classification", "embedding", "token-classification", "seq2seq"])
def test_nor_in_a_checkpoint(task: str, tiny_encoder: Path, tmp_path: Path) -> None:
    about = task_module(task)
    settings = about.DEFAULTS.updated({**SETTINGS, "track": "jsonl", "track_dir": tmp_path / "runs"})
    about.train(
        table(task), "full", str(tiny_encoder), settings, seed=0, folder=tmp_path / "work", show=False
    )  # a finished run takes its checkpoints away
    assert holding(tmp_path / "work") == []


def test_replay_keeps_texts_in_its_memory_and_nowhere_else(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = table("text-classification")
    settings = read("text-classification", "continual", keeps="replay")
    out = tmp_path / "model"
    finetune(
        "text-classification", rows, valid=rows, model=str(tiny_encoder), method="continual", out=out, settings=settings
    )
    assert holding(out) == ["memory.json"]
