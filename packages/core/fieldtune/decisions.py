"""One record per answer, alert and list: what was decided, by which model version, on which figures."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from fieldtune.runtime import iso


def record(
    connection: Connection,
    app: str,
    kind: str,
    payload: Mapping[str, Any],
    model_version: str,
    now: datetime,
    *,
    decision_id: str | None = None,
    tenant: str = "default",
    language: str = "",
) -> str:
    """Store a decision and return its id; without one, the id is a hash of the content and the time."""
    body = json.dumps(payload, ensure_ascii=False, sort_keys=True)
    made_at = iso(now)
    identity = decision_id or hashlib.sha256(f"{app}|{kind}|{tenant}|{made_at}|{body}".encode()).hexdigest()[:20]
    connection.execute(
        text(
            """INSERT INTO decisions (id, app, kind, tenant, language, model_version, made_at, payload)
               VALUES (:id, :app, :kind, :tenant, :language, :version, :made_at, :payload)
               ON CONFLICT (id) DO NOTHING"""
        ),
        {
            "id": identity, "app": app, "kind": kind, "tenant": tenant, "language": language,
            "version": model_version, "made_at": made_at, "payload": body,
        },
    )  # fmt: skip
    return identity


def erase(connection: Connection, app: str, kind: str, mine: Callable[[Mapping[str, Any]], bool]) -> int:
    """Delete an application's decisions of this kind whose payload is `mine`; returns how many."""
    found = connection.execute(
        text("SELECT id, payload FROM decisions WHERE app = :app AND kind = :kind"), {"app": app, "kind": kind}
    )
    chosen = [{"id": identity} for identity, payload in found if mine(json.loads(payload))]
    if chosen:
        connection.execute(text("DELETE FROM decisions WHERE id = :id"), chosen)
    return len(chosen)


def get(connection: Connection, decision_id: str) -> dict[str, Any] | None:
    """The decision with this id: its columns, and its payload under ``payload``; None when there is none."""
    row = connection.execute(text("SELECT * FROM decisions WHERE id = :id"), {"id": decision_id}).mappings().first()
    return None if row is None else {**row, "payload": json.loads(row["payload"])}
