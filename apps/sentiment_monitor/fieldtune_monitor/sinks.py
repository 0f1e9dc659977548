"""Where alerts go: a JSON-lines file, or stdout. Delivery reads the outbox and marks what was taken.

A file sink holds each key at most once: before it writes, it drops an unfinished last line (a crash in mid-write) and
skips keys the file already has; what it could not write whole (a full disk), it takes back. So neither kill -9 at any
moment nor a full disk loses or doubles an alert.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Engine

from fieldtune import outbox
from fieldtune_monitor.records import Line

Send = Callable[[Mapping[str, Any]], None]


def jsonl_sink(path: Path) -> Send:
    """A callable that appends an alert to `path`, flushed to disk, unless its key is there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    taken = _keys(path)

    def send(payload: Mapping[str, Any]) -> None:
        if payload["key"] in taken:
            return
        _append(path, (line_of(payload) + "\n").encode())
        taken.add(payload["key"])

    return send


def _append(path: Path, line: bytes) -> None:
    """Write the whole line, or leave the file as it was."""
    with path.open("ab", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise


def stream_sink(stream: TextIO) -> Send:
    """A callable that prints an alert as one line; a reader drops repeats by their key."""
    return lambda payload: print(line_of(payload), file=stream, flush=True)


def line_of(payload: Mapping[str, Any]) -> str:
    """One alert as one JSON line, keys in the order of the contract."""
    known = [name for name in Line.__dataclass_fields__ if name in payload]
    return json.dumps({name: payload[name] for name in known}, ensure_ascii=False)


def _keys(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) != len(raw):
        os.truncate(path, len(whole))
    keys = set()
    for line in whole.splitlines():
        try:
            keys.add(str(json.loads(line)["key"]))
        except (ValueError, KeyError, TypeError):
            continue  # a line someone else wrote
    return keys


def deliver(engine: Engine, sinks: Mapping[str, Send], now: datetime) -> int:
    """Send what the outbox holds, oldest first, marking each at once; a sink that fails keeps its rows for later."""
    sent = 0
    for name, send in sinks.items():
        with engine.begin() as connection:
            messages = outbox.pending(connection, name)
        for message in messages:
            try:
                send(message.payload)
            except OSError as error:
                print(f"sink {name} failed, will try again: {error}", file=sys.stderr, flush=True)
                break
            with engine.begin() as connection:
                outbox.mark_sent(connection, message.key, now)
            sent += 1
    return sent
