"""What is sent outside, once: rows written in the same transaction as the decision, delivered afterwards.

After a crash a row may be delivered again, always with the same key, so a receiver can drop the repeat.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from fieldtune.runtime import iso


@dataclass(frozen=True)
class Message:
    """One row waiting to be sent: its key, the sink's name and what to send."""

    key: str
    sink: str
    payload: dict[str, Any]


def enqueue(
    connection: Connection,
    key: str,
    sink: str,
    payload: dict[str, Any],
    now: datetime,
    *,
    tenant: str = "default",
    language: str = "",
) -> bool:
    """Add a message; False, and nothing changes, when this key was enqueued before."""
    values = {
        "key": key, "sink": sink, "tenant": tenant, "language": language,
        "payload": json.dumps(payload, ensure_ascii=False, sort_keys=True), "now": iso(now),
    }  # fmt: skip
    result = connection.execute(
        text(
            """INSERT INTO outbox (key, sink, position, tenant, language, payload, made_at)
               SELECT :key, :sink, (SELECT COALESCE(MAX(position), 0) + 1 FROM outbox),
                      :tenant, :language, :payload, :now
               WHERE true ON CONFLICT (key) DO NOTHING"""
        ),
        values,
    )
    return result.rowcount == 1


def pending(connection: Connection, sink: str | None = None) -> list[Message]:
    """Messages not yet marked sent, oldest first."""
    rows = connection.execute(
        text(
            """SELECT key, sink, payload FROM outbox WHERE sent_at IS NULL
               AND (:sink = '' OR sink = :sink) ORDER BY position"""
        ),
        {"sink": sink or ""},
    )
    return [Message(key, where, json.loads(payload)) for key, where, payload in rows]


def mark_sent(connection: Connection, key: str, now: datetime) -> None:
    """Record that the message needs no more sending: its sink has taken it, or another one was given it."""
    connection.execute(text("UPDATE outbox SET sent_at = :now WHERE key = :key"), {"key": key, "now": iso(now)})
