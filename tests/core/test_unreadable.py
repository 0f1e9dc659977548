"""Pictures that are not there or cannot be read, among others that can: counted, named, and no other row lost for them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fieldtune
from fieldtune.errors import InputError
from fieldtune.tasks import task_module
from tests.conftest import Ran

TASKS = ("image-classification", "image-text", "object-detection")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty pictures, light or dark."""
    for number in range(30):
        shade = np.full((16, 16, 3), 40 + 160 * (number % 2), np.uint8)
        shade[number % 16] = number
        Image.fromarray(shade).save(tmp_path / f"{number}.png")
    return tmp_path


def table_of(task: str) -> pd.DataFrame:
    table = pd.DataFrame({"image": [f"{number}.png" for number in range(30)]})
    if task == "object-detection":
        return table.assign(boxes=[[{"label": "spot", "box": [2, 2, 10, 12]}]] * 30)
    table["label"] = ["dark", "light"] * 15
    return table.assign(text=[f"a thing {n}" for n in range(30)]) if task == "image-text" else table


def spoil(folder: Path, count: int) -> list[str]:
    """The first of the pictures cut, no picture, or empty in turn; their names."""
    for number in range(count):
        file = folder / f"{number}.png"
        raw = file.read_bytes()
        file.write_bytes((raw[: len(raw) // 2], b"<html>not found</html>", b"")[number % 3])
    return [f"{number}.png" for number in range(count)]


def write(table: pd.DataFrame, file: Path) -> Path:
    table.to_json(file, orient="records", lines=True)
    return file


@pytest.mark.parametrize("task", TASKS)
def test_unreadable_pictures_of_a_training_table_are_counted_and_named(
    task: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = spoil(folder, 12)
    rows = task_module(task).read(write(table_of(task), folder / "t.jsonl"))
    err = capsys.readouterr().err
    assert "note: 12 pictures cannot be read" in err
    assert all(f"{name}:" in err for name in names[:10])
    assert not any(f"{name}:" in err for name in names[10:])
    assert "; and 2 more" in err
    if task == "image-text":  # the text of these rows is learnt from
        assert len(rows) == 30
        assert [image is None for image in rows["image"]] == [True] * 12 + [False] * 18
    else:
        assert [Path(image).name for image in rows["image"]] == [f"{number}.png" for number in range(12, 30)]


@pytest.mark.parametrize("task", TASKS)
def test_a_table_of_unreadable_pictures_alone_is_refused(task: str, folder: Path) -> None:
    spoil(folder, 30)
    with pytest.raises(InputError, match=r"none among 30 of .*0\.png.*; and 20 more"):
        task_module(task).read(write(table_of(task), folder / "t.jsonl"))


def test_a_folder_a_class_is_looked_through(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(30):
        place = folder / "all" / ("dark", "light")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").rename(place / f"{number}.png")
    (folder / "all" / "dark" / "0.png").write_bytes(b"")
    assert len(task_module("image-classification").read(folder / "all")) == 29
    assert "1 pictures cannot be read, left out" in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS)
def test_files_that_are_not_there_count_like_those_that_cannot_be_read(
    task: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder, 3)
    for number in range(3, 12):
        (folder / f"{number}.png").unlink()
    rows = task_module(task).read(write(table_of(task), folder / "t.jsonl"))
    err = capsys.readouterr().err
    assert "note: 12 pictures cannot be read" in err
    assert f"row 4, nothing at {folder / '3.png'}; " in err
    assert len(rows) == (30 if task == "image-text" else 18)


@pytest.mark.parametrize("task", TASKS)
def test_a_wrong_folder_is_an_error_that_says_where_was_looked(task: str, folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    with pytest.raises(InputError, match=rf"none among 30 of .*nothing at {folder / 'elsewhere' / '0.png'}; "):
        task_module(task).read(write(table_of(task), folder / "elsewhere" / "t.jsonl"))


@pytest.mark.parametrize("task", TASKS)
def test_a_label_that_goes_with_its_last_picture_is_named(
    task: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_of(task)
    if task == "object-detection":
        table.at[0, "boxes"] = [{"label": "rare", "box": [1, 1, 5, 5]}, {"label": "spot", "box": [1, 1, 5, 5]}]
    else:
        table.loc[0, "label"] = "rare"
    table = table.assign(text=["", *table["text"][1:]]) if task == "image-text" else table
    file = write(table, folder / "t.jsonl")
    task_module(task).read(file)
    assert "no picture is left" not in capsys.readouterr().err
    spoil(folder, 2)
    task_module(task).read(file)
    assert "note: no picture is left of the labels 'rare' (" in capsys.readouterr().err


def test_data_check_counts_them_and_numbers_the_other_rows_as_the_file_does(
    folder: Path, cli: Callable[..., Ran]
) -> None:
    spoil(folder, 1)
    (folder / "7.png").unlink()
    (folder / "20.png").write_bytes((folder / "10.png").read_bytes())  # row 20 repeats row 10
    file = write(table_of("image-classification"), folder / "t.jsonl")
    found = cli("data", "check", file, "--task", "image-classification", "--json").json
    rows = {finding["kind"]: finding["rows"] for finding in found["findings"]}
    assert rows == {"unreadable": [1, 8], "duplicate": [21]}  # lines count from one
    assert found["rows"] == 28


@pytest.mark.parametrize("task", TASKS)
def test_data_check_counts_empty_rows_as_the_file_does(task: str, folder: Path, cli: Callable[..., Ran]) -> None:
    spoil(folder, 1)
    (folder / "20.png").write_bytes((folder / "10.png").read_bytes())
    lines = write(table_of(task).assign(text="a thing"), folder / "t.jsonl").read_text().splitlines()
    (folder / "t.jsonl").write_text("\n".join(["", "{}", *lines[:15], "{}", *lines[15:]]) + "\n")
    ran = cli("data", "check", folder / "t.jsonl", "--task", task, "--json")
    rows = {finding["kind"]: finding["rows"] for finding in ran.json["findings"]}
    assert (rows["unreadable"], rows["duplicate"]) == ([3], [24])
    assert ": row 3, " in ran.err


@pytest.mark.parametrize("task", TASKS)
def test_findings_are_on_rows_of_the_whole_table(task: str, folder: Path) -> None:
    Image.new("L", (16, 16), 9).save(folder / "20.png")  # the others have three channels
    table = table_of(task)
    if task == "image-text":
        table.loc[:4, "image"] = None
    else:
        table["part"] = ["test"] * 5 + ["train"] * 20 + ["val"] * 5
    about = task_module(task)
    modes = [one for one in about.check(about.read(write(table, folder / "t.jsonl"))) if one.kind == "mixed-modes"]
    assert [one.rows for one in modes] == [(20,)]


@pytest.mark.parametrize("task", TASKS)
def test_an_unreadable_picture_loses_no_other_answer(
    task: str, folder: Path, cli: Callable[..., Ran], tiny_encoder: Path
) -> None:
    table = table_of(task)
    method = "linear" if task == "image-classification" else "full"
    settings = {} if method == "linear" else {"max_steps": 1, "image_size": 32}
    model = str(tiny_encoder) if task == "image-text" else "default"
    done = fieldtune.finetune(task, write(table, folder / "t.jsonl"), method=method, model=model,
                              out=folder / "m", settings=settings, progress=False)  # fmt: skip
    asked = write(table.drop(columns=["label", "boxes"], errors="ignore").head(9), folder / "asked.jsonl")
    command = ("predict", "--model", done.path, "--data", asked, "--out", folder / "p.jsonl", "--json")
    assert cli(*command).code == 0

    def written() -> list[dict[str, Any]]:  # in batches of others the last bit may differ
        lines = (folder / "p.jsonl").read_text().splitlines()
        return [json.loads(line, parse_float=lambda digits: round(float(digits), 5)) for line in lines]

    before = written()
    assert "unreadable" not in before[0]
    spoil(folder, 2)
    (folder / "4.png").unlink()
    ran = cli(*command)
    assert ran.code == 0, ran.err
    assert "note: 3 pictures cannot be read, column 'unreadable' says why" in ran.err
    assert json.loads(ran.out)["rows"] == 9
    assert json.loads(ran.out)["unreadable"] == 3
    if task == "image-classification":  # of what was answered
        told = [json.loads(line)["in_scope"] for line in (folder / "p.jsonl").read_text().splitlines()]
        assert json.loads(ran.out)["in_scope"] == told.count(True) / 6
    after = written()
    assert [row["image"] for row in after] == [f"{number}.png" for number in range(9)]
    assert [bool(row.pop("unreadable")) for row in after] == [number in (0, 1, 4) for number in range(9)]
    answer = "boxes" if task == "object-detection" else "predicted"
    for number in range(9):
        if number not in (0, 1, 4):
            assert after[number] == before[number]
        else:  # of a picture and a text the text is left
            assert (after[number][answer] is not None) == (task == "image-text")


@pytest.mark.parametrize("task", ["image-classification", "object-detection"])
def test_pictures_of_a_folder_are_found_again_from_the_answers(
    task: str, folder: Path, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3, 30):
        (folder / f"{number}.png").unlink()
    rows = table_of(task).head(3)
    settings = {"max_steps": 1, "image_size": 32}
    model = fieldtune.finetune(task, write(rows, folder / "t.jsonl"), out=folder / "m", settings=settings).path
    (folder / "deep" / "pictures").mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.png").rename(folder / "deep" / "pictures" / f"{number}.png")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "deep")
    whole = folder / "deep" / "pictures"
    for data, out, first in (
        ("pictures", "o.jsonl", "pictures/0.png"),
        ("pictures", "../elsewhere/o.jsonl", "../deep/pictures/0.png"),
        (whole, folder / "o.jsonl", "deep/pictures/0.png"),
        (whole, folder / "elsewhere" / "o.jsonl", str(whole / "0.png")),
    ):
        ran = cli("predict", "--model", model, "--data", data, "--out", out)
        assert ran.code == 0, ran.err
        assert pd.read_json(out, lines=True)["image"][0] == first
        bare = fieldtune.read_table(out)[["image"]]
        write(bare, Path(out))
        assert "unreadable" not in fieldtune.predict(model, out)
    assert "unreadable" not in fieldtune.predict(model, fieldtune.predict(model, "pictures")[["image"]])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("task", ["image-classification", "object-detection"])
def test_of_unreadable_pictures_alone_every_row_says_so(
    task: str, kind: str, folder: Path, cli: Callable[..., Ran]
) -> None:
    settings = {"max_steps": 1, "image_size": 32} if task == "object-detection" else {}
    done = fieldtune.finetune(task, write(table_of(task), folder / "t.jsonl"), settings=settings,
                              method="full" if settings else "linear", out=folder / "m", progress=False)  # fmt: skip
    some = write(pd.DataFrame({"image": ["no.png", "1.png"]}), folder / "some.jsonl")
    asked = write(pd.DataFrame({"image": ["no.png", None, "t.jsonl"]}), folder / "asked.jsonl")
    command = ("predict", "--model", done.path, "--json")
    assert cli(*command, "--data", some, "--out", folder / "some.csv").code == 0
    ran = cli(*command, "--data", asked, "--out", folder / f"p.{kind}")
    assert ran.code == 0, ran.err
    assert (ran.json["rows"], ran.json["unreadable"]) == (3, 3)
    assert f"row 1, nothing at {folder / 'no.png'}; row 2, no picture: " in ran.err
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda file: pd.read_json(file, lines=True)}[kind]
    answers = read(folder / f"p.{kind}")
    assert list(answers) == list(pd.read_csv(folder / "some.csv"))
    assert answers["unreadable"].map(bool).all()
    kept = answers.drop(columns=["image", "unreadable"]).replace("", None)
    assert kept.isna().all(axis=None)
