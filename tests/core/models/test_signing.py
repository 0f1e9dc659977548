"""Signed folders: written with the key in the environment, refused without it."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from fieldtune.errors import ArtefactError, ConfigError
from fieldtune.models import folder
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
    with monkeypatch.context() as without:
        without.delenv(VARIABLE)
        path = made(tmp_path / "m")
    refused = cli("models", "verify", path)
    assert refused.code == 1 and "models sign" in refused.err
    assert cli("models", "sign", path, "--json").json["signed"] is True
    assert cli("models", "verify", path).code == 0
    monkeypatch.delenv(VARIABLE)
    assert VARIABLE in cli("models", "sign", path).err
