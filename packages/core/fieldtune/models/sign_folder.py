"""``fieldtune models sign``: the signature of a folder that was written without it, or by others. See :mod:`fieldtune.models.signing`."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from fieldtune.data.places import saved
from fieldtune.errors import ArtefactError, ConfigError, InputError
from fieldtune.models import signing
from fieldtune.models.folder import MANIFEST, PRETRAINED, files_below, locked, manifest_of, recover, sync, verify
from fieldtune.models.guard import CONFIG
from fieldtune.models.guard import files as guard


def sign_folder(path: Path) -> int:
    """Sign a folder that is trusted, and the saved folders inside, with the key that the environment names.

    A pretrained model of others, which has no manifest, gets one. Those inside are signed first: killed at any moment, what is
    signed is whole.

    Returns:
        How many manifests were signed.

    Raises:
        ConfigError: no key. InputError: there is no such folder. RefusedError: it is being written.
        ArtefactError: neither a saved folder nor a pretrained model, or one that :func:`verify` refuses.
    """
    secret = signing.key()
    if secret is None:
        raise ConfigError("a key to sign with", f"{signing.VARIABLE} is not set", signing.MAKE)
    if not path.is_dir():
        raise InputError("a folder to sign", f"nothing at {path}", "check the path")
    path = path.resolve()  # a lock and what is moved into it stand beside it, and so on its disk
    with locked(path), _aside(path) as aside:
        if not (path / MANIFEST).exists() and (path / CONFIG).is_file():
            _listed(path, aside / MANIFEST)
        inside = (file.parent for file in path.rglob(MANIFEST) if file.parent != path and saved(file.parent))
        folders = [path, *sorted(inside, key=lambda one: len(one.parts))]
        for one in folders:
            verify(one, signed=False)
        for one in reversed(folders):
            (aside / signing.SIGNATURE).write_text(signing.signature(one / MANIFEST, secret), encoding="ascii")
            _move(aside / signing.SIGNATURE, one)
    return len(folders)


def _listed(path: Path, manifest: Path) -> None:
    """Give a pretrained model its manifest, once no file of it is found dangerous."""
    for file in files_below(path):
        if file.is_symlink():
            raise ArtefactError("files, and no links", f"{file.name} in {path}", "copy the folder: cp -rL FROM TO")
        guard.check(file)
    manifest.write_text(manifest_of(path, {"application": PRETRAINED}), encoding="utf-8")
    _move(manifest, path)


@contextlib.contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """A folder beside ``path``, to write in what is moved into it whole; :func:`recover` clears one that was left."""
    recover(path)
    aside = path.parent / f".{path.name}.staged-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move(file: Path, folder: Path) -> None:
    sync(file)
    file.replace(folder / file.name)
    sync(folder)
