"""Memory to text and back, bit for bit: what the store keeps between two transactions (pure).

Frozen dataclasses, tuples, mappings and numpy arrays (raw bytes in base64); no pickle. `VERSION` changes with the shape.
"""

import base64
import dataclasses
import json
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

from fieldtune.errors import ArtefactError
from fieldtune_monitor.engine import Memory

VERSION = 2


def dump(memory: Memory) -> str:
    """Text of a memory; equal memories give equal texts."""
    return json.dumps({"version": VERSION, "memory": _plain(memory)}, sort_keys=True, separators=(",", ":"))


def load(text: str) -> Memory:
    """The memory of a text.

    Raises:
        ArtefactError: another version, or not such a text.
    """
    try:
        values = json.loads(text)
        version = values["version"]
        if version == VERSION:
            memory: Memory = _built(Memory, values["memory"])
            return memory
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            "the state of a monitor", f"damaged text ({error})", "restore the store from a backup"
        ) from error
    raise ArtefactError(
        f"state of version {VERSION}", f"version {version}", "start with a new store folder, and replay the history"
    )


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "raw": raw}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def _built(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _built(hints[name], inner) for name, inner in value.items()})
    if isinstance(value, dict) and "raw" in value and "dtype" in value:
        flat = np.frombuffer(base64.b64decode(value["raw"]), dtype=np.dtype(value["dtype"]))
        return flat.reshape(value["shape"]).copy()
    if origin is tuple:
        return tuple(_built(typing.get_args(kind)[0], inner) for inner in value)
    return value
