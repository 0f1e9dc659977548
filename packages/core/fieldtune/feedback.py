"""What users say about answers, alerts and lists, as rows that a retraining can read.

A row is idempotent: the same user saying the same kind of thing, or its opposite, about the same subject again
replaces the row. Text inside is scrubbed of personal data before it is stored; ids and places are kept as they are.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from fieldtune.data.scrub import scrub
from fieldtune.runtime import iso

ANONYMOUS = "anonymous"
"""Who gives no name; what such users taught cannot be told apart, so erasing the name is not remembered."""
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
        user: who said it.
        payload: what a retraining needs, e.g. the question and the right document.
    """

    app: str
    subject: str
    kind: str
    user: str = ANONYMOUS
    language: str = ""
    tenant: str = "default"
    payload: Mapping[str, Any] = field(default_factory=dict)


def record(connection: Connection, row: Feedback, now: datetime, keep: Collection[str] = ()) -> None:
    """Store one row, replacing what this user said before of this kind, or of its opposite, about this subject.

    Args:
        keep: `fieldtune.data.scrub.contacts` that are not personal: the company's own.
    """
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
            "payload": json.dumps(_scrubbed(dict(row.payload), keep), ensure_ascii=False, sort_keys=True),
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


def user_hash(user: str) -> str:
    """What stands for a user in models and in the list of the erased: 16 hexadecimal digits of the sha256.

    It names nobody, but who can guess a name can check it.
    """
    return hashlib.sha256(user.encode()).hexdigest()[:16]


def forget(connection: Connection, user: str, now: datetime) -> int:
    """Delete this user's rows, and remember that nothing is to be learnt from them; returns the number of rows."""
    if user != ANONYMOUS:
        connection.execute(
            text(
                "INSERT INTO erased_users (user_hash, made_at) VALUES (:user, :now) ON CONFLICT (user_hash) DO NOTHING"
            ),
            {"user": user_hash(user), "now": iso(now)},
        )
    return erase(connection, user)


def erased(connection: Connection) -> frozenset[str]:
    """The hashes of the users whom `forget` was called for."""
    return frozenset(connection.execute(text("SELECT user_hash FROM erased_users")).scalars())


def texts(connection: Connection, user: str) -> list[str]:
    """Every text in this user's rows, as it was stored, and so as a training may have read it."""
    found = connection.execute(text("SELECT payload FROM feedback WHERE user_id = :user"), {"user": user}).scalars()
    return sorted({one for payload in found for one in _strings(json.loads(payload))})


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for part in inner for one in _strings(part)]


def erase(connection: Connection, user: str) -> int:
    """Delete this user's rows; returns their number."""
    return connection.execute(text("DELETE FROM feedback WHERE user_id = :user"), {"user": user}).rowcount


def _scrubbed(value: Any, keep: Collection[str]) -> Any:
    if isinstance(value, str):
        return scrub(value, keep).text
    if isinstance(value, dict):
        return {key: inner if key in IDENTIFIERS else _scrubbed(inner, keep) for key, inner in value.items()}
    if isinstance(value, list):
        return [_scrubbed(inner, keep) for inner in value]
    return value
