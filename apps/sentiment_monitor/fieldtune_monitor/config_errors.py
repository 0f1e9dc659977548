"""What pydantic finds wrong with a configuration, in the words of fieldtune's errors. Knows no key."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fieldtune.errors import ConfigError

KeysAt = Callable[[tuple[int | str, ...]], list[str]]
"""The keys that the table of a place, ("topics", 0, "name"), may have."""
_WORDS = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "too_short": "at least one entry",
    "model_type": "a table",
}
"""pydantic's kinds of error -> what was wanted, in words; those that our own checks raise are worded already."""


def worded(error: ValidationError, path: Path, keys_at: KeysAt) -> ConfigError:
    """The first of pydantic's errors about a configuration file, as one of ours."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = keys_at(first["loc"])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.5)
        fix = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(known)}"
        return ConfigError(f"known keys in {path.name}", f"'{place}'", fix)
    if first["type"] == "missing":
        return _missing_key(first, path, keys_at)
    return ConfigError(f"{_wanted(first)} at '{place}' of {path.name}", _found(first["input"]), "correct the value")


def _wanted(error: ErrorDetails) -> str:
    if words := _WORDS.get(error["type"]):
        return words.format(**error.get("ctx", {}))
    return error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")


def _missing_key(error: ErrorDetails, path: Path, keys_at: KeysAt) -> ConfigError:
    *table, key = error["loc"]
    known = keys_at(error["loc"])
    strange = [str(name) for name in error["input"] if name not in known]
    where = f" in '{'.'.join(map(str, table))}'" if table else ""
    found = ", ".join(map(repr, strange or error["input"])) or "an empty table"
    near = difflib.get_close_matches(str(key), strange, n=1, cutoff=0.5)
    return ConfigError(
        f"the key '{key}'{where} of {path.name}", found, f"rename '{near[0]}' to '{key}'" if near else "add it"
    )


def _found(value: Any) -> str:
    """A value as TOML writes it; of tables and lists only what kind of thing they are."""
    if isinstance(value, dict | list | tuple):
        kind = "table" if isinstance(value, dict) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    return str(value).lower() if isinstance(value, bool) else repr(value)
