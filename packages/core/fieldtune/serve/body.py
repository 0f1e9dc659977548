"""The body of a request: read within its limits, parsed, and turned into the rows a model reads.

Knows no model: what it is told are the names of the columns.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request

from fieldtune.data.raw import TwiceError, once
from fieldtune.serve.guard import GONE, Refusal
from fieldtune.serve.limits import Limits, cut
from fieldtune.text.normalise import whole
from fieldtune.text.shown import some_of

Rows = list[tuple[tuple[str, ...], bool]]
"""Per row the texts that the model reads, and whether any of them was cut off."""


async def rows_of(request: Request, inputs: Sequence[str], limits: Limits) -> Rows:
    """The rows of a request.

    Raises:
        Refusal: 415 no JSON (a form that a browser sends from anywhere), 413 too large, 408 too slow, 400 not readable,
            422 of another shape.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "expected JSON; fix: send the header Content-Type: application/json")
    parsed = _parse(await _read(request, limits))
    rows = enumerate(_rows(parsed, inputs, limits), 1)
    return [_row(row, f"row {number}", inputs, limits) for number, row in rows]


async def _read(request: Request, limits: Limits) -> bytes:
    declared = request.headers.get("content-length", "0")
    if len(declared) > 18 or int(declared) > limits.body_bytes:
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_s):
            async for part in request.stream():
                body += part
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError:
        raise Refusal(408, f"expected the body within {limits.body_s:g} s", Connection="close") from None
    except ClientDisconnect:
        raise Refusal(GONE, "the client has gone") from None
    return bytes(body)


def _too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"expected a body of at most {limits.body_bytes} bytes; fix: send fewer rows at a time")


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body, object_pairs_hook=once)
    except TwiceError as error:
        raise Refusal(400, f"expected every field once; found {error}; fix: leave one of them out") from None
    except (ValueError, RecursionError):
        raise Refusal(400, "expected JSON; found a body that is none") from None


def _rows(parsed: Any, inputs: Sequence[str], limits: Limits) -> list[Any]:
    kinds = [name for name in ("texts", "rows") if isinstance(parsed, dict) and isinstance(parsed.get(name), list)]
    if len(kinds) != 1 or len(parsed) != 1:
        raise _shape(inputs, _members(parsed))
    rows: list[Any] = parsed[kinds[0]]
    if len(rows) > limits.rows:
        raise Refusal(422, f"expected at most {limits.rows} rows; found {len(rows)}; fix: send fewer at a time")
    if kinds == ["rows"]:
        return rows
    if len(inputs) != 1:
        raise _shape(inputs, "texts")
    for place, text in enumerate(rows):
        if not isinstance(text, str):
            raise _shape(inputs, f"{_kind(text)} as text {place + 1}")
    return [{inputs[0]: text} for text in rows]


def _row(row: Any, where: str, inputs: Sequence[str], limits: Limits) -> tuple[tuple[str, ...], bool]:
    """What the model reads of a row; other columns are passed over, as ``predict`` does with those of a table."""
    if not isinstance(row, dict):
        raise _shape(inputs, f"{_kind(row)} as {where}")
    if missing := [name for name in inputs if name not in row]:
        raise _shape(inputs, f"{where} without {missing[0]!r}")
    cells = [cut(_text(row[name], f"{name!r} in {where}", inputs), limits.chars) for name in inputs]
    return tuple(whole(text) for text, _ in cells), any(shorter for _, shorter in cells)


def _text(cell: Any, where: str, inputs: Sequence[str]) -> str:
    """A cell as the text a table would hold; nothing is an empty text."""
    if cell is not None and not isinstance(cell, (str, int, float)):
        raise _shape(inputs, f"{_kind(cell)} as {where}")
    return "" if cell is None else str(cell)


def _members(parsed: Any) -> str:
    return f"an object of {some_of(map(repr, parsed), 5)}" if isinstance(parsed, dict) and parsed else _kind(parsed)


def _kind(value: Any) -> str:
    """What JSON calls a value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _shape(inputs: Sequence[str], found: str) -> Refusal:
    example = json.dumps({"rows": [dict.fromkeys(inputs, "...")]})
    short = ' or {"texts": ["..."]}' if len(inputs) == 1 else ""
    return Refusal(422, f"expected {example}{short}; found {found:.200}")
