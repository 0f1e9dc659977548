"""The configuration of `fieldtune monitor`, read once from TOML; an unknown key answers with the nearest valid one."""

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from fieldtune.data.read import read_toml
from fieldtune.errors import ConfigError
from fieldtune_monitor.alerting import AlertConfig
from fieldtune_monitor.config_errors import worded
from fieldtune_monitor.spikes import DetectorConfig

ZONE = (1.0, 2.5)  # a multiple of the usual at the upper one is a surge for sure
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds(text: str | int | float) -> int:
    """ "15m", "1 h", "56d" or a number of seconds -> whole seconds.

    Raises:
        ValueError: not a positive duration.
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and 0 < text < math.inf:
        return int(text)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)\s*", str(text))
    if not found or float(found[1]) <= 0:
        raise ValueError(f"a duration such as 15m, 1h or 1d, not {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def _kind_of(*names: str, later: str) -> Callable[[Any], Any]:
    """A check that names the kinds there are, and what brings the others."""

    def check(value: Any) -> Any:
        if value not in names:
            raise ValueError(f"kind {' or '.join(names)} (others come with the monitor's {later}, fieldtune 0.2)")
        return value

    return check


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Topic(_Strict):
    """One topic to watch; the page shows its description."""

    name: str = Field(min_length=1)
    description: str = ""
    keywords: tuple[str, ...] = ()


class Source(_Strict):
    """Where stories come from; `every` is the pause between two looks."""

    kind: Literal["file"]
    path: str
    every: int = 60

    _kind = field_validator("kind", mode="before")(_kind_of("file", later="sources"))
    _duration = field_validator("every", mode="before")(seconds)


class Sink(_Strict):
    """Where alerts go."""

    kind: Literal["jsonl", "file", "stdout"]
    path: str = ""
    url: str = ""
    info: bool = False

    _kind = field_validator("kind", mode="before")(_kind_of("jsonl", "file", "stdout", later="sinks"))


class Config(_Strict):
    """All settings. Durations are texts such as "15m", "6h", "56d"; `budget` is false alerts per week, all together."""

    topics: tuple[Topic, ...] = Field(min_length=1)
    sources: tuple[Source, ...] = ()
    sinks: tuple[Sink, ...] = ()
    budget: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    bucket: int = 900
    model: str = ""
    store: str = ""
    timezone: str = "UTC"
    warmup: int | None = None
    zone: float = Field(default=1.3, ge=ZONE[0], lt=ZONE[1])

    _folder: Path = PrivateAttr(Path())

    _durations = field_validator("bucket", "warmup", mode="before")(lambda v: None if v is None else seconds(v))

    @field_validator("bucket")
    @classmethod
    def _divides_a_day(cls, value: int) -> int:
        if value < 60 or 86_400 % value:
            raise ValueError("a bucket that divides the day: 1m, 5m, 15m, 30m, 1h, 6h, 1d")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"a time zone such as UTC, Europe/London or Asia/Shanghai, not {value!r}") from error
        return value

    @field_validator("topics")
    @classmethod
    def _names_differ(cls, value: tuple[Topic, ...]) -> tuple[Topic, ...]:
        names = [topic.name for topic in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"topic names that differ; {twice[0]!r} is there twice")
        return value

    @model_validator(mode="after")
    def _sinks_are_no_sources(self) -> "Config":
        read = {os.path.realpath(self.place(source.path)): source.path for source in self.sources}
        for target in (sink.path or sink.url for sink in self.sinks):
            source = read.get(os.path.realpath(self.place(target))) if target else None
            if source is not None:
                found = f"{target!r}, which is the source {source!r}"
                raise ConfigError("a sink that is no source", found, "name another file for alerts")
        return self

    def model_post_init(self, context: Any) -> None:
        """Take the folder of the file from the validation's context: it is no key of the file."""
        self._folder = (context or {}).get("folder", Path())

    def zone_info(self) -> ZoneInfo:
        """The time zone of weekdays, hours and dates without an offset."""
        return ZoneInfo(self.timezone)

    def place(self, path: str) -> Path:
        """A path of the file, relative to the folder the file lies in."""
        return self._folder / Path(path).expanduser()

    def detector(self) -> DetectorConfig:
        """Settings of the detector."""
        return detector_settings(self.bucket, self.budget, self.zone, self.warmup)


def detector_settings(
    bucket: int, budget: float, zone: float = 1.3, warmup: int | None = None, share: bool = True
) -> DetectorConfig:
    """Detector settings. Learning lasts `warmup` at first, else a week or 56 daily buckets, whichever is longer.

    A topic that comes later learns for three days or 28 daily buckets, whichever is longer, but never longer than that.
    """
    first = warmup if warmup is not None else max(7 * 86_400, 56 * bucket if bucket >= 86_400 else 0)
    later = min(first, max(3 * 86_400, 28 * bucket if bucket >= 86_400 else 0))
    return DetectorConfig(
        bucket=bucket, budget=budget, zone=zone, share_signal=share, learning=later, first_learning=first
    )


ALERTS = AlertConfig()


def read_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        InputError: no such file, or no TOML (from `read_toml`).
        ConfigError: an unknown key, a missing one, or a value that cannot be; names the key.
    """
    values = read_toml(path)
    try:
        return Config.model_validate(values, context={"folder": Path(path).resolve().parent})
    except ValidationError as error:
        raise worded(error, Path(path), _known_keys) from None


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {"topics": Topic, "sources": Source, "sinks": Sink}
    model = tables.get(str(location[0]), Config) if len(location) > 1 else Config
    return sorted(model.model_fields)
