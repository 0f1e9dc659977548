"""What a run is: equal fingerprints give equal bits, on one machine with the same versions. Trains nothing."""

import contextlib
import hashlib
import hmac
import json
import os
import platform
import secrets
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune.errors import ConfigError
from fieldtune.models.encoder import ENCODERS, WRITERS, check, find, given, licence, positions, room
from fieldtune.models.folder import CARD, MANIFEST, digest
from fieldtune.runtime import home
from fieldtune.tasks import Task
from fieldtune.train.settings import Settings

KEY = "digests.key"
"""File in FIELDTUNE_HOME."""
_DECIDING = ("*.safetensors", "*.json", "*.model", "vocab.txt", "merges.txt", "[0-9]_*/*.json", "[0-9]_*/*.safetensors")
"""Files of an encoder that decide its vectors: weights, configuration, pooling, an adapter's options, the tokenizer. A licence
or another model put into its folder decides nothing."""
_TOLD = (MANIFEST, CARD)
"""What is told of a model in its folder, and decides nothing."""


def fingerprint(
    task: str,
    method: str,
    model: list[str],
    settings: Settings,
    seed: int,
    tables: Iterable[pd.DataFrame],
) -> dict[str, Any]:
    """Task, method, digests of the weights it starts from, settings, seed and a digest of the rows, which is
    :func:`veiled` where their privacy is promised.

    Args:
        model: digests of the weights it starts from, see :func:`start`.
        tables: training and validation rows; cells are JSON values, arrays, bytes, or paths, whose files are hashed.
    """
    return {
        "task": task,
        "method": method,
        "model": model,
        "settings": settings.as_dict(),
        "seed": seed,
        "data": veiled(rows_digest(tables)) if settings.epsilon else rows_digest(tables),
    }


def rows_digest(tables: Iterable[pd.DataFrame]) -> str:
    """sha256 of the rows of tables, in their order; names of columns and kinds of storage do not count."""
    data = hashlib.sha256()
    for frame in tables:
        for row in _rows(frame):
            data.update(row + b"\n")
        data.update(b"--\n")
    return data.hexdigest()


def table_digest(table: pd.DataFrame, *, private: bool = False) -> str:
    """The same of one table, in whatever order its rows stand; :func:`veiled` where they are private."""
    plain = hashlib.sha256(b"".join(sorted(hashlib.sha256(row).digest() for row in _rows(table)))).hexdigest()
    return veiled(plain) if private else plain


def veiled(told: str) -> str:
    """A digest that can be told again in this FIELDTUNE_HOME alone: HMAC with a key that never leaves it.

    Whoever knows all rows but one could try candidates for the last one until a plain digest fits.

    Raises:
        ConfigError: there is no key that can be read, and none can be written.
    """
    try:
        key = _key(home() / KEY)
    except OSError as error:
        raise ConfigError(
            f"to read {KEY} in FIELDTUNE_HOME, or to write it there",
            str(error),
            "set FIELDTUNE_HOME to a folder of yours",
        ) from error
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()


def keyed() -> bool:
    """Whether there is a key here that can be read: without one, no digest of private rows can be told again."""
    return os.access(home() / KEY, os.R_OK)


def _key(file: Path) -> bytes:
    """32 random bytes, drawn when they are first wanted; of processes that do so at once, one is heard."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as handle:
            handle.write(secrets.token_bytes(32))
            handle.flush()
            os.fsync(handle.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, file)
        temporary.unlink()
    return file.read_bytes()


def start(about: Task, method: str, model: str, settings: Settings) -> list[str]:
    """Digests of the weights that a task's method starts from; none where it starts from none."""
    if method in about.ENCODERLESS:
        return []
    if "max_target" in about.heeds(method, settings):
        _check_room(model, settings)
    return (about.weights or weights)(model, settings)


def weights(model: str, settings: Settings) -> list[str]:
    """Digests of an encoder's weights, configuration, pooling and tokenizer, after it was looked at: whole, harmless, and
    able to read so many tokens."""
    folder = given(model)
    check(folder, {*ENCODERS, *WRITERS})  # whether it fits the task is for the one that loads it
    longest = positions(folder) or settings.max_length
    if settings.max_length > longest:
        raise ConfigError(
            f"a max_length of at most {longest}, as {model} reads",
            str(settings.max_length),
            f"--set max_length={longest}",
        )
    files = {
        file for pattern in _DECIDING for file in folder.glob(pattern) if file.is_file() and file.name not in _TOLD
    }
    return [digest(file) for file in sorted(files)]


def versions() -> dict[str, str]:
    """Versions of what decides the bits of a model."""
    names = ("fieldtune", "torch", "transformers", "scikit-learn", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def provenance(run: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """What the manifest of a model says of where it comes from.

    Data fingerprint, library versions, the commit of fieldtune where it runs from a checkout, and the licence of the
    pretrained model where its folder tells.
    """
    return {
        "fingerprint": run["data"],
        "versions": versions(),
        "commit": commit(),
        "licence": licence(find(model)) if model else None,
    }


def commit() -> str | None:
    """The commit this code is at, with ``-dirty`` where files differ from it; None outside a checkout of it."""
    here = Path(__file__)
    git = ("git", "-C", str(here.parent))
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", here.name], check=True, capture_output=True)
        told = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or installed from a wheel
        return None


def threads() -> int:
    """Threads that torch computes with: another number adds in another order, so other last bits."""
    import torch

    return int(torch.get_num_threads())


def _check_room(model: str, settings: Settings) -> None:
    """Refuse to let a model read or write more than it has positions for."""
    folder = find(model)
    check(folder, {*ENCODERS, *WRITERS})
    (longest, together), source, target = room(folder), settings.max_length, settings.max_target
    if longest is None:
        return
    if together and source + target > longest:
        raise ConfigError(
            f"max_length and max_target of at most {longest} together, as {model} reads and writes",
            f"{source} and {target}",
            "--set max_length={} --set max_target={}".format(*_shared(longest, source, target)),
        )
    for name, value, does in (("max_length", source, "reads"), ("max_target", target, "writes")):
        if value > longest:
            raise ConfigError(
                f"a {name} of at most {longest}, as {model} {does}", str(value), f"--set {name}={longest}"
            )


def _shared(longest: int, source: int, target: int) -> tuple[int, int]:
    """Source and target cut so that they fit: either has half where both want more."""
    source = min(source, longest - min(target, longest // 2))
    return source, min(target, longest - source)


def _rows(frame: pd.DataFrame) -> Iterator[bytes]:
    return (json.dumps(list(row), ensure_ascii=False, default=_cell).encode() for row in frame.itertuples(index=False))


def _cell(value: Any) -> Any:
    """A cell that is no JSON value, as one that tells it from others."""
    if isinstance(value, Path):
        return digest(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"no fingerprint of a {type(value).__name__}")
