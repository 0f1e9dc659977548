"""Tables of events and items -> a log and a catalogue; every repair is counted, nothing is repaired in silence.

Knows column names and their spellings, not what the models do with the numbers.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fieldtune.data.read import check_columns, read_table
from fieldtune.errors import InputError
from fieldtune.text.language import detect
from fieldtune_recommender import timecut
from fieldtune_recommender.liking import judged
from fieldtune_recommender.records import Catalogue, Log, Times
from fieldtune_recommender.schema import Schema, column, count

_TAG = re.compile(r"<[^>]{1,200}>")
_TEXT_LIMIT = 2000
ITEM_COLUMNS = ("item", "title", "category", "tags", "description", "time")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A log with the names behind its numbers.

    Attributes:
        log, catalogue: see :mod:`fieldtune_recommender.records`.
        users: user identifiers; their position is the user's number.
        has_time: whether times were given; without them row order stands for time.
        repairs: what was left out or filled in, with counts; no entry is zero.
    """

    log: Log
    catalogue: Catalogue
    users: tuple[str, ...]
    has_time: bool
    repairs: Mapping[str, int]


def read(events: Path, items: Path, schema: Schema) -> Dataset:
    """Read both tables.

    Raises:
        InputError: a file, a column or every row is unusable. ConfigError: the rule for positives is.
    """
    repairs: dict[str, int] = {}
    table, has_time = event_table(events, schema, repairs)
    catalogue = read_items(items, schema, repairs, has_time)
    known = dict.fromkeys(catalogue.ids)
    missing = [item for item in pd.unique(table["item"]) if item not in known]
    if missing:
        repairs["items_without_metadata"] = len(missing)
        catalogue = extended(catalogue, missing)
    users = tuple(dict.fromkeys(table["user"]))
    return Dataset(numbered(table, users, catalogue.ids), catalogue, users, has_time, repairs)


def told(repairs: Mapping[str, int]) -> str:
    """What was left out or filled in, in words."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in repairs.items()) or "nothing left out"


def further_events(path: Path, schema: Schema, known: Dataset) -> tuple[Log, dict[str, int]]:
    """Events numbered as a known data set; new users get numbers above its own, new items are left out and counted.

    Without times the table must be the whole log again, since row order stands for time.
    """
    repairs: dict[str, int] = {}
    table, has_time = event_table(path, schema, repairs)
    if has_time != known.has_time:
        raise InputError(
            f"events {'with' if known.has_time else 'without'} times, like those trained on",
            f"the opposite in {path}",
            "give the same kind of table",
        )
    listed = table["item"].isin(set(known.catalogue.ids))
    count(repairs, "events_with_an_unknown_item", int((~listed).sum()))
    table = table[listed]
    users = tuple(dict.fromkeys((*known.users, *table["user"])))
    return numbered(table, users, known.catalogue.ids), repairs


def event_table(path: Path, schema: Schema, repairs: dict[str, int]) -> tuple[pd.DataFrame, bool]:
    """Events as columns user, item, weight, positive, time, in time order; and whether times were given."""
    needed = [schema.event("user"), schema.event("item")]
    raw = read_table(path, needed, hint="name it with --columns")
    for name, theirs in schema.columns.items():
        if name != "item" and theirs not in raw:
            raise InputError(
                f"a column {theirs!r} for {name!r}",
                f"{', '.join(raw.columns)} in {path}",
                "see --columns; a column of the items goes to --item-columns",
            )
    text = raw.astype(object)
    result = pd.DataFrame({"user": names(text[needed[0]]), "item": names(text[needed[1]])})
    kind = column(text, schema.event("type"))
    result["type"] = kind.str.strip().str.lower() if kind is not None else ""
    time_column = column(text, schema.event("time"))
    has_time = time_column is not None and bool((time_column != "").any())
    result["time"] = times(time_column) if has_time and time_column is not None else np.arange(len(result), dtype=float)
    result["positive"], result["weight"] = judged(text, result["type"], schema, repairs)
    result = _kept(result, has_time, repairs)
    if result.empty:
        raise InputError(
            "events with a user and an item", f"none usable in {path} ({told(repairs)})", "check the columns"
        )
    order = timecut.stable_order(result["time"].to_numpy(float))
    return result.iloc[order].reset_index(drop=True), has_time


def _kept(table: pd.DataFrame, has_time: bool, repairs: dict[str, int]) -> pd.DataFrame:
    nameless = (table["user"] == "") | (table["item"] == "")
    timeless = ~np.isfinite(table["time"]) & ~nameless
    count(repairs, "events_without_user_or_item", int(nameless.sum()))
    count(repairs, "events_with_unreadable_time", int(timeless.sum()))
    table = table[~nameless & ~timeless]
    if has_time:
        repeated = table.duplicated(["user", "item", "type", "time"])
        count(repairs, "repeated_events", int(repeated.sum()))
        table = table[~repeated]
        beyond = table["time"].to_numpy(float) >= timecut.beyond(table["time"].to_numpy(float))
        count(repairs, "events_dated_far_beyond_the_rest", int(beyond.sum()))
        table = table[~beyond]
    return table


def times(column: pd.Series) -> Times:
    """Seconds since 1970 UTC: from ISO 8601 (UTC unless it says otherwise), or epoch seconds or milliseconds.

    Where every number between 19000101 and 21001231 is a day of the calendar, they are days (ISO 8601 without dashes).
    """
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float, copy=True)
    days = (numbers >= 19_000_101) & (numbers <= 21_001_231)
    if days.any():
        written = pd.Series(numbers[days].astype(np.int64).astype(str))
        read = pd.to_datetime(written, format="%Y%m%d", errors="coerce", utc=True)
        if read.notna().all():
            numbers[days] = (read - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(float)
    dates = pd.to_datetime(column.where(np.isnan(numbers)), errors="coerce", utc=True, format="ISO8601")
    seconds = (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(float)
    return np.where(np.isnan(numbers), seconds, np.where(np.abs(numbers) > 1e11, numbers / 1000.0, numbers))


def read_items(path: Path, schema: Schema, repairs: dict[str, int], has_time: bool = True) -> Catalogue:
    """The catalogue: title, then category, tags and description as one text per item."""
    raw = read_table(path).astype(object)
    theirs = {name: schema.item(name, raw.columns) for name in ITEM_COLUMNS}
    check_columns(raw, [theirs["item"], theirs["title"]], str(path), "name it with --item-columns")
    for name, given in schema.item_columns.items():
        if given not in raw:
            raise InputError(
                f"a column {given!r} for {name!r}", f"{', '.join(raw.columns)} in {path}", "see --item-columns"
            )
    ids = names(raw[theirs["item"]])
    bad = (ids == "") | ids.duplicated()
    count(repairs, "items_without_id_or_repeated", int(bad.sum()))
    raw, ids = raw[~bad], ids[~bad]
    parts = {name: column(raw, theirs[name]) for name in ("title", "category", "tags", "description")}
    empty = pd.Series("", index=raw.index)
    clean = {name: (empty if column is None else column).map(plain) for name, column in parts.items()}
    titles = tuple(clean["title"])
    count(repairs, "items_without_title", sum(not title for title in titles))
    rows = zip(*clean.values(), strict=True)
    texts = tuple(". ".join(part for part in row if part)[:_TEXT_LIMIT] for row in rows)
    added = column(raw, theirs["time"])
    came = times(added) if added is not None and has_time else np.full(len(ids), np.nan)
    if added is not None and has_time:
        count(repairs, "items_without_readable_time", int(np.isnan(came).sum()))
    return Catalogue(tuple(ids), titles, texts, tuple(map(detect, texts)), came)


def extended(catalogue: Catalogue, ids: Sequence[str]) -> Catalogue:
    """The catalogue with further items of which nothing but the identifier is known."""
    none = ("",) * len(ids)
    return Catalogue(
        (*catalogue.ids, *ids),
        (*catalogue.titles, *ids),
        (*catalogue.texts, *none),
        (*catalogue.languages, *(("other",) * len(ids))),
        np.append(catalogue.added, np.full(len(ids), np.nan)),
    )


def numbered(table: pd.DataFrame, users: Sequence[str], items: Sequence[str]) -> Log:
    """Events with numbers for names; every name must be known."""
    return Log(
        pd.Index(users).get_indexer(pd.Index(table["user"])).astype(np.int32),
        pd.Index(items).get_indexer(pd.Index(table["item"])).astype(np.int32),
        table["weight"].to_numpy(np.float32),
        table["positive"].to_numpy(bool),
        table["time"].to_numpy(float),
    )


def plain(value: object) -> str:
    """One line of text from a cell: mark-up out, lists ("a|b", JSON, or real ones) joined by commas."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(plain(part) for part in value)
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    text = str(value).strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            return plain(json.loads(text))
        except ValueError:
            pass
    return " ".join(_TAG.sub(" ", text).replace("|", ", ").split())


def names(column: pd.Series) -> pd.Series:
    """Identifiers as text; "007" keeps its zeros, a missing one is empty, 7.0 of a float column is "7"."""
    if len(column) and all(isinstance(value, float) for value in column):
        column = column.map(lambda value: "" if np.isnan(value) else f"{value:.15g}")
    return column.where(column.notna(), "").astype(str).str.strip()
