"""Puts a monitor together from a configuration: models, store, sinks. The only place that knows all parts."""

import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fieldtune import feedback, registry
from fieldtune.errors import ConfigError, FieldtuneError, InputError, RefusedError
from fieldtune.models.folder import locked
from fieldtune.progress import say
from fieldtune.runtime import home, now
from fieldtune.store import open_store
from fieldtune_monitor import runner, store
from fieldtune_monitor.classify import Judge, load_bundle, make_judge, topics_known
from fieldtune_monitor.config import ALERTS, Config
from fieldtune_monitor.monitor import APP, Monitor, Setup, restore
from fieldtune_monitor.sinks import Send, deliver, hand_over, jsonl_sink, stream_sink
from fieldtune_monitor.topics import matcher, untaught

STORE = "monitor"
LOCK = int.from_bytes(hashlib.sha256(b"fieldtune monitor run").digest()[:8], "big", signed=True)
"""Key of the advisory lock in a PostgreSQL database: the same in every version and on every host."""


def store_place(config: Config) -> Path | str:
    """Folder or URL of the store: `store` of the configuration, else the folder `monitor` beside it."""
    place = config.store or STORE
    return place if "://" in place else config.place(place)


def open_monitor_store(place: Path | str) -> Engine:
    """The store with the monitor's tables."""
    return open_store(place, store.MIGRATIONS)


def judge_of(config: Config) -> tuple[Judge, str]:
    """The judge of a configuration and the version of its model ("none" without one).

    Raises:
        ConfigError: from `topics.untaught`.
    """
    keywords = {topic.name: topic.keywords for topic in config.topics}
    by_keywords, names = matcher(keywords), list(keywords)
    if not config.model:
        say("no `model` in the configuration: tone is read from the column `sentiment`, topics from keywords")
        return make_judge(None, by_keywords, names), "none"
    folder = registry.serving(APP, config.place(config.model))
    read = load_bundle(folder)  # which verifies it, before anything else is read from it
    strange = untaught(keywords, topics_known(folder))
    for name, meant in strange.items():
        say(
            f"note: the model does not know the topic {name}: only its keywords find it"
            + (f"; did you mean {meant}, which nobody watches?" if meant else "")
        )
    return make_judge(read, by_keywords, names, untaught=frozenset(strange)), registry.version_of(folder)


def setup(config: Config, engine: Engine, sinks: dict[str, bool], judged: tuple[Judge, str] | None = None) -> Setup:
    """Everything a monitor needs; `judged` is what `judge_of` gave, where it was called before a store was made."""
    judge, version = judged or judge_of(config)
    names = tuple(topic.name for topic in config.topics)
    return Setup(engine, judge, names, config.detector(), ALERTS, config.zone_info(), sinks, version)


def up_to_date(config: Config, monitor: Monitor, moment: datetime) -> Monitor:
    """The monitor with the model that serves by now, after a promotion or a rollback; else the same monitor.

    It is restored from the store, as a restart would do it. A model that cannot be loaded changes nothing yet.
    """
    if not config.model:
        return monitor
    try:
        folder = registry.serving(APP, config.place(config.model))
        if registry.version_of(folder) == monitor.setup.model:
            return monitor
        judge, version = judge_of(config)
    except (FieldtuneError, OSError, SQLAlchemyError) as error:
        say(f"the model that serves now cannot be loaded, the one before goes on: {error}")
        return monitor
    return restore(replace(monitor.setup, judge=judge, model=version), moment)


def sinks_of(config: Config, *, aside: bool = False) -> tuple[dict[str, Send], dict[str, bool]]:
    """The configured sinks by name, and which of them want info alerts.

    Args:
        aside: a stdout sink prints on stderr, because stdout is wanted for something else.
    """
    senders: dict[str, Send] = {}
    info: dict[str, bool] = {}
    for sink in config.sinks:
        match sink.kind:
            case "stdout":
                name, send = "stdout", stream_sink(sys.stderr if aside else sys.stdout)
            case "jsonl" | "file":
                path = sink.path or sink.url
                if not path:
                    raise ConfigError("a path for every file sink", "none", 'add path = "alerts.jsonl"')
                name, send = f"jsonl:{path}", jsonl_sink(config.place(path))
        senders[name], info[name] = send, sink.info
    return senders, info


def source_files(config: Config) -> dict[Path, int]:
    """Files of the configured sources, and the seconds between two looks at each."""
    return {config.place(source.path): source.every for source in config.sources}


@contextmanager
def replay_store(place: Path | None) -> Iterator[Engine]:
    """A store for a replay: in memory, or a new folder that appears when the block ends well.

    Raises:
        RefusedError: the folder already holds a store.
    """
    if place is None:
        yield open_monitor_store("sqlite://")
        return
    if (place / "fieldtune.db").exists():
        raise RefusedError("a new folder for the replay's store", f"a store in {place}", "name another, or delete it")
    partial = place.with_name(f".{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    engine = open_monitor_store(partial)
    try:
        yield engine
        engine.dispose()
        place.mkdir(parents=True, exist_ok=True)
        for file in sorted(partial.iterdir()):
            file.replace(place / file.name)
    finally:
        engine.dispose()
        shutil.rmtree(partial, ignore_errors=True)


def dismissed_incidents() -> frozenset[str]:
    """Incidents that users dismissed as no news."""
    if not (home() / "fieldtune.db").is_file():
        return frozenset()
    with registry.open_home().begin() as connection:
        return frozenset(row.subject for row in feedback.rows(connection, APP) if row.kind == "dismissed")


@contextmanager
def sole_store(config: Config) -> Iterator[tuple[Engine, Callable[[], None]]]:
    """The configured store, held against a second `run`, and a check that it is still held.

    A PostgreSQL database is held by a session of its own, from whatever host; an SQLite store by a file on this one.

    Raises:
        RefusedError: another process holds it.
    """
    place = store_place(config)
    shared = isinstance(place, str) and place.startswith("postgresql")
    with ExitStack() as stack:
        if not shared:
            stack.enter_context(locked(_lock_place(config, place)))
        engine = open_monitor_store(place)
        stack.callback(engine.dispose)
        yield engine, stack.enter_context(_session_lock(engine)) if shared else lambda: None


def _store_file(config: Config) -> Path | None:
    """The file of a store in a folder; None for a database by URL."""
    place = store_place(config)
    return place / "fieldtune.db" if isinstance(place, Path) else None


def _lock_place(config: Config, place: Path | str) -> Path:
    """The folder or the file of an SQLite store; one in memory is nobody else's, and any place does."""
    file = place if isinstance(place, Path) else place.partition(":///")[2].partition("?")[0]
    return Path(file).resolve() if file else config.place(STORE)


@contextmanager
def _session_lock(engine: Engine) -> Iterator[Callable[[], None]]:
    """Hold the database's advisory lock until the engine is disposed of; if the process dies, the server frees it.

    The check also keeps the session from being cut off for being idle.

    Raises:
        RefusedError: another session holds it; from the check: the session is gone, and the lock with it.
    """
    place = engine.url.render_as_string()
    # Without AUTOCOMMIT the session would stay in one transaction for as long as it lives, and keep VACUUM waiting.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        if not session.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}).scalar():
            raise RefusedError(
                f"{place} to be free", "another fieldtune process writing to it", "wait for it, or name another `store`"
            )

        def check() -> None:
            try:
                session.execute(text("SELECT 1"))
            except DBAPIError as error:
                found = "its session ended: " + str(error.orig).partition("\n")[0]
                raise RefusedError(f"the lock of {place}", found, "run the command again") from error

        yield check


def run(config: Config, *, once: bool, stop: Event, progress: runner.Progress, aside: bool = False) -> dict[str, Any]:
    """Poll the sources until `stop`; one process per store.

    Args:
        aside: of `sinks_of`.

    Raises:
        ConfigError: no source or no sink. InputError: from `check_feeds`, where the store is empty.
        RefusedError: another process runs on this store, or the database ended the
            session that held it for this one.
        FieldtuneError: with `once`, what kept a source from being read, after the others were; or that nothing of a
            source could ever be used.
    """
    if not config.sources or not config.sinks:
        missing = "[[sources]]" if not config.sources else "[[sinks]]"
        raise ConfigError(f"at least one {missing}", "none", f"add {missing} to the configuration")
    file = _store_file(config)
    if file is not None and not file.exists():
        check_feeds(config, now())  # before there is a store: a replay makes its own
    judged = judge_of(config)
    with sole_store(config) as (engine, check):
        senders, info = sinks_of(config, aside=aside)
        hand_over(engine, info, now())
        monitor = restore(setup(config, engine, info, judged), now())
        return _watch(config, monitor, senders, check, once=once, stop=stop, progress=progress)


def check_feeds(config: Config, moment: datetime) -> None:
    """Refuse to begin with old news (`runner.old_news`), of which a first look learns nothing.

    A database by URL gets a warning instead, as no replay writes there.

    Raises:
        InputError: sources hold mostly old news, and the store is a folder.
    """
    old = {path: found for path in source_files(config) if (found := _old_news(path, config, moment))}
    if not old:
        return
    found, file = "; ".join(old.values()), _store_file(config)
    if file is None:
        say(f"warning: {found}: they count as late, nothing is learnt from them, and alerts wait for the warm-up")
        return
    source = str(next(iter(old))) if len(old) == 1 else "ONE-FILE-OF-ALL"
    emptied = f"delete the empty store {file}; " if file.exists() else ""
    replay = f"`fieldtune monitor replay --config ... --input {source} --alerts ... --store {file.parent}`"
    raise InputError(
        "news of the last day in a first look", found, f"{emptied}read the history first: {replay}, then run"
    )


def _old_news(path: Path, config: Config, moment: datetime) -> str:
    try:
        return runner.old_news(path, config.zone_info(), moment)
    except FieldtuneError:
        return ""  # the look itself says why


def _watch(
    config: Config,
    monitor: Monitor,
    senders: dict[str, Send],
    check: Callable[[], None],
    *,
    once: bool,
    stop: Event,
    progress: runner.Progress,
) -> dict[str, Any]:
    """Look, close and send until `stop`; what an earlier run left to send goes first. `check` is of `sole_store`."""
    engine, total = monitor.setup.engine, runner.Counts()
    schedule = runner.Schedule(source_files(config))
    deliver(engine, senders, now())
    while True:
        check()
        monitor = up_to_date(config, monitor, now())
        files = schedule.take(time.monotonic())
        with engine.begin() as connection:
            empty = store.is_empty(connection)
        if empty:
            check_feeds(config, now())
        counts = runner.poll(monitor, files, now(), once=once, progress=progress)
        total.add(counts)
        deliver(engine, senders, now())
        _remark(counts)
        if once or stop.wait(schedule.wait(time.monotonic())):
            break
    if once and counts.failed:
        raise counts.failed
    if once:
        runner.check_sources(engine, files, total.waiting)
    with engine.begin() as connection:
        return {**store.totals(connection), "new": total.documents, "problems": total.problems[:3]}


def _remark(counts: runner.Counts) -> None:
    if counts.rows or counts.problems:
        problems = f"; {counts.broken} broken; {counts.problems[0]}" if counts.problems else ""
        say(f"{counts.rows} rows, {counts.documents} new documents, {counts.told} counted{problems}")
