"""Where alerts go: a JSON-lines file, or stdout. Delivery reads the outbox and marks what was taken.

A file sink holds each key at most once: at its start it drops an unfinished last line of its own (a crash in mid-write),
it skips keys the file already has, and what it could not write whole (a full disk), it takes back. So neither kill -9
at any moment nor a full disk loses or doubles an alert. What somebody else wrote into the file stays as it is.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection, Engine

from fieldtune import outbox
from fieldtune.progress import say
from fieldtune_monitor.alerting import is_told
from fieldtune_monitor.records import Line

Send = Callable[[Mapping[str, Any]], None]
_OPENING = json.dumps({next(iter(Line.__dataclass_fields__)): ""}).removesuffix('"}').encode()  # of every line of ours


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
    """Write the whole line, on a line of its own, or leave the file as it was."""
    with path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
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
    """The keys a file has, after a line that we left unfinished was dropped from its end."""
    if not path.is_file():
        return set()
    raw = path.read_bytes()
    end = raw.rfind(b"\n") + 1
    if _torn(raw[end:]):
        os.truncate(path, end)
        raw = raw[:end]
    return {str(line["key"]) for line in map(_parsed, raw.splitlines()) if isinstance(line, dict) and "key" in line}


def _torn(tail: bytes) -> bool:
    """Whether what stands after the last line break is the beginning of a line of ours, whose writer was killed."""
    ours = tail.startswith(_OPENING) or _OPENING.startswith(tail)
    return bool(tail) and ours and _parsed(tail) is None


def _parsed(line: bytes) -> Any:
    """The JSON value of a line; None for what somebody else wrote there, and for half a line."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def enqueue(connection: Connection, sink: str, payload: Mapping[str, Any], now: datetime) -> bool:
    """Address an alert to a sink, once; False when it was before, sent or not."""
    return outbox.enqueue(connection, f"{sink}:{payload['key']}", sink, dict(payload), now)


def hand_over(engine: Engine, sinks: Mapping[str, bool], now: datetime) -> int:
    """Address to `sinks` what waits for sinks that are configured no more, say so, and return how many alerts that are.

    A sink that was given an alert before is not given it again, and info goes only to those who want it.

    Args:
        sinks: names of the configured ones, with whether each wants info alerts too.
    """
    with engine.begin() as connection:
        waiting = [message for message in outbox.pending(connection) if message.sink not in sinks]
        for message in waiting:
            for sink, wants_info in sinks.items():
                if wants_info or is_told(message.payload["signal"]):
                    enqueue(connection, sink, message.payload, now)
            outbox.mark_sent(connection, message.key, now)
    if waiting:
        gone = ", ".join(dict.fromkeys(message.sink for message in waiting))
        given = f"{len(waiting)}, handed over to {', '.join(sinks)}"
        say(f"alerts that waited for sinks not configured any more ({gone}): {given}")
    return len(waiting)


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
