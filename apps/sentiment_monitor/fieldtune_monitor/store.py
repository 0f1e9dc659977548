"""What the monitor keeps: documents, source cursors, memory, chart rows, incidents. Functions over a connection.

The caller opens one transaction per batch; a crash leaves all of it or nothing. A document is unique by identity, so
a batch read twice counts once. Times are ISO 8601 UTC text.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from fieldtune.store import statements
from fieldtune_monitor.records import Document
from fieldtune_monitor.sources import Cursor
from fieldtune_monitor.windows import iso

OPEN = -1  # documents.counted: waits for its bucket to close; then 1 counted, 0 too late or a copy

MIGRATIONS = (
    statements(
        "monitor 001 documents, sources, state, buckets, incidents",
        """CREATE TABLE documents (identity TEXT NOT NULL, id TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT 'default',
           language TEXT NOT NULL, source TEXT NOT NULL, url TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
           published TEXT NOT NULL, first_seen TEXT NOT NULL, processed TEXT NOT NULL, bucket INTEGER NOT NULL,
           flags TEXT NOT NULL, topics TEXT NOT NULL, tone TEXT NOT NULL, p_negative DOUBLE PRECISION NOT NULL,
           negative INTEGER NOT NULL, story TEXT NOT NULL, counted INTEGER NOT NULL, PRIMARY KEY (tenant, identity))""",
        "CREATE INDEX documents_bucket ON documents (bucket, counted)",
        "CREATE INDEX documents_id ON documents (id)",
        """CREATE TABLE sources (source TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT 'default',
           language TEXT NOT NULL DEFAULT '', cursor TEXT NOT NULL, row_count INTEGER NOT NULL, broken INTEGER NOT NULL,
           problem TEXT NOT NULL, polled_at TEXT NOT NULL, PRIMARY KEY (tenant, source))""",
        """CREATE TABLE state (name TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT 'default',
           language TEXT NOT NULL DEFAULT '', payload TEXT NOT NULL, model TEXT NOT NULL, last_bucket INTEGER NOT NULL,
           saved_at TEXT NOT NULL, PRIMARY KEY (tenant, name))""",
        """CREATE TABLE buckets (topic TEXT NOT NULL, bucket INTEGER NOT NULL, tenant TEXT NOT NULL DEFAULT 'default',
           language TEXT NOT NULL DEFAULT '', time TEXT NOT NULL, documents INTEGER NOT NULL,
           negatives INTEGER NOT NULL, copies INTEGER NOT NULL, expected DOUBLE PRECISION NOT NULL,
           spread DOUBLE PRECISION NOT NULL, surprise DOUBLE PRECISION NOT NULL, phase TEXT NOT NULL, PRIMARY KEY (tenant, topic, bucket))""",
        """CREATE TABLE incidents (id TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT 'default',
           language TEXT NOT NULL DEFAULT '', topic TEXT NOT NULL, signal TEXT NOT NULL, state TEXT NOT NULL,
           opened TEXT NOT NULL, changed TEXT NOT NULL, line TEXT NOT NULL, PRIMARY KEY (tenant, id))""",
    ),
)


@dataclass(frozen=True)
class Entry:
    """A document as stored before its bucket is closed: judged, but not yet told apart from copies."""

    document: Document
    bucket: int
    topics: tuple[str, ...]
    tone: str
    p_negative: float
    negative: bool


def known(connection: Connection, identities: Sequence[str]) -> set[str]:
    """Which of these documents are stored already."""
    found: set[str] = set()
    for start in range(0, len(identities), 500):
        chunk = identities[start : start + 500]
        names = ", ".join(f":i{n}" for n in range(len(chunk)))
        rows = connection.execute(
            text(f"SELECT identity FROM documents WHERE tenant = 'default' AND identity IN ({names})"),
            {f"i{n}": identity for n, identity in enumerate(chunk)},
        )
        found.update(row[0] for row in rows)
    return found


def add_documents(connection: Connection, entries: Iterable[Entry]) -> None:
    """Store new documents, waiting for their bucket to close."""
    rows = [
        {
            **asdict(entry.document), "flags": " ".join(entry.document.flags), "bucket": entry.bucket,
            "published": iso(entry.document.published), "first_seen": iso(entry.document.first_seen),
            "processed": iso(entry.document.processed), "topics": json.dumps(entry.topics, ensure_ascii=False),
            "tone": entry.tone, "p_negative": entry.p_negative, "negative": int(entry.negative), "counted": OPEN,
        }
        for entry in entries
    ]  # fmt: skip
    if rows:
        connection.execute(
            text(
                """INSERT INTO documents (identity, id, language, source, url, title, body, published, first_seen,
                   processed, bucket, flags, topics, tone, p_negative, negative, story, counted)
                   VALUES (:identity, :id, :language, :source, :url, :title, :text, :published, :first_seen,
                   :processed, :bucket, :flags, :topics, :tone, :p_negative, :negative, '', :counted)
                   ON CONFLICT DO NOTHING"""
            ),
            rows,
        )


def waiting(connection: Connection, before: int, limit: int) -> list[Mapping[str, Any]]:
    """Documents of buckets below `before` that are still open, in the order in which they are told.

    About `limit` rows: always whole buckets.
    """
    edge = connection.execute(
        text(
            "SELECT bucket FROM documents WHERE counted = -1 AND bucket < :before ORDER BY bucket LIMIT 1 OFFSET :limit"
        ),
        {"before": before, "limit": limit},
    ).scalar()
    last = before - 1 if edge is None else edge
    rows = connection.execute(
        text(
            """SELECT identity, id, source, title, body, published, first_seen, bucket, topics, negative FROM documents
               WHERE counted = -1 AND bucket <= :last ORDER BY bucket, first_seen, identity"""
        ),
        {"last": last},
    )
    return [dict(row) for row in rows.mappings()]


def newest_waiting(connection: Connection) -> str | None:
    """The latest first_seen among documents whose bucket is open."""
    found: str | None = connection.execute(text("SELECT MAX(first_seen) FROM documents WHERE counted = -1")).scalar()
    return found


def close_documents(connection: Connection, told: Sequence[tuple[str, str, bool]]) -> None:
    """Record story and whether it counted: (identity, identity of the story's first article, counted)."""
    if told:
        connection.execute(
            text(
                "UPDATE documents SET story = :story, counted = :counted WHERE tenant = 'default' AND identity = :identity"
            ),
            [{"identity": i, "story": s, "counted": int(c)} for i, s, c in told],
        )


def recent_heads(connection: Connection, since: str) -> list[tuple[str, str, str, str, str]]:
    """First articles of stories first seen since then: identity, title, body, source, first_seen; as told."""
    rows = connection.execute(
        text(
            """SELECT identity, title, body, source, first_seen FROM documents
               WHERE story = identity AND counted != -1 AND first_seen >= :since ORDER BY bucket, first_seen, identity"""
        ),
        {"since": since},
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def evidence(connection: Connection, topic: str, first: int, last: int) -> list[dict[str, Any]]:
    """Negative stories of a topic that counted in buckets first..last, surest first, with copies and sources."""
    heads = connection.execute(
        text(
            """SELECT identity, id, title, url, source, p_negative, topics FROM documents
               WHERE counted = 1 AND negative = 1 AND bucket BETWEEN :first AND :last AND topics LIKE :topic
               ORDER BY p_negative DESC, id"""
        ),
        {"first": first, "last": last, "topic": f"%{json.dumps(topic, ensure_ascii=False)}%"},
    ).mappings()
    stories = [dict(row) for row in heads if topic in json.loads(row["topics"])]
    for story in stories:
        rows = connection.execute(
            text("SELECT source FROM documents WHERE story = :story AND bucket BETWEEN :first AND :last"),
            {"story": story["identity"], "first": first, "last": last},
        ).all()
        story["sources"], story["copies"] = {row[0] for row in rows}, len(rows) - 1
    return stories


def add_buckets(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Chart rows of closed buckets."""
    if rows:
        connection.execute(
            text(
                """INSERT INTO buckets (topic, bucket, time, documents, negatives, copies, expected, spread, surprise, phase)
                   VALUES (:topic, :bucket, :time, :documents, :negatives, :copies, :expected, :spread, :surprise, :phase)
                   ON CONFLICT DO NOTHING"""
            ),
            list(rows),
        )


def put_incident(connection: Connection, line: Mapping[str, Any], opened: str) -> None:
    """Record the newest state of an incident; `line` stays the last one that fired, with its evidence."""
    connection.execute(
        text(
            """INSERT INTO incidents (id, topic, signal, state, opened, changed, line)
               VALUES (:id, :topic, :signal, :state, :opened, :changed, :line)
               ON CONFLICT (tenant, id) DO UPDATE SET signal = excluded.signal, state = excluded.state,
               changed = excluded.changed,
               line = CASE WHEN excluded.state = 'firing' THEN excluded.line ELSE incidents.line END"""
        ),
        {
            "id": line["incident"], "topic": line["topic"], "signal": line["signal"], "state": line["state"],
            "opened": opened, "changed": line["time"], "line": json.dumps(line, ensure_ascii=False),
        },
    )  # fmt: skip


def read_cursor(connection: Connection, source: str) -> Cursor:
    """Where reading of a source stopped; the beginning for a new one."""
    found = connection.execute(text("SELECT cursor FROM sources WHERE source = :source"), {"source": source}).scalar()
    if found is None:
        return Cursor()
    values = json.loads(found)
    return Cursor(**{**values, "header": tuple(values["header"])})


def put_cursor(
    connection: Connection, source: str, cursor: Cursor, rows: int, problems: Sequence[str], now: datetime | str
) -> None:
    """Move a cursor; `rows` (usable ones) and `problems` are added to the counts of the source."""
    connection.execute(
        text(
            """INSERT INTO sources (source, cursor, row_count, broken, problem, polled_at)
               VALUES (:source, :cursor, :rows, :broken, :problem, :now)
               ON CONFLICT (tenant, source) DO UPDATE SET cursor = excluded.cursor, polled_at = excluded.polled_at,
               row_count = sources.row_count + excluded.row_count, broken = sources.broken + excluded.broken,
               problem = CASE WHEN excluded.problem = '' THEN sources.problem ELSE excluded.problem END"""
        ),
        {
            "source": source, "cursor": json.dumps(asdict(cursor), ensure_ascii=False), "rows": rows,
            "broken": len(problems), "problem": problems[-1] if problems else "", "now": str(now),
        },
    )  # fmt: skip


def put_problem(connection: Connection, source: str, problem: str, now: str) -> None:
    """Record why a source could not be read; its cursor and its counts stay."""
    connection.execute(
        text(
            """INSERT INTO sources (source, cursor, row_count, broken, problem, polled_at)
               VALUES (:source, :cursor, 0, 0, :problem, :now)
               ON CONFLICT (tenant, source) DO UPDATE SET problem = excluded.problem, polled_at = excluded.polled_at"""
        ),
        {"source": source, "cursor": json.dumps(asdict(Cursor())), "problem": problem, "now": now},
    )


def source_counts(connection: Connection, source: str) -> tuple[int, int, str]:
    """Usable rows and broken ones a source ever gave, and the last problem."""
    row = connection.execute(
        text("SELECT row_count, broken, problem FROM sources WHERE source = :source"), {"source": source}
    ).first()
    return (0, 0, "") if row is None else (row[0], row[1], row[2])


def read_state(connection: Connection) -> tuple[str, str, int] | None:
    """Memory as text, the model it was made with, and the last closed bucket; None at the very start."""
    row = connection.execute(text("SELECT payload, model, last_bucket FROM state WHERE name = 'memory'")).first()
    return None if row is None else (row[0], row[1], row[2])


def put_state(connection: Connection, payload: str, model: str, last_bucket: int, now: str) -> None:
    """Replace the memory."""
    connection.execute(
        text(
            """INSERT INTO state (name, payload, model, last_bucket, saved_at)
               VALUES ('memory', :payload, :model, :last, :now)
               ON CONFLICT (tenant, name) DO UPDATE SET payload = excluded.payload, model = excluded.model,
               last_bucket = excluded.last_bucket, saved_at = excluded.saved_at"""
        ),
        {"payload": payload, "model": model, "last": last_bucket, "now": now},
    )


def is_empty(connection: Connection) -> bool:
    """Whether no story was ever stored here."""
    return connection.execute(text("SELECT 1 FROM documents LIMIT 1")).first() is None


def totals(connection: Connection) -> dict[str, int]:
    """Documents, stories, copies, late ones, broken lines."""
    row = connection.execute(
        text(
            """SELECT COUNT(*), SUM(CASE WHEN story = identity AND counted != -1 THEN 1 ELSE 0 END),
               SUM(CASE WHEN story != identity AND counted != -1 THEN 1 ELSE 0 END),
               SUM(CASE WHEN story = identity AND counted = 0 THEN 1 ELSE 0 END),
               SUM(CASE WHEN counted = -1 THEN 1 ELSE 0 END) FROM documents"""
        )
    ).one()
    broken = connection.execute(text("SELECT SUM(broken) FROM sources")).scalar() or 0
    names = ("documents", "stories", "copies", "late", "open")
    return {**{name: int(value or 0) for name, value in zip(names, row, strict=True)}, "broken": int(broken)}
