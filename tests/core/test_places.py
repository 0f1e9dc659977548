"""Nothing is written into a saved model: with one file more it could not be loaded."""

from pathlib import Path
from typing import Any

import pytest

from fieldtune.data.places import outside
from fieldtune.data.queue import Queue
from fieldtune.data.write import check_output
from fieldtune.errors import ArtefactError, FieldtuneError, InputError
from fieldtune.models import load
from fieldtune.models.folder import replaceable, staged, verify
from fieldtune.pipeline import finetune
from fieldtune.using import measure, predict
from tests.processes import FIELDTUNE, run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    with staged(tmp_path / "model") as temporary:
        (temporary / "weights.txt").write_text("1")
    return tmp_path / "model"


@pytest.mark.parametrize("place", ["p.csv", "new/p.csv"])
def test_no_output_goes_into_a_model(model: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(model)
    for path in (model / place, Path(place)):
        with pytest.raises(InputError, match="outside of saved models"):
            check_output(path)
    with pytest.raises(InputError, match="outside of saved models"):
        replaceable(model / "inner")
    check_output(model.parent / "p.csv")
    check_output(model / ".." / "p.csv")
    with pytest.raises(InputError, match="outside of saved models"):
        Queue(model / "labels.sqlite")


@pytest.mark.parametrize(
    "command",
    [
        ("predict", "--model", "model", "--data", "t.csv", "--out", "model/p.csv"),
        ("encode", "--model", "model", "--data", "t.csv", "--out", "model/p.npy"),
        ("evaluate", "--model", "model", "--data", "t.csv", "--report", "model"),
        ("evaluate", "--model", "model", "--data", "t.csv", "--report", "model/report"),
        ("data", "scrub", "t.csv", "--out", "model/p.csv"),
        ("train", "--task", "text-classification", "--train", "t.csv", "--out", "model/inner"),
        ("search", "--task", "text-classification", "--train", "t.csv", "--trials", "1", "--out", "model"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_commands_refuse_it(model: Path, command: tuple[str, ...]) -> None:
    lines = ["text,label", *(f"{word} {n},{word}" for word in ("card", "refund") for n in range(10))]
    (model.parent / "t.csv").write_text("\n".join(lines) + "\n")
    done = run(*FIELDTUNE, *command, folder=model.parent)
    assert done.code == 1
    assert "expected a place outside of saved models" in done.err
    verify(model)


FULL = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
if sys.argv[1] == "report":
    from fieldtune.evaluate.report import Report
    Report("x").paragraph("long " * 2000).write("report")
from fieldtune.data.write import written
if sys.argv[1] == "copy":
    import shutil
    from fieldtune.errors import reason
    for name in ("one", "two"):
        (Path("from") / name).parent.mkdir(exist_ok=True)
        (Path("from") / name).write_bytes(bytes(4000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    try:
        shutil.copytree("from", "to")
    except OSError as error:
        sys.exit(reason(error))
import numpy as np
with written(Path("v.npy")) as temporary, temporary.open("wb") as handle:
    np.save(handle, np.zeros(5000))
"""


@pytest.mark.parametrize("what", ["report", "vectors"])
def test_a_file_that_could_not_be_written_is_named_and_gone(tmp_path: Path, what: str) -> None:
    done = run("-c", FULL, what, folder=tmp_path)
    assert done.code
    assert {"report": "report/report.md", "vectors": "v.npy"}[what] in done.err.splitlines()[-1]
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_a_folder_that_could_not_be_copied_is_one_line(tmp_path: Path) -> None:
    told = run("-c", FULL, "copy", folder=tmp_path).err.splitlines()[-1]
    assert told.startswith("[Errno") and told.endswith(", and 1 more") and "from/" in told


@pytest.mark.parametrize("place", [5, None])
def test_what_is_no_path_is_refused(place: Any) -> None:
    for act in (load, lambda place: finetune("text-classification", {"text": [], "label": []}, out=place)):
        with pytest.raises(InputError, match="the path of a folder"):
            act(place)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"seed": "a"}, "seed as a whole number"),
        ({"seed": True}, "seed as a whole number"),
        ({"processes": True}, "processes as a whole number"),
        ({"rename": 5}, "rename as a dictionary"),
        ({"labels": [1]}, "labels as a dictionary"),
        ({"settings": {1: 2}}, "a setting that"),
        ({"settings": {"epochs": True}}, "epochs as int"),
        ({"settings": {"epochs": "1_0"}}, "epochs as int"),
        ({"settings": {"learning_rate": "1_0.5"}}, "learning_rate as float"),
        ({"settings": {"class_weights": "a=1_0"}}, "class_weights none"),
    ],
    ids=str,
)
def test_arguments_of_another_kind_are_refused(given: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(FieldtuneError, match=told):
        finetune("text-classification", {"text": [], "label": []}, out=tmp_path / "m", **given)


def test_of_a_model_too(model: Path) -> None:
    for act in (measure, predict):
        with pytest.raises(InputError, match="rename as a dictionary"):
            act(model, {"text": ["a"], "label": ["b"]}, rename=5)


def test_a_manifest_of_others_blocks_nothing(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"name": "my app"}', '{"files": ["a.js"]}', '{"files": {"a.js": "sha256-abc"}}'):
        (tmp_path / "MANIFEST.json").write_text(text)
        outside(tmp_path / "sub" / "model")
    with staged(tmp_path / "model") as inside:
        (inside / "a.json").write_text("{}")
    with pytest.raises(InputError, match="outside of saved models"):
        outside(tmp_path / "model" / "sub" / "p.csv")


def test_an_added_file_is_named_to_be_deleted(model: Path) -> None:
    (model / "notes.csv").write_text("mine")
    with pytest.raises(ArtefactError, match=r"fix: delete that file, or move it out: .*model/notes\.csv"):
        verify(model)
