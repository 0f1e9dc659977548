"""Which files may lie in a model folder: regular ones inside it, neither code nor pickle nor archive, of sane size."""

import os
import re
import stat
from pathlib import Path

from fieldtune.errors import ArtefactError

PICKLES = frozenset(".bin .pt .pth .pkl .pickle .joblib .dill .ckpt .h5 .hdf5 .keras .pb .msgpack .npy .npz".split())
CODE = frozenset(".py .pyc .pyd .so .dll .dylib .exe .sh .bat .ps1 .jinja .ipynb .jar .class".split())
ARCHIVES = frozenset(".zip .tar .gz .tgz .bz2 .xz .zst .7z .rar .whl .egg".split())
READ_FROM_THE_HUB = frozenset(".safetensors .json .txt .model".split())
"""What is downloaded, and looked at in the hub's cache; what others put beside it there is never read."""

_MOST_FILES = 2000
_MEBIBYTE = 2**20
_SIZES = {".safetensors": 64 * 1024, ".json": 256, ".txt": 64, ".model": 64}  # MiB; what else there is, is not read
_NAMED = {"config.json": 2, "tokenizer_config.json": 8, "modules.json": 1, "tokenizer.json": 48}
_MAGIC = {
    b"\x80\x02": "a pickle", b"\x80\x03": "a pickle", b"\x80\x04": "a pickle", b"\x80\x05": "a pickle",
    b"PK\x03\x04": "an archive", b"PK\x05\x06": "an archive", b"\x1f\x8b": "an archive", b"BZh": "an archive",
    b"\xfd7zXZ": "an archive", b"\x28\xb5\x2f\xfd": "an archive", b"7z\xbc\xaf": "an archive", b"Rar!": "an archive",
    b"\x93NUMPY": "an array that may hold pickles", b"\x89HDF": "HDF5", b"\x7fELF": "a program", b"MZ": "a program",
    b"\xcf\xfa\xed\xfe": "a program", b"\xca\xfe\xba\xbe": "a program", b"#!": "a script",
}  # fmt: skip
_TEXT_PICKLE = re.compile(rb"\A[(\]}ld]*(c[\w.]+\n[\w.]+\n|p\d+\n|I\d+\n|S')")


def below(folder: Path) -> list[Path]:
    """Every file of the folder, sorted; links to folders are files here and never followed.

    Raises:
        ArtefactError: there are too many.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found += [Path(place) / name for name in (*names, *links)]
        if len(found) > _MOST_FILES:
            raise ArtefactError(f"at most {_MOST_FILES} files", f"more in {folder}", "name the model's own folder")
    if _blobs(folder) is not None:
        found = [file for file in found if file.suffix in READ_FROM_THE_HUB]
    return sorted(found)


def check(file: Path) -> None:
    """Refuse one file for its place, kind, size or first bytes.

    Raises:
        ArtefactError: it is none that a model needs.
    """
    _inside(file)
    facts = file.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise _refused(file, "a pipe, socket or device")
    if file.suffix.lower() in PICKLES | CODE | ARCHIVES:
        raise _refused(file, "which could run code")
    most = _NAMED.get(file.name, _SIZES.get(file.suffix, 0)) * _MEBIBYTE
    if most and facts.st_size > most:
        raise _refused(file, f"{facts.st_size} bytes where {most} are the most")
    kind = _magic(file, facts.st_size)
    if kind:
        raise _refused(file, f"which is {kind} by its first bytes")


def _inside(file: Path) -> None:
    """A link leads out, but for those of the hub's cache, which lead to its own blobs."""
    if not file.is_symlink():
        return
    blobs = next((found for parent in file.parents if (found := _blobs(parent)) is not None), None)
    target = file.resolve()
    if blobs is None or target.parent != blobs or not target.is_file():
        raise _refused(file, "a link")


def _blobs(folder: Path) -> Path | None:
    """Where the files of a snapshot in the hub's cache lie: ``models--NAME/{blobs,snapshots/REVISION}``."""
    home = folder.parent.parent
    cached = folder.parent.name == "snapshots" and home.name.startswith("models--")
    return (home / "blobs").resolve() if cached and (home / "blobs").is_dir() else None


def _magic(file: Path, size: int) -> str:
    with file.open("rb") as handle:
        first = handle.read(512)
        handle.seek(max(size - 1, 0))
        last = handle.read(1)
    if first[257:262] == b"ustar":
        return "an archive"
    if file.suffix == ".safetensors":  # begins with a length, which may look like anything; its header is checked
        return ""
    if last == b"." and _TEXT_PICKLE.match(first):
        return "a pickle"
    return next((kind for magic, kind in _MAGIC.items() if first.startswith(magic)), "")


def _refused(file: Path, what: str) -> ArtefactError:
    return ArtefactError(
        "weights as safetensors, and else JSON and text",
        f"{file.name} in {file.parent}, {what}",
        "do not load this folder; a file you know to be harmless is never read: delete it",
    )
