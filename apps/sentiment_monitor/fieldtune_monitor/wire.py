"""Puts a monitor together from a configuration: models, store, sinks. The only place that knows all parts."""

from pathlib import Path

from fieldtune import registry
from fieldtune.errors import ConfigError
from fieldtune.progress import say
from fieldtune.store import open_store
from sqlalchemy import Engine

from fieldtune_monitor import store
from fieldtune_monitor.classify import Judge, load_bundle, make_judge
from fieldtune_monitor.config import ALERTS, Config
from fieldtune_monitor.monitor import APP, Setup
from fieldtune_monitor.sinks import Send, jsonl_sink, stdout_sink
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


def setup(config: Config, engine: Engine, sinks: dict[str, bool]) -> Setup:
    """Everything a monitor needs."""
    judge, version = judge_of(config)
    names = tuple(topic.name for topic in config.topics)
    return Setup(engine, judge, names, config.detector(), ALERTS, config.zone_info(), sinks, version)


def sinks_of(config: Config) -> tuple[dict[str, Send], dict[str, bool]]:
    """The configured sinks by name, and which of them want info alerts."""
    senders: dict[str, Send] = {}
    info: dict[str, bool] = {}
    for sink in config.sinks:
        match sink.kind:
            case "stdout":
                name, send = "stdout", stdout_sink
            case "jsonl" | "file":
                path = sink.path or sink.url
                if not path:
                    raise ConfigError("a path for every file sink", "none", 'add path = "alerts.jsonl"')
                name, send = f"jsonl:{path}", jsonl_sink(config.place(path))
        senders[name], info[name] = send, sink.info
    return senders, info


def source_files(config: Config) -> list[Path]:
    """Files of the configured sources."""
    return [config.place(source.path) for source in config.sources]


