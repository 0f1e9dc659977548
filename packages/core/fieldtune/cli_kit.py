"""What every command shares: --json, key=value, printing a result, an error as one line, names of a later release."""

import json
import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldtune.errors import InputError, RefusedError
from fieldtune.evaluate.figures import without_nan
from fieldtune.runtime import iso

_TIMED = re.compile(r"(^|_)(time|cut|at)$")
"""Names of what is a time where it is a number of seconds since 1970, of the years from :data:`_FIRST` to :data:`_LAST`."""
_FIRST, _LAST = 1e8, 5e9
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def show(result: Mapping[str, Any], as_json: bool) -> None:
    """Print a result on stdout: one JSON object, or ``key: value`` lines with nested tables indented."""
    if as_json:
        narrow = not (sys.stdout.encoding or "").lower().startswith("utf")  # JSON's own escapes can be read anywhere
        print(json.dumps(without_nan(result), ensure_ascii=narrow, default=_plain, allow_nan=False))
        return
    for line in _lines(result, ""):
        print(line)


def _lines(value: Any, indent: str) -> list[str]:
    if isinstance(value, Mapping):
        lines = []
        for key, inner in value.items():
            if isinstance(inner, (Mapping, list, tuple)) and inner:
                lines += [f"{indent}{key}:", *_lines(inner, indent + "  ")]
            else:
                lines.append(f"{indent}{key}: {_text(inner, str(key))}")
        return lines
    if isinstance(value, (list, tuple)):
        items = [_lines(inner, "") or ["{}"] for inner in value]
        return [indent + ("  " if place else "- ") + line for item in items for place, line in enumerate(item)]
    return [f"{indent}{_text(value)}"]


def _text(value: Any, key: str = "") -> str:
    """A value in a reader's words: yes, no, none, a date; numbers without an exponent as long as they are of a common size."""
    value = value.item() if hasattr(value, "item") and not getattr(value, "ndim", 0) else value
    if value is None or (isinstance(value, (Mapping, list, tuple)) and not value):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if math.isnan(value):
            return "none"
        if _TIMED.search(key) and _FIRST <= value < _LAST:
            return iso(datetime.fromtimestamp(value, UTC))
        return f"{value:.0f}" if 9999.5 <= abs(value) < 1e15 else f"{value + 0.0:.4g}"  # no -0
    return str(value)


def _plain(value: Any) -> Any:
    """Paths and dates as JSON sees them."""
    return str(value)


def folder(text: str) -> Path:
    """Parser of an option that names a folder: a database URL would become a folder called "postgresql:".

    Raises:
        InputError: a URL.
    """
    if "://" in text:
        scheme = text.partition("://")[0]
        raise InputError("a folder", f"a URL, {scheme}://...", "name a folder: only the monitor's `store` takes a URL")
    return Path(text)


def pair(text: str, option: str) -> tuple[str, str]:
    """Name and value of one ``key=value`` of an option.

    Raises:
        InputError: no =, or nothing on one side of it.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise InputError(f"{option} key=value", repr(text), f"write it as {option} key=value")
    return key, value


def parse_map(given: list[str] | None) -> dict[str, str] | None:
    """``0=negative,1=positive``, perhaps several times -> a dictionary; nothing -> None.

    A name with a comma or an equals sign stands in double quotes, ``"a, b"=c``; a quote within is doubled.

    Raises:
        InputError: no =, nothing on one side of it, a quote that is not closed, or one name that is to become two.
    """
    known: dict[str, str] = {}
    for old, new in (_renaming(item) for text in given or [] for item in _split(text, ",")):
        if known.setdefault(old, new) != new:
            raise InputError(
                "--map with every OLD once", f"{old}={known[old]} and {old}={new}", "leave one of them out"
            )
    return known or None


def _renaming(item: str) -> tuple[str, str]:
    parts = [_unquoted(part.strip()) for part in _split(item, "=")]
    if len(parts) != 2 or not all(parts):
        raise InputError("--map OLD=NEW", repr(item), """write 0=negative,1=positive; quote commas: '"a, b"=c'""")
    return parts[0], parts[1]


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks that stand outside double quotes."""
    parts = [""]
    for place, quoted in enumerate(text.split('"')):
        first, *others = [quoted] if place % 2 else quoted.split(mark)
        parts[-1] += ('"' if place else "") + first
        parts += others
    return parts


def _unquoted(name: str) -> str:
    whole = len(name) > 1 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"').strip() if whole else name


def fail(message: str) -> None:
    """One line on stderr, whatever line breaks the message had."""
    print("error: " + " ".join(message.split()), file=sys.stderr)


def planned(app: typer.Typer, names: Mapping[str, str]) -> None:
    """Add commands of the contract that are not here yet: help and answer say which part brings them (exit 1).

    Args:
        app: the group they belong to.
        names: command -> what it does and what brings it.
    """
    for name, what in names.items():
        _plan(app, name, what)


def _plan(app: typer.Typer, name: str, what: str) -> None:
    @app.command(
        name,
        help=f"Not in this release: {what}.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def _planned(context: typer.Context) -> None:
        raise RefusedError("a command of this release", f"{name!r}, which is planned: {what}", "see --help")
