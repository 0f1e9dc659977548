"""JSON read as if its author were an enemy: size, depth, doubled keys and lone surrogates end in one kind of error."""

import json
import re
from pathlib import Path
from typing import Any

from fieldtune.data.raw import once
from fieldtune.errors import ArtefactError

DEEPEST = 48
MOST = {b",": 800_000, b"{": 100_000}
"""Counted before anything is parsed: the largest tokenizers (250,002 words with their weights) have 500,000 commas."""

_COUNTED = re.compile(r"token|config|chat")  # what libraries read; our own lists are as long as the data was
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read(file: Path) -> Any:
    """The value in a file of JSON.

    Raises:
        ArtefactError: unreadable, not UTF-8, of more values than :data:`MOST`, nested deeper than :data:`DEEPEST`, a key
            twice in one object (readers differ in which they take), or text that is none (a lone surrogate).
    """
    try:
        raw = file.read_bytes()
        many = [sign.decode() for sign, most in MOST.items() if _COUNTED.search(file.name) and raw.count(sign) > most]
        if many:
            raise refused(file, f"more {many[0]!r} than any model needs")
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=once)
        if _SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise refused(file, "nesting without end") from error
    except (OSError, ValueError) as error:
        raise refused(file, str(error)[:200]) from error
    _shallow(value, file)
    return value


def refused(file: Path, what: str) -> ArtefactError:
    """The error that names a file and what is wrong in it."""
    return ArtefactError(f"a harmless {file.name}", f"{what} in {file}", "restore the folder, or use another model")


def _shallow(value: Any, file: Path) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise refused(file, f"nesting deeper than {DEEPEST}")
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, (dict, list))
        ]
