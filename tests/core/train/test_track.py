"""Trackers: the same numbers in all of them, nothing of the user's text, nothing at all unless asked for."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fieldtune
from fieldtune.errors import ConfigError
from fieldtune.train.track import LINES, opened

CANARY = "zanzibarcanary"
TEXTS = [f"my card {CANARY} {number}" for number in range(12)] + [f"refund {CANARY} {number}" for number in range(12)]
TABLE = pd.DataFrame({"text": TEXTS, "label": [f"{CANARY}card"] * 12 + [f"{CANARY}refund"] * 12})


def train(out: Path, encoder: Path, **settings: Any) -> fieldtune.Finetuned:
    return fieldtune.finetune(
        "text-classification", TABLE, model=str(encoder), out=out, progress=False,
        settings={"epochs": 2, "token_budget": 64, "refit": False, **settings},
    )  # fmt: skip


def lines_of(folder: Path) -> dict[tuple[str, int], float]:
    (file,) = folder.rglob(LINES)
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return {(name, line["step"]): value for line in found for name, value in line.items() if name != "step"}


def events_of(folder: Path) -> dict[tuple[str, int], float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (place,) = {file.parent for file in folder.rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(place)).Reload()
    return {(tag, event.step): event.value for tag in events.Tags()["scalars"] for event in events.Scalars(tag)}


def records_of(file: Path) -> list[bytes]:
    """The records of a W&B file: LevelDB's log format, in blocks of 32 KiB after a head of 7 bytes."""
    raw, place, found, open_ = file.read_bytes(), 7, [], b""
    while place + 7 <= len(raw):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = int.from_bytes(raw[place + 4 : place + 6], "little"), raw[place + 6]
        open_ += raw[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last piece of one
            found.append(open_)
            open_ = b""
    return found


def offline_of(folder: Path) -> dict[tuple[str, int], float]:
    from wandb.proto import wandb_internal_pb2

    found: dict[tuple[str, int], float] = {}
    for raw in (raw for file in folder.rglob("*.wandb") for raw in records_of(file)):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(raw)
        items = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        at = int(float(items.get("_step", record.history.step.num)))
        found |= {(name, at): float(value) for name, value in items.items() if not name.startswith("_")}
    return found


def test_all_trackers_tell_the_same_numbers_and_no_text(tiny_encoder: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    done = train(tmp_path / "model", tiny_encoder, track="jsonl,tensorboard,wandb", track_dir=str(runs))
    lines, events, offline = lines_of(runs), events_of(runs), offline_of(runs)
    assert lines[("figures/accuracy", 0)] == done.metrics["accuracy"]
    assert {name for name, _ in lines} >= {"loss", "learning_rate/0", "settings/epochs", "figures/ece"}
    for other in (events, offline):
        assert lines.keys() == other.keys()
        assert all(other[key] == pytest.approx(value, rel=1e-6) for key, value in lines.items())
    for file in (file for file in runs.rglob("*") if file.is_file()):
        raw = file.read_bytes()
        assert CANARY.encode() not in raw, file
        assert os.fsencode(tiny_encoder) not in raw, file


def test_nothing_is_written_unasked_and_tracking_changes_no_weight(tiny_encoder: Path, tmp_path: Path) -> None:
    train(tmp_path / "plain", tiny_encoder)
    assert {path.name for path in tmp_path.iterdir()} <= {"plain", "home"}
    train(tmp_path / "told", tiny_encoder, track="jsonl", track_dir=str(tmp_path / "runs"))
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("plain", "told")]
    assert same[0] == same[1]
    cards = [json.loads((tmp_path / name / "fieldtune.json").read_text())["run"] for name in ("plain", "told")]
    assert cards[0] == cards[1]


def test_a_continued_run_loses_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    first = opened("jsonl", tmp_path, "run", {"epochs": 2})
    for step in range(1, 6):
        first(step, {"loss": float(step)})
    first.close()
    with next(tmp_path.rglob(LINES)).open("a") as handle:
        handle.write('{"step": 6, "lo')  # killed while it wrote
    again = opened("jsonl", tmp_path, "run", {"epochs": 2}, 3)
    again(4, {"loss": 40.0})
    again.close()
    steps = [json.loads(line)["step"] for line in next(tmp_path.rglob(LINES)).read_text().splitlines()]
    assert steps == [0, 1, 2, 3, 4]


def test_an_unknown_tracker_is_refused_before_any_work(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trackers out of jsonl, tensorboard, wandb"):
        train(tmp_path / "model", tiny_encoder, track="carrier-pigeon")
    assert not (tmp_path / "model").exists()
