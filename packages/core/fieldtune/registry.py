"""Model versions: candidate -> gate -> promoted -> rolled back. A model only ships if it is better.

An application's folder (the *origin*) stays as it was trained; a promoted version is a copy in FIELDTUNE_HOME, and
what serves is looked up here by origin. :mod:`fieldtune.gate` decides what ships. Knows nothing of what a model does.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sqlalchemy import Connection, Engine, text

from fieldtune import gate
from fieldtune.errors import InputError, RefusedError
from fieldtune.evaluate.figures import without_nan
from fieldtune.gate import INCUMBENT, Verdict
from fieldtune.models.folder import MANIFEST, digest, staged, verify
from fieldtune.runtime import home, iso
from fieldtune.store import open_store, statements

MIGRATIONS = (
    statements(
        "registry 001 versions",
        """CREATE TABLE versions (id TEXT PRIMARY KEY, app TEXT NOT NULL, slot TEXT NOT NULL,
           tenant TEXT NOT NULL DEFAULT 'default', language TEXT NOT NULL DEFAULT '', origin TEXT NOT NULL,
           made_at TEXT NOT NULL, details TEXT NOT NULL)""",
        """CREATE TABLE promotions (position INTEGER PRIMARY KEY, app TEXT NOT NULL, slot TEXT NOT NULL,
           tenant TEXT NOT NULL DEFAULT 'default', language TEXT NOT NULL DEFAULT '', version TEXT NOT NULL,
           previous TEXT, made_at TEXT NOT NULL, reason TEXT NOT NULL)""",
    ),
    statements(
        "registry 002 origins of promotions",  # two folders of equal content are one version, in two places
        "ALTER TABLE promotions ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    ),
)


def open_home() -> Engine:
    """The database of versions and feedback in the registry's folder."""
    return open_store(home(), MIGRATIONS)


def publish(
    app: str,
    origin: Path,
    candidates: Mapping[str, Path | None],
    scores: Mapping[str, ArrayLike],
    *,
    rng: np.random.Generator,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    scored: Path | None = None,
    parts: Mapping[str, ArrayLike] | None = None,
) -> Verdict:
    """Put the best candidate into service for ``origin``, or refuse and say why.

    Args:
        app: the application, e.g. ``"monitor"``.
        origin: the application's folder; its name is the slot.
        candidates: name -> folder to ship; None for one shown for comparison only. ``"incumbent"`` is what serves now.
        scores: name -> score per held-out item; a name with None for a folder can win only on paper: then nothing
            is promoted.
        rng: for the bootstrap.
        now: recorded with the version.
        details: kept with the version.
        scored: what :func:`serving` gave when the scores were taken; None promotes whatever has happened since.
        parts: as in :func:`gate`.

    Raises:
        RefusedError: by now something else serves than what was scored, e.g. after a rollback.
    """
    origin = Path(origin).resolve()
    engine = open_home()
    with engine.begin() as connection:
        serving_now = _unchanged(connection, app, origin, scored)
    known = INCUMBENT if INCUMBENT in scores and serving_now else None
    compared = {name: values for name, values in scores.items() if name != INCUMBENT or known}
    verdict = gate.decide(compared, rng, known, parts)
    folder = candidates.get(verdict.winner)
    if not verdict.promoted or folder is None:
        return Verdict(False, verdict.winner, verdict.reason, verdict.standings)
    version = _store(folder, app)
    record = {
        **(details or {}),
        "winner": verdict.winner,
        "reason": verdict.reason,
        "standings": verdict.as_dict()["standings"],
    }
    with engine.begin() as connection:
        _unchanged(connection, app, origin, scored)  # again: storing the files took time
        _record(connection, app, origin, version, record, now)
        _promote(connection, app, origin, version, verdict.reason, now)
    return Verdict(True, verdict.winner, verdict.reason, verdict.standings, version)


def serving(app: str, origin: Path) -> Path:
    """The folder to load for ``origin``: its promoted version, or ``origin`` itself when the registry knows none."""
    origin = Path(origin).resolve()
    if not (home() / "fieldtune.db").is_file():
        return origin
    with open_home().begin() as connection:
        version = _current(connection, app, slot_of(origin))
    return version_folder(version) if version else origin


def put_back(app: str, origin: Path) -> None:
    """Have ``origin`` hold what serves for it: for training that wrote a candidate over it which was then refused.

    So a copy of the folder, or a registry elsewhere, never serves what was refused.
    """
    place, origin = serving(app, origin), Path(origin).resolve()
    if place != origin:
        _copy(place, origin)


def version_of(folder: Path) -> str:
    """The version a folder is: a hash of its manifest."""
    return digest(Path(folder) / MANIFEST)[:12]


def origins(app: str) -> list[Path]:
    """The application's folders that have something in service, the most recently promoted first."""
    with open_home().begin() as connection:
        rows = connection.execute(
            text(
                """SELECT origin, MAX(position) AS newest FROM promotions WHERE app = :app
                   GROUP BY origin ORDER BY newest DESC"""
            ),
            {"app": app},
        )
        return [Path(row[0]) for row in rows]


def slot_of(origin: Path) -> str:
    """The folder's name, made unique by a hash of its place: two folders of one name do not share a slot."""
    return f"{origin.name}-{hashlib.sha256(str(origin).encode()).hexdigest()[:6]}"


def names(origin: Path) -> tuple[str, ...]:
    """What a user may call an application's folder."""
    return origin.name, str(origin), slot_of(origin)


def origin_of(app: str, slot: str | None = None) -> Path | None:
    """The application's folder by name or path; without either the one promoted last. None where nothing serves.

    Raises:
        InputError: several folders have this name.
    """
    known = origins(app)
    if slot is None:
        return known[0] if known else None
    named = [origin for origin in known if slot in names(origin)]
    found = [origin for origin in named if origin.is_dir()] or named
    if len(found) > 1:
        raise InputError(
            f"the name of one folder of the {app}",
            f"{slot!r}, which {len(found)} have",
            "name it by " + " or ".join(map(slot_of, found)),
        )
    return found[0] if found else None


def rollback(app: str, slot: str | None = None, *, now: datetime) -> str:
    """Put the version before the present one back into service; returns its id.

    Args:
        slot: which of the application's folders, by its name or path; None for the one promoted last.

    Raises:
        RefusedError: there is none.
    """
    origin = origin_of(app, slot)
    with open_home().begin() as connection:
        row = connection.execute(
            text(
                """SELECT slot, version, previous FROM promotions WHERE app = :app AND origin = :origin
                   ORDER BY position DESC LIMIT 1"""
            ),
            {"app": app, "origin": str(origin)},
        ).first()
        if row is None or row[2] is None:
            raise RefusedError(
                f"an earlier version of {app}",
                "none" if row is None else "only the first one",
                "see: fieldtune models list",
            )
        verify(version_folder(row[2]))
        before = connection.execute(
            text(
                """SELECT previous FROM promotions WHERE app = :app AND slot = :slot AND version = :version
                   ORDER BY position LIMIT 1"""
            ),
            {"app": app, "slot": row[0], "version": row[2]},
        ).scalar()
        _insert_promotion(connection, app, Path(str(origin)), row[2], before, f"rolled back from {row[1]}", now)
        return str(row[2])


def reinstate(app: str, origin: Path, version: str, *, now: datetime) -> None:
    """Put a version that has served for ``origin`` before back into service: the way forward after a rollback.

    Raises:
        RefusedError: it never did.
    """
    origin = Path(origin).resolve()
    with open_home().begin() as connection:
        served = connection.execute(
            text("SELECT 1 FROM promotions WHERE app = :app AND slot = :slot AND version = :version LIMIT 1"),
            {"app": app, "slot": slot_of(origin), "version": version},
        ).first()
        if served is None:
            raise RefusedError(f"a version that has served for {origin}", version, "see: fieldtune models list")
        verify(version_folder(version))
        _promote(connection, app, origin, version, "reinstated", now)


@contextlib.contextmanager
def _read_home() -> Iterator[Engine]:
    """The same to read alone, once it is there: no step of it is left open, whose files SQLite would leave behind.

    Where its folder cannot be written, as SQLite wants it to be, a copy of its files.
    """
    folder = home()
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)
    with contextlib.nullcontext(folder) if os.access(there, os.W_OK) else _copied(folder) as place:
        engine = open_store(place, MIGRATIONS)
        try:
            yield engine
        finally:
            engine.dispose()


@contextlib.contextmanager
def _copied(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as copy:
        for file in folder.glob("fieldtune.db*"):
            shutil.copy(file, copy)
        yield Path(copy)


def versions() -> list[dict[str, Any]]:
    """Every version with its application, slot, origin, time, details, and whether it serves now."""
    if not home().exists() or (home().is_dir() and not (home() / "fieldtune.db").is_file()):
        return []  # and nothing is made to say so
    with _read_home() as engine, engine.begin() as connection:
        rows = connection.execute(text("SELECT * FROM versions ORDER BY made_at, id")).mappings().all()
        slots = connection.execute(text("SELECT DISTINCT app, slot FROM promotions")).all()
        current = {_current(connection, app, slot) for app, slot in slots}
        return [{**row, "details": json.loads(row["details"]), "serving": row["id"] in current} for row in rows]


def version_folder(version: str) -> Path:
    """Where a version's files lie."""
    return home() / "versions" / version


def _store(folder: Path, app: str) -> str:
    verify(folder)
    version = f"{app}-{version_of(folder)}"
    target = version_folder(version)
    if target.is_dir():
        verify(target)
        return version
    _copy(folder, target)
    return version


def _copy(folder: Path, target: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    details = {key: value for key, value in manifest.items() if key != "files"}
    with staged(target, details) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
        (temporary / MANIFEST).unlink()


def _current(connection: Connection, app: str, slot: str) -> str | None:
    return connection.execute(
        text("SELECT version FROM promotions WHERE app = :app AND slot = :slot ORDER BY position DESC LIMIT 1"),
        {"app": app, "slot": slot},
    ).scalar()


def _unchanged(connection: Connection, app: str, origin: Path, scored: Path | None) -> str | None:
    """What serves for `origin`; refused when it is not what was scored."""
    present = _current(connection, app, slot_of(origin))
    if scored is not None:
        known = scored.name if scored == version_folder(scored.name) else None
        if present != known:
            raise RefusedError(
                f"{known or 'nothing'} in service for {origin}, as when the candidates were compared",
                f"{present} by now",
                "run the command again, to compare with what serves now",
            )
    return present


def _record(
    connection: Connection, app: str, origin: Path, version: str, details: Mapping[str, Any], now: datetime
) -> None:
    connection.execute(
        text(
            """INSERT INTO versions (id, app, slot, origin, made_at, details)
               VALUES (:id, :app, :slot, :origin, :now, :details) ON CONFLICT (id) DO NOTHING"""
        ),
        {
            "id": version, "app": app, "slot": slot_of(origin), "origin": str(origin), "now": iso(now),
            "details": json.dumps(without_nan(details), default=str, sort_keys=True, allow_nan=False),
        },
    )  # fmt: skip


def _promote(connection: Connection, app: str, origin: Path, version: str, reason: str, now: datetime) -> None:
    previous = _current(connection, app, slot_of(origin))
    if previous != version:
        _insert_promotion(connection, app, origin, version, previous, reason, now)


def _insert_promotion(
    connection: Connection, app: str, origin: Path, version: str, previous: str | None, reason: str, now: datetime
) -> None:
    connection.execute(
        text(
            """INSERT INTO promotions (app, slot, origin, version, previous, made_at, reason)
               VALUES (:app, :slot, :origin, :version, :previous, :now, :reason)"""
        ),
        {
            "app": app, "slot": slot_of(origin), "origin": str(origin), "version": version, "previous": previous,
            "now": iso(now), "reason": reason,
        },
    )  # fmt: skip
