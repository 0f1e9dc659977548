"""Puts a monitor together from a configuration: models, store, sinks. The only place that knows all parts."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fieldtune import feedback, registry
from fieldtune.errors import ConfigError, FieldtuneError, RefusedError
from fieldtune.models.folder import locked
from fieldtune.progress import say
from fieldtune.runtime import home, now
from fieldtune.store import open_store
from fieldtune_monitor import runner, store
from fieldtune_monitor.classify import Judge, load_bundle, make_judge
from fieldtune_monitor.config import ALERTS, Config
from fieldtune_monitor.monitor import APP, Monitor, Setup, restore
from fieldtune_monitor.sinks import Send, deliver, jsonl_sink, stream_sink
from fieldtune_monitor.topics import matcher

STORE = "monitor"


def store_place(config: Config) -> Path | str:
    """Folder or URL of the store: `store` of the configuration, else the folder `monitor` beside it."""
    place = config.store or STORE
    return place if "://" in place else config.place(place)


def open_monitor_store(place: Path | str) -> Engine:
    """The store with the monitor's tables."""
    return open_store(place, store.MIGRATIONS)


def judge_of(config: Config) -> tuple[Judge, str]:
    """The judge of a configuration and the version of its model ("none" without one)."""
    by_keywords = matcher({topic.name: topic.keywords for topic in config.topics})
    names = [topic.name for topic in config.topics]
    if not config.model:
        say("no `model` in the configuration: tone is read from the column `sentiment`, topics from keywords")
        return make_judge(None, by_keywords, names), "none"
    folder = registry.serving(APP, config.place(config.model))
    return make_judge(load_bundle(folder), by_keywords, names), registry.version_of(folder)


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


def run(config: Config, *, once: bool, stop: Event, progress: runner.Progress, aside: bool = False) -> dict[str, Any]:
    """Poll the sources until `stop`; one process per store.

    Args:
        aside: of `sinks_of`.

    Raises:
        ConfigError: no source or no sink. RefusedError: another process runs on this store.
        FieldtuneError: with `once`, what kept a source from being read, after the others were; or that nothing of a
            source could ever be used.
    """
    if not config.sources or not config.sinks:
        missing = "[[sources]]" if not config.sources else "[[sinks]]"
        raise ConfigError(f"at least one {missing}", "none", f"add {missing} to the configuration")
    place, judged = store_place(config), judge_of(config)
    lock = config.place("monitor") if isinstance(place, str) else place
    with locked(lock):
        senders, info = sinks_of(config, aside=aside)
        engine = open_monitor_store(place)
        try:
            monitor = restore(setup(config, engine, info, judged), now())
            return _watch(config, monitor, senders, once=once, stop=stop, progress=progress)
        finally:
            engine.dispose()


def _watch(
    config: Config, monitor: Monitor, senders: dict[str, Send], *, once: bool, stop: Event, progress: runner.Progress
) -> dict[str, Any]:
    """Look, close and send until `stop`; what an earlier run left to send goes first."""
    engine, total = monitor.setup.engine, runner.Counts()
    schedule = runner.Schedule(source_files(config))
    deliver(engine, senders, now())
    while True:
        monitor = up_to_date(config, monitor, now())
        files = schedule.take(time.monotonic())
        counts = runner.poll(monitor, files, now(), once=once, progress=progress)
        total.add(counts)
        deliver(engine, senders, now())
        _remark(counts)
        if once or stop.wait(schedule.wait(time.monotonic())):
            break
    if once and counts.failed:
        raise counts.failed
    if once:
        runner.check_sources(engine, files)
    with engine.begin() as connection:
        return {**store.totals(connection), "new": total.documents, "problems": total.problems[:3]}


def _remark(counts: runner.Counts) -> None:
    if counts.rows or counts.problems:
        problems = f"; {counts.broken} broken; {counts.problems[0]}" if counts.problems else ""
        say(f"{counts.rows} rows, {counts.documents} new documents, {counts.told} counted{problems}")
