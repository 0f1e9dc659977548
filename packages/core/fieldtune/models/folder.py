"""Model folders on disk: staged, hashed, renamed into place; verified before anything in them is read.

Everything fieldtune saves goes through :func:`staged`, everything it loads through :func:`verify`. Knows nothing of
what the files mean; which kinds are dangerous, :mod:`fieldtune.models.guard` knows.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from fieldtune.data.places import MANIFEST as MANIFEST
from fieldtune.data.places import around, outside, saved
from fieldtune.errors import ArtefactError, InputError, RefusedError
from fieldtune.evaluate.figures import without_nan
from fieldtune.models import signing
from fieldtune.models.guard import CARD as CARD
from fieldtune.models.guard import files as guard

CHECKPOINTS = "checkpoints"
RUN = "run.json"
PARTIAL = ".partial"
MARKS = (RUN, f".{RUN}")
"""Whose run a folder of checkpoints is of, written twice: a damaged one would else lose them all."""
SEAL = "seal"
PRETRAINED = "pretrained"
"""Whose folder a pretrained model is that was signed: nothing of ours, so nothing of ours replaces it."""
_WHOSE = {"": "a single model", PRETRAINED: "a pretrained model of others"}
_ARRAY = ".npy"
"""What other folders may hold too, indexes say: plain numbers, read with ``allow_pickle=False``."""


@contextlib.contextmanager
def staged(path: Path, details: Mapping[str, Any] | None = None) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; when the block ends well it becomes ``path`` in one rename.

    Killed at any moment, ``path`` is either the old folder or the whole new one (:func:`recover` finishes a rename
    that was cut in two). ``MANIFEST.json`` is written last.

    Args:
        path: the folder to create or replace.
        details: recorded in the manifest, e.g. versions and the fingerprint of the data; ``application`` is who may
            replace the folder.

    Raises:
        InputError, ArtefactError: see :func:`replaceable`.
        InputError: the disk is full; ``path`` is as it was.
    """
    path = Path(path)
    recover(path)
    replaceable(path, str((details or {}).get("application", "")))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.staged-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        write_manifest(temporary, details or {})
        replace(temporary, path)
    except Exception as error:
        if not _full(error, path.parent):
            raise
        raise InputError(
            f"room on the disk of {path.parent}",
            f"none left while {path.name} was written",
            "free some space and run the same command again: what was there before is whole",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _full(error: Exception, folder: Path) -> bool:
    """Whether a write failed for want of room: libraries in Rust and C++ say so in errors of their own."""
    if isinstance(error, shutil.Error):  # a folder was copied: a text for each file that failed
        return "No space left" in str(error) or "quota exceeded" in str(error)
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    wrote = "os error 28" in str(error) or "PytorchStreamWriter" in str(error)
    return wrote and shutil.disk_usage(folder).free < 64 * 2**20


def replaceable(path: Path, application: str = "") -> None:
    """Refuse a place whose content is not ours: replacing the folder would delete it.

    Ours are a folder whose every file its manifest lists, and an unfinished run, which holds nothing but its
    checkpoints. Call it before long work too, so that nobody trains for an hour and is refused then.

    Args:
        application: whose folder is to be written, as its manifest names it; "" for a single model.

    Raises:
        InputError: a file stands in the way, or ``path`` lies inside a saved folder, or does not end in a name.
        ArtefactError: the folder holds something that fieldtune did not write, or what another application did.
    """
    path = Path(path)
    if path.name in ("", ".."):  # what is to lie beside it would lie inside, and the shell's own folder would go away
        raise InputError("a folder by its name", str(path), "choose another --out, as --out model")
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise InputError(f"a folder at {path}", f"the file {place}", "choose another --out")
    outside(path)
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if names == {CHECKPOINTS} and unfinished(path / CHECKPOINTS):
        return
    manifest = _read_manifest(path) if MANIFEST in names else {"files": {}, "application": application}
    owner = str(manifest.get("application", ""))
    foreign = [
        name for file in files_below(path) if (name := file.relative_to(path).as_posix()) not in manifest["files"]
    ]
    if owner != application:
        foreign = [_WHOSE.get(owner, f"what the {owner} trained")]
    if foreign:
        raise ArtefactError(
            "an empty folder, or a model or an unfinished training of fieldtune",
            f"{foreign[0]} in {path}, which would be deleted",
            "choose another --out, or empty that folder yourself",
        )


def unfinished(work: Path) -> bool:
    """Whether ``work`` is a folder of checkpoints that we may write to: one of a run of ours, or an empty one."""
    return any((work / mark).is_file() for mark in MARKS) or all(entry.suffix == PARTIAL for entry in work.iterdir())


def replace(new: Path, path: Path) -> None:
    """Rename the folder ``new`` to ``path``; what was there is deleted only afterwards."""
    previous = _previous(path)
    if path.exists():
        shutil.rmtree(previous, ignore_errors=True)
        path.rename(previous)
    new.rename(path)
    sync(path.parent)
    shutil.rmtree(previous, ignore_errors=True)


def recover(path: Path) -> None:
    """Finish a replacement that a crash cut in two, and clear what a killed writer left beside ``path``."""
    previous = _previous(path)
    if previous.exists() and not path.exists():
        previous.rename(path)
    for leftover in path.parent.glob(f".{path.name}.staged-*"):
        if not _alive(int(leftover.name.rsplit("-", 1)[1])):
            shutil.rmtree(leftover, ignore_errors=True)


def _bring_back(path: Path) -> None:
    """What a reader may finish: a replacement cut in two whose writer is gone. One at work holds the lock."""
    if not path.exists() and _previous(path).exists():
        with contextlib.suppress(RefusedError, OSError), locked(path):
            recover(path)


def write_manifest(folder: Path, details: Mapping[str, Any]) -> None:
    """Write sha256 and size of every file under ``folder``, each flushed to disk first; signed where there is a key."""
    (folder / MANIFEST).write_text(manifest_of(folder, details), encoding="utf-8")
    sync(folder / MANIFEST)
    if secret := signing.key():
        (folder / signing.SIGNATURE).write_text(signing.signature(folder / MANIFEST, secret), encoding="ascii")
        sync(folder / signing.SIGNATURE)
    sync(folder)


def manifest_of(folder: Path, details: Mapping[str, Any]) -> str:
    """The text of a folder's manifest; every file is flushed to disk first."""
    files = {}
    for file in files_below(folder):
        sync(file)
        files[file.relative_to(folder).as_posix()] = {"sha256": digest(file), "bytes": file.stat().st_size}
    for inner in {parent for name in files for parent in (folder / name).parents if folder in parent.parents}:
        sync(inner)  # that the files are in it
    # Signatures of models inside are none of the files listed.
    for signature in filter(Path.is_file, folder.rglob(signing.SIGNATURE)):
        sync(signature)
    facts = json.loads(json.dumps(without_nan({"files": files, **details}), default=str, allow_nan=False))
    facts.pop(SEAL, None)  # of the manifest that the details were copied from
    return _text({**facts, SEAL: _sealed(facts)})


def verify(path: Path, *, ours: frozenset[str] = frozenset(), signed: bool = True) -> dict[str, Any]:
    """Check every file against the manifest, and that against its signature where a key is named; return the manifest.

    Args:
        path: the folder.
        ours: names of files allowed in spite of their kind: optimizer state of a checkpoint we wrote ourselves.
        signed: False for a folder that is about to be signed.

    Raises:
        InputError: there is no such folder.
        ArtefactError: no manifest, or a file is missing, changed, added, a link, or of a kind that can run code.
    """
    path = Path(path)
    _bring_back(path)
    if not path.is_dir():
        found = f"the file {path}" if path.exists() else f"nothing at {path}"
        raise InputError("a model folder", found, "check the path, or train the model first")
    manifest = _read_manifest(path)
    if signed and (secret := signing.key()):
        signing.check(path / MANIFEST, secret)
    listed = manifest["files"]
    present = {file.relative_to(path).as_posix(): file for file in files_below(path)}
    arrays = None if CARD in listed else _ARRAY
    for name, file in present.items():
        if file.is_symlink():
            raise ArtefactError("files, and no links", f"{name} in {path}", "do not load it: it leads elsewhere")
        if name not in ours and file.suffix != arrays:
            guard.check(file)
    for name in sorted(set(present) - set(listed)):
        raise ArtefactError(
            "only the files of the manifest",
            f"{name} added to {path}",
            f"delete that file, or move it out: {path / name}",
        )
    for name, facts in listed.items():
        if name not in present:
            raise ArtefactError(f"the file {name}", f"it is missing from {path}", _REBUILD)
        if present[name].stat().st_size != facts["bytes"] or digest(present[name]) != facts["sha256"]:
            raise ArtefactError(f"{name} as it was written", f"a changed or damaged file in {path}", _REBUILD)
    return manifest


_REBUILD = "restore the folder from a copy, roll back, or train again"


def verify_given(path: Path) -> None:
    """Check a folder that a user names, ours or not: by its manifest, else by that of the saved folder it is a part of.

    One of others, which has none, passes only where no key is named.

    Raises:
        ArtefactError: see :func:`verify`; or a key is named and nobody signed the folder.
    """
    path = path.resolve()  # what lies around it is not told by a name that ends in ".."
    damaged = (path / MANIFEST).exists() and (path / CARD).exists()  # of ours, which must not pass as one of others
    known = path if saved(path) or damaged else around(path)
    if known is not None:
        verify(known)
    elif signing.key():
        raise signing.unsigned(path)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if manifest.pop(SEAL, None) not in (None, _sealed(manifest)):  # older ones have none
            raise ValueError("changed")
        if not all({"sha256", "bytes"} <= facts.keys() for facts in manifest["files"].values()):
            raise KeyError("sha256")
    except FileNotFoundError as error:
        raise ArtefactError(
            f"a fieldtune model with {MANIFEST}", f"none in {path}", "finish its training (run the same command again)"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise ArtefactError(f"a readable {MANIFEST}", f"a damaged one in {path}", _REBUILD) from error
    return dict(manifest)


def _text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1, sort_keys=True)


def _sealed(facts: Mapping[str, Any]) -> str:
    """Digest of a manifest's own text: a digest changed in it would else blame the file that it is about."""
    return hashlib.sha256(_text(facts).encode()).hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``path`` against a second writer; the system frees the lock when the process dies, however it dies.

    Raises:
        RefusedError: another process holds it, named by number and host.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.parent / f".{path.name}.lock"
    with _held(lock, path) as handle:
        handle.truncate(0)
        handle.write(f"pid {os.getpid()} on {socket.gethostname()}")
        handle.flush()
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # still held: see _held for those who opened it before


def _held(lock: Path, path: Path) -> TextIO:
    """The lock's file, opened and held. One whose name another process took away meanwhile would lock nothing."""
    while True:
        handle = lock.open("a+", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            with handle:
                handle.seek(0)
                found = handle.read(200).strip() or "just begun"
            raise RefusedError(
                f"{path} to be free",
                f"another fieldtune process writing to it ({found})",
                "wait for it, or choose another place",
            ) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle.fileno()), lock.stat()):
                return handle
        handle.close()


def digest(file: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Everything below but folders, the manifest, and signatures: of those inside too, which are signed before or after.

    A link to a folder is a file here, and never followed.
    """
    below = (file for file in folder.rglob("*") if file.is_symlink() or not file.is_dir())
    return sorted(file for file in below if file != folder / MANIFEST and file.name != signing.SIGNATURE)


def _previous(path: Path) -> Path:
    return path.parent / f".{path.name}.previous"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:  # it runs, as another user
        return True
    except OSError:
        return False
    return True


def write_whole(file: Path, text: str) -> None:
    """Write a text file that is on disk, whole, before it takes the place of the one before."""
    temporary = file.with_name(f"{file.name}{PARTIAL}")
    temporary.write_text(text, encoding="utf-8")
    sync(temporary)
    temporary.replace(file)
    sync(file.parent)


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
