"""The header of a safetensors file, checked before any library reads it: lengths, offsets, shapes, no overlap, no hole.

The format: https://github.com/huggingface/safetensors#format. Knows nothing of what the tensors mean.
"""

import json
import math
from pathlib import Path
from typing import Any

from fieldtune.errors import ArtefactError
from fieldtune.models.guard.jsons import refused

MOST_HEADER = 16 * 2**20
MOST_TENSORS = 100_000
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
Shape = tuple[int, ...]


def header(file: Path) -> list[Shape]:
    """The shapes of the tensors.

    Raises:
        ArtefactError: the file is not exactly the tensors that its header lists.
    """
    size = file.stat().st_size
    with file.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if size < 8 or length > min(MOST_HEADER, size - 8):
            raise refused(file, f"a header of {length} bytes in a file of {size}")
        entries = _parsed(handle.read(length), file)
    if len(entries) > MOST_TENSORS:
        raise refused(file, f"{len(entries)} tensors")
    try:
        spans = sorted(_span(entry) for entry in entries.values())
        shapes = [tuple(entry["shape"]) for entry in entries.values()]
    except (KeyError, TypeError, ValueError) as error:
        raise refused(file, f"a tensor of wrong shape or place ({error})") from error
    ends = [0, *(end for _, end in spans)]
    if [begin for begin, _ in spans] != ends[:-1] or ends[-1] != size - 8 - length:
        raise refused(file, "tensors that overlap, leave holes or lie outside")
    return shapes


def _parsed(raw: bytes, file: Path) -> dict[str, Any]:
    try:
        entries = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise refused(file, f"a header that is no JSON ({type(error).__name__})") from error
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise refused(file, "a header that lists no tensors")
    entries.pop("__metadata__", None)
    return entries


def _span(entry: dict[str, Any]) -> tuple[int, int]:
    """Where a tensor lies, when its bytes are as many as type and shape need."""
    begin, end = entry["data_offsets"]
    shape = entry["shape"]
    if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
        raise ValueError("a number that is no count")
    if end - begin != math.prod(shape) * _BYTES[entry["dtype"]]:
        raise ValueError(f"{end - begin} bytes for {shape} of {entry['dtype']}")
    return begin, end


def elements(shapes: list[Shape]) -> int:
    """How many numbers tensors of these shapes hold."""
    return sum(math.prod(shape) for shape in shapes)


def finite(file: Path, good: bool) -> None:
    """Refuse weights that are not numbers, once they are loaded.

    Raises:
        ArtefactError: where ``good`` is false.
    """
    if not good:
        raise ArtefactError("weights that are finite numbers", f"NaN or infinity in {file}", "restore the folder")
