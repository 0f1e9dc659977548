"""What a run is: equal fingerprints give equal bits, on one machine with the same versions. Trains nothing."""

import hashlib
import json
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from fieldtune.errors import ConfigError
from fieldtune.models.encoder import ENCODERS, WRITERS, check, find, positions
from fieldtune.models.folder import MANIFEST, digest, verify
from fieldtune.train.settings import Settings


def fingerprint(
    task: str,
    method: str,
    model: list[str],
    settings: Settings,
    seed: int,
    tables: Iterable[pd.DataFrame],
) -> dict[str, Any]:
    """Task, method, digests of the weights it starts from, settings, seed and a digest of the rows.

    Args:
        model: digests of the weights it starts from, see :func:`start`.
        tables: training and validation rows; cells are JSON values, arrays, bytes, or paths, whose files are hashed.
    """
    data = hashlib.sha256()
    for frame in tables:
        for row in frame.itertuples(index=False):
            data.update(json.dumps(list(row), ensure_ascii=False, default=_cell).encode() + b"\n")
        data.update(b"--\n")
    return {
        "task": task,
        "method": method,
        "model": model,
        "settings": settings.as_dict(),
        "seed": seed,
        "data": data.hexdigest(),
    }


def start(about: ModuleType, method: str, model: str, settings: Settings) -> list[str]:
    """Digests of the weights that a task's method starts from; none where it starts from none."""
    if method in about.ENCODERLESS:
        return []
    found: list[str] = getattr(about, "weights", weights)(model, settings)
    return found


def weights(model: str, settings: Settings) -> list[str]:
    """Digests of an encoder's weights, after it was looked at: whole, harmless, and able to read so many tokens."""
    folder = find(model)
    if (folder / MANIFEST).is_file():
        verify(folder)
    check(folder, {*ENCODERS, *WRITERS})  # whether it fits the task is for the one that loads it
    longest = positions(folder) or settings.max_length
    if settings.max_length > longest:
        raise ConfigError(
            f"a max_length of at most {longest}, as {model} reads",
            str(settings.max_length),
            f"--set max_length={longest}",
        )
    return [digest(file) for file in sorted(folder.glob("*.safetensors"))]


def versions() -> dict[str, str]:
    """Versions of what decides the bits of a model."""
    names = ("fieldtune", "torch", "transformers", "scikit-learn", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


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
