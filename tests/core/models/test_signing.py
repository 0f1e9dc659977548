"""Signed folders: written with the key in the environment, refused without it."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from fieldtune import finetune, load, load_encoder
from fieldtune.errors import ArtefactError, ConfigError, FieldtuneError, RefusedError
from fieldtune.models import folder, generator
from fieldtune.models.sign_folder import sign_folder
from fieldtune.models.signing import SIGNATURE, VARIABLE
from tests.conftest import Ran


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key, named by the environment."""
    (tmp_path / "key").write_text("0123456789abcdef" * 4 + "\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    return "0123456789abcdef" * 4


def made(path: Path) -> Path:
    with folder.staged(path) as inside:
        (inside / "a.json").write_text("{}")
    return path


def unsigned(make: Callable[[Path], Path], path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is made where no key is named."""
    with monkeypatch.context() as without:
        without.delenv(VARIABLE)
        return make(path)


def test_what_is_saved_is_signed_as_the_rfc_says(tmp_path: Path, secret: str) -> None:
    path = made(tmp_path / "m")
    padded = secret.encode().ljust(64, b"\0")
    inner, outer = (bytes(byte ^ mask for byte in padded) for mask in (0x36, 0x5C))  # RFC 2104, section 2
    wanted = sha256(outer + sha256(inner + (path / "MANIFEST.json").read_bytes()).digest()).hexdigest()
    assert (path / SIGNATURE).read_text().strip() == wanted
    assert set(folder.verify(path)["files"]) == {"a.json"}


def test_another_manifest_another_key_and_no_signature_are_refused(
    tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "m")
    signature = (path / SIGNATURE).read_text()
    monkeypatch.delenv(VARIABLE)
    (path / "a.json").write_text('{"changed": 1}')
    folder.write_manifest(path, {})  # as anybody can, who has no key
    folder.verify(path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    assert (path / SIGNATURE).read_text() == signature
    with pytest.raises(ArtefactError, match="another signature"):
        folder.verify(path)
    made(path)
    (tmp_path / "other").write_text("f" * 64)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "other"))
    with pytest.raises(ArtefactError, match="another signature"):
        folder.verify(path)
    (path / SIGNATURE).unlink()
    with pytest.raises(ArtefactError, match="fieldtune models sign"):
        folder.verify(path)


def test_a_key_without_a_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "m")
    monkeypatch.setenv(VARIABLE, " ")
    with pytest.raises(ConfigError, match="an empty name"):
        folder.verify(path)


@pytest.mark.parametrize(("text", "told"), [("short", "32 characters"), (None, "No such file")])
def test_a_key_that_is_none_is_refused(
    text: str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text:
        (tmp_path / "key").write_text(text)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    with pytest.raises(ConfigError, match=told):
        made(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_the_command_signs_what_is_there(
    tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Ran]
) -> None:
    path = unsigned(made, tmp_path / "m", monkeypatch)
    refused = cli("models", "verify", path)
    assert refused.code == 1 and "models sign" in refused.err
    assert cli("models", "sign", path, "--json").json["signed"] is True
    assert cli("models", "verify", path).code == 0
    monkeypatch.delenv(VARIABLE)
    assert VARIABLE in cli("models", "sign", path).err


def bundle(path: Path) -> Path:
    """Models inside a folder of more files, one of them two folders deep."""
    with folder.staged(path, {"application": "monitor"}) as outer:
        (outer / "bundle.json").write_text("{}")
        made(outer / "tone-en")
        made(outer / "parts" / "encoder")
    return path


def test_a_bundle_is_signed_with_the_models_inside(
    tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Ran]
) -> None:
    path = unsigned(bundle, tmp_path / "b", monkeypatch)
    assert cli("models", "sign", path, "--json").json["manifests"] == 3
    for one in (path, path / "tone-en", path / "parts" / "encoder"):
        folder.verify(one)
    assert sorted(folder.verify(path)["files"]) == [
        "bundle.json",
        *(f"{name}/{file}" for name in ("parts/encoder", "tone-en") for file in ("MANIFEST.json", "a.json")),
    ]
    assert cli("models", "sign", path / "tone-en").code == 0  # again, and alone
    folder.verify(path)
    folder.verify(bundle(tmp_path / "signed"))
    (path / "tone-en" / "a.json").write_text("[]")
    with pytest.raises(ArtefactError, match=r"tone-en/a\.json"):
        sign_folder(path)


def test_what_is_being_written_is_not_signed_and_nothing_is_left_beside(tmp_path: Path, secret: str) -> None:
    path = made(tmp_path / "m")
    (path / SIGNATURE).unlink()
    (tmp_path / ".m.staged-999999999").mkdir()  # of one that was killed
    with folder.locked(path), pytest.raises(RefusedError, match="to be free"):
        sign_folder(path)
    assert not (path / SIGNATURE).exists()
    assert sign_folder(path) == 1
    folder.verify(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["key", "m"]


KILLED = """
import os, sys
from pathlib import Path
from fieldtune.models import sign_folder
moved = sign_folder._move
def killed(file, place):
    if len(sys.argv) == 3:
        os._exit(9)
    moved(file, place)
    sys.argv.append("next")
sys.argv = sys.argv[:2]
sign_folder._move = killed
sign_folder.sign_folder(Path(sys.argv[1]))
"""


def test_killed_on_the_way_a_folder_can_be_signed_again(
    tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = unsigned(bundle, tmp_path / "b", monkeypatch)
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == 9
    folder.verify(path / "parts" / "encoder")  # the deepest came first
    with pytest.raises(ArtefactError, match="models sign"):
        folder.verify(path)
    sign_folder(path)
    folder.verify(path)


@pytest.fixture
def foreign(tmp_path: Path, tiny_encoder: Path) -> Path:
    """A pretrained encoder as others save it."""
    return Path(shutil.copytree(tiny_encoder, tmp_path / "foreign"))


ROWS = {"text": ["my card is lost", "where is my order"] * 8, "label": ["card", "order"] * 8}


@pytest.mark.parametrize(
    ("task", "method"),
    [("text-classification", "head"), ("text-classification", "full"), ("image-classification", "full")],
)
def test_a_folder_of_others_must_be_signed_to_start_from(
    tmp_path: Path, secret: str, foreign: Path, task: str, method: str
) -> None:
    rows = ROWS if task.startswith("text") else {"image": [np.zeros((8, 8, 3), np.uint8)] * 8, "label": ["a", "b"] * 4}
    with pytest.raises(ArtefactError, match="models sign"):
        finetune(task, rows, model=str(foreign), method=method, out=tmp_path / "out", progress=False)


def test_a_folder_of_others_is_signed_and_then_used(
    tmp_path: Path, secret: str, foreign: Path, cli: Callable[..., Ran]
) -> None:
    with pytest.raises(ArtefactError, match="models sign"):
        load_encoder(foreign)
    sign_folder(foreign)
    (tmp_path / "t.csv").write_text("text\nmy card\n")
    encode = ("encode", "--model", foreign, "--data", tmp_path / "t.csv", "--out", tmp_path / "v.npy")
    assert cli(*encode).code == 0
    out = finetune("text-classification", ROWS, model=str(foreign), method="head", out=tmp_path / "m", progress=False)
    load(out.path)
    with pytest.raises(ArtefactError, match="a pretrained model of others"):
        folder.replaceable(foreign)
    with (foreign / "model.safetensors").open("ab") as file:
        file.write(b"more")
    for act in (load_encoder, generator.start_body):
        with pytest.raises(ArtefactError, match=r"model\.safetensors as it was written"):
            act(foreign)
    refused = cli(*encode)
    assert refused.code == 1 and "model.safetensors as it was written" in refused.err


def test_an_encoder_inside_a_signed_folder_is_verified_with_it(
    tmp_path: Path, secret: str, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder.staged(tmp_path / "b") as outer:
        shutil.copytree(foreign, outer / "encoder")
    load_encoder(tmp_path / "b" / "encoder")
    monkeypatch.delenv(VARIABLE)
    load_encoder(foreign)
    (tmp_path / "b" / "more.json").write_text("{}")
    with pytest.raises(ArtefactError, match=r"more\.json added"):
        load_encoder(tmp_path / "b" / "encoder")


def test_only_what_is_a_model_gets_a_manifest(tmp_path: Path, secret: str, foreign: Path) -> None:
    (tmp_path / "notes").mkdir()
    (foreign / "more.py").write_text("print()")
    for place, told in (
        (tmp_path / "notes", "a fieldtune model"),
        (foreign, "could run code"),
        (tmp_path / "none", "nothing at"),
    ):
        with pytest.raises(FieldtuneError, match=told):
            sign_folder(place)
    (foreign / "more.py").unlink()
    (foreign / "link.json").symlink_to(tmp_path / "key")
    with pytest.raises(ArtefactError, match="no links"):
        sign_folder(foreign)
    assert not list(tmp_path.rglob("MANIFEST*"))


def test_no_other_way_to_a_folder_passes_it_unsigned(tmp_path: Path, secret: str, foreign: Path) -> None:
    shutil.copytree(foreign, tmp_path / "good")
    sign_folder(tmp_path / "good")
    shutil.move(tmp_path / "good", foreign / "good")
    (tmp_path / "link").symlink_to(foreign)
    for way in (foreign, foreign / "good" / "..", tmp_path / "link", foreign / "good" / ".." / "good" / ".."):
        with pytest.raises(ArtefactError, match="models sign"):
            load_encoder(way)
    load_encoder(foreign / "good")


def test_a_link_to_another_disk_is_signed_there(tmp_path: Path, secret: str) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second disk here")
    with tempfile.TemporaryDirectory(dir=shared) as place:
        path = made(Path(place) / "m")
        (path / SIGNATURE).unlink()
        (tmp_path / "link").symlink_to(path)
        assert sign_folder(tmp_path / "link") == 1
        folder.verify(path)


def test_a_manifest_of_other_programs_says_nothing(
    tmp_path: Path, foreign: Path, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (foreign / "MANIFEST.json").write_text('{"name": "a project"}')
    with pytest.raises(ArtefactError, match="models sign"):
        load_encoder(foreign)
    monkeypatch.delenv(VARIABLE)
    load_encoder(foreign)
    (foreign / "fieldtune.json").write_text("{}")  # ours, whose manifest is damaged
    with pytest.raises(ArtefactError, match="a damaged one"):
        load_encoder(foreign)
