"""What users say about answers, alerts and lists, as rows that a retraining can read.

A row is idempotent: the same user saying the same kind of thing, or its opposite, about the same subject again
replaces the row. Text inside is scrubbed of personal data before it is stored; ids and places are kept as they are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from fieldtune.data.scrub import scrub
from fieldtune.runtime import iso

OPPOSITES = (("thumb_up", "thumb_down"), ("confirmed", "dismissed"))
IDENTIFIERS = frozenset(
    {"chosen", "decision", "document", "evidence", "item", "model", "opened", "origin", "store", "time"}
)
"""Keys of a payload that name things: an item number may look like a telephone number, a folder like an address."""


@dataclass(frozen=True)
class Feedback:
    """One statement of one user.

    Attributes:
        app: ``chatbot``, ``monitor`` or ``recommender``.
        subject: what it is about: the id of an answer, an incident, a story, a list.
        kind: ``thumb_up``, ``thumb_down``, ``correction``, ``confirmed``, ``dismissed``, ``tone``, ``topic``,
            ``purchase``, ``not_interested`` or a kind of the application's own.
        user: who said it; erasing a user deletes their rows.
        payload: what a retraining needs, e.g. the question and the right document.
    """

    app: str
    subject: str
    kind: str
    user: str = "anonymous"
    language: str = ""
    tenant: str = "default"
    payload: Mapping[str, Any] = field(default_factory=dict)


def record(connection: Connection, row: Feedback, now: datetime) -> None:
    """Store one row, replacing what this user said before of this kind, or of its opposite, about this subject."""
    for one, other in (*OPPOSITES, *(pair[::-1] for pair in OPPOSITES)):
        if row.kind == one:
            connection.execute(
                text(
                    """DELETE FROM feedback WHERE app = :app AND tenant = :tenant AND subject = :subject
                       AND kind = :kind AND user_id = :user"""
                ),
                {"app": row.app, "tenant": row.tenant, "subject": row.subject, "kind": other, "user": row.user},
            )
    connection.execute(
        text(
            """INSERT INTO feedback (app, subject, kind, user_id, tenant, language, made_at, payload)
               VALUES (:app, :subject, :kind, :user, :tenant, :language, :now, :payload)
               ON CONFLICT (app, tenant, subject, kind, user_id)
               DO UPDATE SET made_at = excluded.made_at, payload = excluded.payload"""
        ),
        {
            "app": row.app, "subject": row.subject, "kind": row.kind, "user": row.user, "tenant": row.tenant,
            "language": row.language, "now": iso(now),
            "payload": json.dumps(_scrubbed(dict(row.payload)), ensure_ascii=False, sort_keys=True),
        },
    )  # fmt: skip


def rows(connection: Connection, app: str | None = None) -> list[Feedback]:
    """All rows (of one application), in a fixed order, so that a retraining sees the same data each time."""
    found = connection.execute(
        text(
            """SELECT app, subject, kind, user_id, language, tenant, payload FROM feedback
               WHERE :app = '' OR app = :app ORDER BY made_at, app, tenant, subject, kind, user_id"""
        ),
        {"app": app or ""},
    )
    return [
        Feedback(app, subject, kind, user, language, tenant, json.loads(payload))
        for app, subject, kind, user, language, tenant, payload in found
    ]


def erase(connection: Connection, user: str) -> int:
    """Delete everything this user said; returns the number of rows."""
    return connection.execute(text("DELETE FROM feedback WHERE user_id = :user"), {"user": user}).rowcount


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value).text
    if isinstance(value, dict):
        return {key: inner if key in IDENTIFIERS else _scrubbed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_scrubbed(inner) for inner in value]
    return value
