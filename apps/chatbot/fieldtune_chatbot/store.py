"""The chatbot's tables: every wording of every document, and the conversations.

One row per document and version, so that a citation made today can be opened after the article was edited.
Knows SQL; not what an answer is, nor which wording is the present one: that depends on which version serves.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from fieldtune.runtime import iso
from fieldtune.store import open_store, statements
from fieldtune_chatbot.records import Document

MIGRATIONS = (
    statements(
        "chatbot 001 documents, history",
        """CREATE TABLE documents (tenant TEXT NOT NULL DEFAULT 'default', document TEXT NOT NULL,
           version TEXT NOT NULL, language TEXT NOT NULL DEFAULT '', title TEXT NOT NULL, body TEXT NOT NULL,
           current INTEGER NOT NULL, first_seen TEXT NOT NULL, processed TEXT NOT NULL,
           PRIMARY KEY (tenant, document, version))""",
        """CREATE TABLE history (tenant TEXT NOT NULL DEFAULT 'default', session TEXT NOT NULL,
           position INTEGER NOT NULL, language TEXT NOT NULL DEFAULT '', role TEXT NOT NULL, body TEXT NOT NULL,
           decision TEXT NOT NULL DEFAULT '', made_at TEXT NOT NULL, PRIMARY KEY (tenant, session, position))""",
    ),
    statements(
        "chatbot 002 documents of any version",  # a rollback changes which wording is current, and asks no store
        "ALTER TABLE documents DROP COLUMN current",
    ),
    statements(
        "chatbot 003 answers by time",  # what `answers_since` reads piece by piece
        "CREATE INDEX decisions_by_time ON decisions (kind, made_at, id)",
    ),
)
_PIECE = 1000
_END = "9999"
"""Later than every time that is stored."""


def open_chatbot(folder: Path) -> Engine:
    """The chatbot's database in its store folder, created and migrated."""
    return open_store(folder, MIGRATIONS)


def keep_documents(connection: Connection, documents: Iterable[Document], tenant: str, now: datetime) -> int:
    """Keep the wordings of `documents` for the tenant, beside all that were kept before; returns how many were new."""
    new = 0
    for document in documents:
        new += connection.execute(
            text(
                """INSERT INTO documents VALUES (:tenant, :document, :version, :language, :title, :body, :now, :now)
                   ON CONFLICT (tenant, document, version) DO NOTHING"""
            ),
            {
                "tenant": tenant, "document": document.id, "version": document.version, "language": document.language,
                "title": document.title, "body": document.text, "now": iso(now),
            },
        ).rowcount  # fmt: skip
    return new


def open_citation(
    connection: Connection, document: str, version: str, start: int, end: int, tenant: str = "default"
) -> str | None:
    """The characters a citation names, from the very wording it was made on; None when that is unknown."""
    body = connection.execute(
        text("SELECT body FROM documents WHERE tenant = :tenant AND document = :document AND version = :version"),
        {"tenant": tenant, "document": document, "version": version},
    ).scalar()
    return None if body is None else str(body)[start:end]


def first_made(connection: Connection, decisions: Collection[str]) -> str:
    """When the oldest of these decisions was made, ISO 8601 in UTC; "" when none of them is known."""
    made = [
        connection.execute(text("SELECT made_at FROM decisions WHERE id = :id"), {"id": identity}).scalar()
        for identity in decisions
    ]
    return min((str(time) for time in made if time is not None), default="")


def answers_since(engine: Engine, time: str) -> Iterator[dict[str, Any]]:
    """The payloads of the answers made at `time` (as `first_made` gives it) or later, the latest first; those of one
    second by their ids.

    There may be very many: they are read in pieces, and between two of them whoever answers customers can write.
    """
    last: tuple[str, ...] = (_END, "")
    while last:
        with engine.begin() as connection:
            rows = connection.execute(
                text(
                    """SELECT made_at, id, payload FROM decisions
                       WHERE kind = 'answer' AND made_at >= :time AND (made_at, id) < (:last, :last_id)
                       ORDER BY made_at DESC, id DESC LIMIT :piece"""
                ),
                {"time": time, "last": last[0], "last_id": last[1], "piece": _PIECE},
            ).all()
        yield from (json.loads(payload) for _, _, payload in rows)
        last = (rows[-1][0], rows[-1][1]) if rows else ()


def say(
    connection: Connection,
    session: str,
    role: str,
    body: str,
    now: datetime,
    *,
    language: str = "",
    decision: str = "",
    tenant: str = "default",
) -> None:
    """Append one turn to a conversation."""
    place = connection.execute(
        text("SELECT COALESCE(MAX(position), 0) + 1 FROM history WHERE tenant = :tenant AND session = :session"),
        {"tenant": tenant, "session": session},
    ).scalar()
    connection.execute(
        text("INSERT INTO history VALUES (:tenant, :session, :place, :language, :role, :body, :decision, :now)"),
        {
            "tenant": tenant, "session": session, "place": place, "language": language, "role": role,
            "body": body, "decision": decision, "now": iso(now),
        },
    )  # fmt: skip


def erase(connection: Connection, session: str) -> int:
    """Delete a conversation of every tenant, and the decisions made in it; returns the number of turns."""
    connection.execute(
        text("DELETE FROM decisions WHERE id IN (SELECT decision FROM history WHERE session = :session)"),
        {"session": session},
    )
    return connection.execute(text("DELETE FROM history WHERE session = :session"), {"session": session}).rowcount


def said(connection: Connection, session: str) -> list[str]:
    """What stands in a conversation, of every tenant."""
    return list(
        connection.execute(text("SELECT body FROM history WHERE session = :session"), {"session": session}).scalars()
    )


def history(connection: Connection, session: str, tenant: str = "default") -> list[dict[str, Any]]:
    """The turns of one conversation, the oldest first."""
    rows = connection.execute(
        text(
            """SELECT position, role, body, language, decision, made_at FROM history
               WHERE tenant = :tenant AND session = :session ORDER BY position"""
        ),
        {"tenant": tenant, "session": session},
    )
    return [dict(row) for row in rows.mappings()]
