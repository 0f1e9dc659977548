"""One SQLAlchemy engine and append-only migrations; knows no application's tables.

A store is an SQLite file by default (WAL, every commit on disk before it returns) and a PostgreSQL database by URL.
Each table carries ``tenant`` and ``language``; times are ISO 8601 UTC text, which sorts in order of time.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError

from fieldtune.errors import ArtefactError, ConfigError, MissingExtraError
from fieldtune.wal import empty_log


@dataclass(frozen=True)
class Migration:
    """One step of the schema, applied once, in order; a released step is never edited.

    Attributes:
        name: unique for ever, its first word the owner of the tables, e.g. ``"monitor 001 documents"``.
        apply: makes the change on an open connection, inside the migration's transaction.
    """

    name: str
    apply: Callable[[Connection], None]


def statements(name: str, *sql: str) -> Migration:
    """A migration of plain SQL statements that both SQLite and PostgreSQL understand."""

    def apply(connection: Connection) -> None:
        for statement in sql:
            connection.execute(text(statement))

    return Migration(name, apply)


_SCHEMES = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
CORE_MIGRATIONS = (
    statements(
        "core 001 decisions, feedback, outbox",
        """CREATE TABLE decisions (id TEXT PRIMARY KEY, app TEXT NOT NULL, kind TEXT NOT NULL,
           tenant TEXT NOT NULL DEFAULT 'default', language TEXT NOT NULL DEFAULT '',
           model_version TEXT NOT NULL, made_at TEXT NOT NULL, payload TEXT NOT NULL)""",
        """CREATE TABLE feedback (app TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL,
           user_id TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT 'default', language TEXT NOT NULL DEFAULT '',
           made_at TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (app, tenant, subject, kind, user_id))""",
        """CREATE TABLE outbox (key TEXT PRIMARY KEY, sink TEXT NOT NULL, position INTEGER NOT NULL,
           tenant TEXT NOT NULL DEFAULT 'default', language TEXT NOT NULL DEFAULT '',
           payload TEXT NOT NULL, made_at TEXT NOT NULL, sent_at TEXT)""",
        "CREATE INDEX outbox_pending ON outbox (sink, sent_at, position)",
    ),
    statements(
        "core 002 erased users",
        """CREATE TABLE erased_users (user_hash TEXT PRIMARY KEY, tenant TEXT NOT NULL DEFAULT 'default',
           language TEXT NOT NULL DEFAULT '', made_at TEXT NOT NULL)""",
    ),
)


def open_store(place: Path | str, migrations: Sequence[Migration] = ()) -> Engine:
    """Open the database at ``place``, creating it and bringing its schema up to date.

    Args:
        place: a database URL (``postgresql+psycopg://...``, ``sqlite://`` for memory), or a folder that
            holds ``fieldtune.db``.
        migrations: the application's own, applied after the core's.

    Raises:
        ArtefactError: the file is no database, or was written by a newer version.
        ConfigError: a URL of another kind of database; MissingExtraError: the driver is not installed.
    """
    url = _url(place)
    engine = _engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_at_once)
    try:
        migrate(engine, (*CORE_MIGRATIONS, *migrations))
    except ArtefactError:
        engine.dispose()
        raise
    except DatabaseError as error:
        engine.dispose()
        damaged = getattr(error.orig, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT")
        raise ArtefactError(
            f"a fieldtune database at {url.render_as_string()}",
            str(error.orig),
            "restore the file, or remove it to start empty" if damaged else "check that it can be reached and written",
        ) from error
    return engine


@contextmanager
def erasing(engine: Engine) -> Iterator[Connection]:
    """A transaction; what it deleted is in no file of an SQLite store any more when it ends. PostgreSQL's vacuum is its own."""
    with engine.begin() as connection:
        yield connection
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as raw:
            assert isinstance(raw.driver_connection, sqlite3.Connection)
            empty_log(raw.driver_connection)


def migrate(engine: Engine, migrations: Sequence[Migration]) -> None:
    """Apply the migrations not yet recorded, each in one transaction with its record.

    Raises:
        ArtefactError: a newer version was here: it recorded a migration of one of these owners that is not among them.
    """
    with engine.begin() as connection:
        if not inspect(connection).has_table("schema_migrations"):
            connection.execute(text("CREATE TABLE schema_migrations (name TEXT PRIMARY KEY)"))
        recorded = connection.execute(text("SELECT name FROM schema_migrations ORDER BY name")).scalars().all()
    _refuse_newer([str(name) for name in recorded], [migration.name for migration in migrations])
    for migration in migrations:
        with engine.begin() as connection:
            known = connection.execute(
                text("SELECT 1 FROM schema_migrations WHERE name = :name"), {"name": migration.name}
            ).first()
            if known is None:
                migration.apply(connection)
                connection.execute(text("INSERT INTO schema_migrations VALUES (:name)"), {"name": migration.name})


def _refuse_newer(recorded: Sequence[str], known: Sequence[str]) -> None:
    """Other owners may share the database; of those who open it now, every recorded step must be known."""
    owners = {name.partition(" ")[0] for name in known}
    unknown = [name for name in recorded if name not in known and name.partition(" ")[0] in owners]
    if unknown:
        raise ArtefactError(
            f"a database of this version or an older one (up to {known[-1]!r})",
            f"the step {unknown[-1]!r} of a newer one",
            "install the newer fieldtune, or name another store",
        )


def _url(place: Path | str) -> URL:
    if not (isinstance(place, str) and "://" in place):
        folder = Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        return URL.create("sqlite", database=str(folder / "fieldtune.db"))
    scheme = place.partition("://")[0]
    if scheme not in _SCHEMES:
        raise ConfigError(
            "a folder, or a URL that begins with postgresql:// or sqlite://", f"{scheme}://", "correct it"
        )
    try:
        return make_url(place).set(drivername=_SCHEMES[scheme])
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            "a database URL", f"one that cannot be read after {scheme}://", "write postgresql://USER@HOST/NAME"
        ) from error


def _engine(url: URL) -> Engine:
    try:
        return create_engine(url)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "the driver of PostgreSQL", f"no package {error.name!r}", "pip install 'fieldtune[postgres]'"
        ) from error


def _prepare_sqlite(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # transactions are opened by _begin_at_once, not guessed by the driver
    cursor = raw.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what is deleted, in its bytes too
    cursor.close()


def _begin_at_once(connection: Connection) -> None:
    """Take the write lock at the start: two writers wait for each other instead of failing half-way."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
