"""Hyper-parameter search: counts trials, goes on after SIGKILL and after a trial that failed, keeps one model, never ends
below the defaults."""

import os
import signal
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fieldtune
from fieldtune.errors import ArtefactError, DivergedError, InputError
from fieldtune.models.folder import staged, verify
from fieldtune.searching import find_settings
from fieldtune.tasks import heeded, task_module
from fieldtune.train.search import BEST, STUDY, WORK, search, space
from tests.processes import begin, run

DEFAULTS = {"learning_rate": 1e-4, "epochs": 5, "dropout": 0.1}
RANGES = space(DEFAULTS, DEFAULTS)


def trained(settings: Mapping[str, Any], folder: Path) -> float:
    """A stand-in for training whose best learning rate is known."""
    with staged(folder) as temporary:
        (temporary / "rate").write_text(str(settings["learning_rate"]))
    return -abs(settings["learning_rate"] - 2e-4)


def found(folder: Path, trials: int) -> Any:
    return search(trained, trials, folder, seed=0, run="a", fixed={"batch_rows": 8}, ranges=RANGES, defaults=DEFAULTS)


def test_the_first_trial_is_the_defaults_and_the_best_model_is_kept(tmp_path: Path) -> None:
    result = found(tmp_path, 12)
    assert {name: result.trials[0][name] for name in DEFAULTS} == DEFAULTS
    assert result.value == max(trial["value"] for trial in result.trials) > -1e-4
    assert float((result.best / "rate").read_text()) == result.settings["learning_rate"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEST, STUDY]


def test_a_search_in_pieces_proposes_what_one_in_one_piece_does(tmp_path: Path) -> None:
    whole = found(tmp_path / "whole", 8)
    for trials in (1, 4, 8, 8):
        pieces = found(tmp_path / "pieces", trials)
        assert len(pieces.trials) == trials
    assert pieces.trials == whole.trials


def failing(settings: Mapping[str, Any], folder: Path) -> float:
    """The same, but that half of all settings diverge or give no figure; it leaves files in its folder all the same."""
    value = trained(settings, folder)
    if settings["epochs"] < 5:
        raise DivergedError("a finite loss", "nan at step 3", "lower the learning rate")
    return float("nan") if settings["dropout"] > 0.15 else value


def test_trials_that_diverge_or_have_no_figure_are_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = search(failing, 10, tmp_path / "whole", seed=0, run="a", fixed={}, ranges=RANGES, defaults=DEFAULTS)
    said = capsys.readouterr().err
    assert said.count("nan at step 3") > 0
    assert said.count("its figure on the validation rows is nan") > 0
    assert said.count(" failed: ") == whole.failed == 10 - len(whole.trials)
    assert all(trial["epochs"] >= 5 and trial["dropout"] <= 0.15 for trial in whole.trials)
    proposed = {line.partition(": ")[2] for line in said.splitlines() if line.startswith("trial") and " of 10" in line}
    assert len(proposed) == 10  # none is proposed twice
    for trials in (1, 4, 10):
        pieces = search(
            failing, trials, tmp_path / "pieces", seed=0, run="a", fixed={}, ranges=RANGES, defaults=DEFAULTS
        )
    assert (pieces.trials, pieces.failed) == (whole.trials, whole.failed)
    assert sorted(path.name for path in (tmp_path / "pieces").iterdir()) == [BEST, STUDY]


KILLED = """
import os, signal, sys
from pathlib import Path
from fieldtune.train.search import search
from tests.core.train.test_search import DEFAULTS, RANGES, failing

def train(settings, folder):
    place = Path(sys.argv[1]) / f"at-{settings['learning_rate']}"
    if not place.exists():  # the first time these settings are tried
        place.touch()
        folder.mkdir()
        os.kill(os.getpid(), signal.SIGKILL)
    assert folder.exists()  # what the cut trial left
    return failing(settings, folder)

search(train, 3, Path(sys.argv[2]), seed=0, run="a", fixed={}, ranges=RANGES, defaults=DEFAULTS)
"""


def test_killed_in_every_trial_it_ends_as_one_that_was_not(tmp_path: Path) -> None:
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    codes = [run("-c", KILLED, marks, out).code for _ in range(4)]
    assert codes == [-signal.SIGKILL] * 3 + [0]
    whole = search(failing, 3, tmp_path / "whole", seed=0, run="a", fixed={}, ranges=RANGES, defaults=DEFAULTS)
    cut = search(failing, 3, out, seed=0, run="a", fixed={}, ranges=RANGES, defaults=DEFAULTS)
    assert (cut.trials, cut.failed, cut.settings) == (whole.trials, whole.failed, whole.settings)
    assert cut.failed > 0
    assert (cut.best / "rate").read_text() == (whole.best / "rate").read_text()


CUT = """
import os, signal, sys
from pathlib import Path
from optuna.trial import Trial
from tests.core.train.test_search import found

suggest, asked = Trial._suggest, []

def cut(trial, name, distribution):
    if asked:  # the trial was taken from those that wait, and has one of its settings
        os.kill(os.getpid(), signal.SIGKILL)
    asked.append(name)
    return suggest(trial, name, distribution)

Trial._suggest = cut
found(Path(sys.argv[1]), 2)
"""


def test_killed_while_the_defaults_were_proposed_it_tries_them_all_the_same(tmp_path: Path) -> None:
    assert run("-c", CUT, tmp_path / "out").code == -signal.SIGKILL
    result = found(tmp_path / "out", 3)
    assert [{name: trial[name] for name in DEFAULTS} == DEFAULTS for trial in result.trials] == [True, False, False]


def test_too_few_validation_rows_for_a_figure_end_in_an_error(tiny_encoder: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"text": [f"my card {n}" for n in range(12)], "label": [str(n / 3) for n in range(12)]})
    fixed = {"epochs": 1, "max_steps": 1}
    with pytest.raises(InputError, match=r"none: all 2 diverged, or have no figure.*--valid"):
        find_settings(
            "regression", table, model=str(tiny_encoder), out=tmp_path, trials=2, progress=False, settings=fixed
        )


def test_killed_before_a_figure_that_is_no_number_was_told_it_goes_on(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.DataFrame({"text": [f"my card {n}" for n in range(12)], "label": np.arange(12.0)})
    valid = pd.DataFrame({"text": ["my card x", "my card y"], "label": [3.0, 3.0]})  # nothing to correlate with
    given: dict[str, Any] = {"model": str(tiny_encoder), "out": tmp_path, "valid": valid, "settings": {"max_steps": 1}}

    def killed(train: Any, settings: Mapping[str, Any], work: Path) -> None:
        train(settings, work)
        raise KeyboardInterrupt

    with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
        cut.setattr("fieldtune.train.search._figure", killed)
        find_settings("regression", table, trials=1, progress=False, **given)
    assert verify(tmp_path / WORK)
    with pytest.raises(InputError, match="none: all 1 diverged, or have no figure"):
        find_settings("regression", table, trials=1, progress=False, **given)


def test_a_training_that_diverges_does_not_end_the_search(tiny_encoder: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"text": [f"{word} {n}" for word in ("card", "refund") for n in range(10)]})
    table["label"] = table["text"].str.split().str[0]
    given: dict[str, Any] = {"model": str(tiny_encoder), "out": tmp_path / "out", "progress": False}
    for trials in (1, 2):  # the second call is another trial, not the first one again
        with pytest.raises(InputError, match=f"none: all {trials} diverged"):
            find_settings(
                "text-classification", table, trials=trials, settings={"learning_rate": 1e30, "max_steps": 3}, **given
            )


def test_rows_seen_in_training_are_told_once_and_stand_on_the_card(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.DataFrame({"text": [f"{word} {n}" for word in ("card", "refund") for n in range(10)]})
    table["label"] = table["text"].str.split().str[0]
    valid = pd.concat([table[:3], table[15:].assign(text=lambda rows: "the " + rows["text"])], ignore_index=True)
    best = find_settings(
        "text-classification", table, valid=valid, model=str(tiny_encoder), out=tmp_path / "out", trials=2,
        settings={"epochs": 1, "max_steps": 1},
    ).best  # fmt: skip
    assert capsys.readouterr().err.count("also stand in train: figures will flatter") == 1
    assert fieldtune.load(best).card["metrics"]["leaked"] == {"exact": 3, "near": 0}


def test_rows_split_off_here_are_counted_for_the_card_and_no_leak(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"the parcel with the number {n} was sent to you yesterday at noon" for n in range(5000, 5040)]
    table = pd.DataFrame({"text": texts, "label": ["a", "b"] * 20})
    given: dict[str, Any] = {"model": str(tiny_encoder), "settings": {"epochs": 1, "max_steps": 1}}
    best = find_settings("text-classification", table, out=tmp_path / "out", trials=1, **given).best
    assert "figures will flatter" not in capsys.readouterr().err
    assert fieldtune.load(best).card["metrics"]["leaked"] == {"exact": 0, "near": 4}
    page = (best / "README.md").read_text()
    assert "kept apart from those it learnt from; 4 of them are nearly one of those." in page


def test_rows_that_differ_in_what_is_hidden_alone_stay_on_one_side(tiny_encoder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = ["a", "b"] * 20
    texts = ["".join(rng.choice(list("abcdefgh"), 12)) for _ in label]  # of which nothing tells the label
    table = pd.DataFrame(
        [(f"{text} {n}.{m}@mail.com", label[n]) for n, text in enumerate(texts) for m in range(5)],
        columns=["text", "label"],
    )
    given: dict[str, Any] = {"model": str(tiny_encoder), "settings": {"epochs": 2}, "progress": False, "trials": 1}
    card = fieldtune.load(find_settings("text-classification", table, out=tmp_path / "a", **given).best).card
    assert card["metrics"]["leaked"]["exact"] == 0 and card["hidden"] == {"email": 200}
    valid = table.iloc[::25].assign(text=lambda rows: rows["text"].str.replace(".", "", n=1))  # other addresses
    best = find_settings("text-classification", table, valid=valid, out=tmp_path / "b", **given).best
    assert fieldtune.load(best).card["metrics"]["leaked"]["exact"] == len(valid) == 8


def test_a_folder_of_another_search_is_refused(tmp_path: Path) -> None:
    found(tmp_path, 1)
    with pytest.raises(ArtefactError, match="another search"):
        search(trained, 2, tmp_path, seed=0, run="b", fixed={}, ranges=RANGES, defaults=DEFAULTS)


def test_what_is_no_searchs_is_not_replaced(tmp_path: Path) -> None:
    for place in (tmp_path / "new", tmp_path / "known"):
        if place.name == "known":
            found(place, 1)
        (place / BEST).mkdir(parents=True, exist_ok=True)
        (place / BEST / "precious.txt").write_text("mine")
        with pytest.raises(ArtefactError, match=r"precious\.txt"):
            found(place, 4)
        assert (place / BEST / "precious.txt").read_text() == "mine"
    for folder in (tmp_path / "model", tmp_path / "model" / "inner"):
        with staged(tmp_path / "model"):
            pass
        with pytest.raises(InputError, match="outside of saved models"):
            found(folder, 1)
        verify(tmp_path / "model")
    with staged(tmp_path / "theirs" / BEST):
        pass
    with pytest.raises(ArtefactError, match=f"without the {STUDY}"):
        found(tmp_path / "theirs", 1)


def flip(file: Path) -> None:
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])


@pytest.mark.parametrize("harm", [flip, Path.unlink])
def test_a_best_model_that_was_damaged_is_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Any
) -> None:
    whole = found(tmp_path, 3)
    before = (whole.best / "rate").read_bytes()
    harm(whole.best / "rate")
    assert found(tmp_path, 3) == whole
    assert "trained again" in (said := capsys.readouterr().err) and "rate" in said
    assert (whole.best / "rate").read_bytes() == before
    verify(whole.best)


def halved(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def hollow(raw: bytes) -> bytes:
    third = len(raw) // 3
    return raw[:third] + bytes(third) + raw[2 * third :]


def other(raw: bytes) -> bytes:
    return b"no database\n" * 200


@pytest.mark.parametrize("harm", ["DROP TABLE trial_values", "ALTER TABLE trials RENAME COLUMN state TO condition"])
def test_a_study_that_lacks_something_is_damaged_and_no_matter_of_the_disk(tmp_path: Path, harm: str) -> None:
    found(tmp_path, 1)
    with closing(sqlite3.connect(tmp_path / STUDY)) as database:
        database.execute(harm)
    with pytest.raises(ArtefactError, match="restore that file"):
        found(tmp_path, 2)


def test_errors_of_a_training_are_its_own(tmp_path: Path) -> None:
    def full(settings: Any, folder: Path) -> float:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(sqlite3.OperationalError, match="disk is full"):
        search(full, 1, tmp_path, seed=0, run="a", fixed={}, ranges=RANGES, defaults=DEFAULTS)


def test_trials_that_another_program_has_locked_are_not_called_damaged(tmp_path: Path) -> None:
    found(tmp_path, 1)

    def locking(settings: Any, folder: Path) -> float:
        lock = sqlite3.connect(tmp_path / STUDY, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        locks.append(lock)
        return failing(settings, folder)

    locks: list[sqlite3.Connection] = []
    with pytest.raises(ArtefactError, match=r"can be read and written.*locked.*same command"):
        search(locking, 3, tmp_path, seed=0, run="a", fixed={}, ranges=RANGES, defaults=DEFAULTS)
    locks[0].close()
    assert len(found(tmp_path, 2).trials) == 2


@pytest.mark.parametrize("harm", [halved, hollow, other])
def test_damaged_trials_are_named(tmp_path: Path, harm: Any) -> None:
    found(tmp_path, 2)
    file = tmp_path / STUDY
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(ArtefactError, match=rf"trials of a search in .*{STUDY}.*restore that file"):
        found(tmp_path, 3)


def test_nothing_to_search_is_refused(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]})
    with pytest.raises(InputError, match="at least one trial"):
        find_settings("text-classification", table, out=tmp_path, trials=0)
    for method in ("linear", "head", "zeroshot", "selftrain", "continual"):
        with pytest.raises(InputError, match=f"settings left to search for; found '{method}'"):
            find_settings("text-classification", table, out=tmp_path, trials=1, method=method)
    with pytest.raises(InputError, match="found 'copy'"):
        find_settings("seq2seq", table, out=tmp_path, trials=1, method="copy")


def test_rates_are_searched_around_the_defaults_of_the_method() -> None:
    about = task_module("text-classification")
    for method, rate in {"full": 1e-4, "lora": 1e-3, "ia3": 1e-2}.items():
        chosen = about.DEFAULTS.suited(method)
        found = space(asdict(chosen), heeded("text-classification", method, chosen))
        assert found["learning_rate"] == ("log", pytest.approx(rate / 5), pytest.approx(rate * 5))
        assert found["epochs"] == ("int", 2, 10)
    assert space({"epochs": 1}, {"epochs"}) == {"epochs": ("int", 1, 2)}
    assert space({"epochs": 25}, {"epochs", "max_length"}) == {"epochs": ("int", 12, 50)}


@pytest.mark.parametrize(
    ("task", "method", "names"),
    [
        ("text-classification", "fewshot", {"learning_rate", "dropout", "weight_decay"}),
        ("regression", "full", {"learning_rate", "head_learning_rate", "epochs", "dropout", "weight_decay"}),
        ("image-classification", "head", {"head_learning_rate", "epochs", "label_smoothing", "weight_decay"}),
    ],
)
def test_only_what_the_method_reads_is_searched(task: str, method: str, names: set[str]) -> None:
    chosen = task_module(task).DEFAULTS.suited(method)
    ranges = space(asdict(chosen), heeded(task, method, chosen))
    assert ranges.keys() == names
    assert all(least <= getattr(chosen, name) <= most for name, (_, least, most) in ranges.items())


SCRIPT = """
import sys, pandas as pd
from fieldtune.models.folder import staged, verify
from fieldtune.searching import find_settings
texts = [f"{word} {n}" for word in ("my card is lost", "refund the order") for n in range(20)]
table = pd.DataFrame({"text": texts, "label": ["card"] * 20 + ["refund"] * 20})
find_settings("text-classification", table, model=sys.argv[1], out=sys.argv[2], trials=4, progress=False,
              settings={"epochs": 2, "token_budget": 64, "checkpoint_steps": 2})
"""


def finished(study: Path) -> int:
    with sqlite3.connect(study) as connection:
        return int(connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0])


def test_killed_the_same_call_goes_on_and_counts_finished_trials(tiny_encoder: Path, tmp_path: Path) -> None:
    out, home = tmp_path / "out", tmp_path / "home"
    command = ("-c", SCRIPT, tiny_encoder, out)
    environment = {**os.environ, "FIELDTUNE_HOME": str(home)}
    process = begin(*command, environment=environment)
    deadline = time.monotonic() + 120
    while not ((out / BEST).exists() and (out / WORK).exists()) and process.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.join()
    before = finished(out / STUDY)
    assert 1 <= before < 4
    assert run(*command, environment=environment).code == 0
    assert finished(out / STUDY) == 4
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {BEST, STUDY}
    assert fieldtune.load(out / BEST).labels == ("card", "refund")
