"""Nothing is written into a saved model: with one file more it could not be loaded."""

from pathlib import Path

import pytest

from fieldtune.data.write import check_output
from fieldtune.errors import ArtefactError, InputError
from fieldtune.models.folder import replaceable, staged, verify
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


def test_an_added_file_is_named_to_be_deleted(model: Path) -> None:
    (model / "notes.csv").write_text("mine")
    with pytest.raises(ArtefactError, match=r"fix: delete that file, or move it out: .*model/notes\.csv"):
        verify(model)
