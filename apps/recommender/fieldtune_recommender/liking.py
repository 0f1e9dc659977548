"""Which events are successes, and how much interest each one shows: by type, by a rule, by a rating that can be read.

Knows the columns of events, not who or what they are about.
"""

import re

import numpy as np
import pandas as pd

from fieldtune.errors import ConfigError, InputError
from fieldtune_recommender.records import EVENT_WEIGHTS, Flags, Floats
from fieldtune_recommender.schema import Schema, column, count

_RULE = re.compile(r"^\s*(\w+)\s*(>=|=)\s*(.+?)\s*$")
_COMMA = re.compile(r"^\s*([+-]?\d+),(\d{1,2}|\d{4,})\s*$")
_STRONGEST = max(EVENT_WEIGHTS.values())


def judged(raw: pd.DataFrame, kind: pd.Series, schema: Schema, repairs: dict[str, int]) -> tuple[Flags, Floats]:
    """Which events are positive, and the interest in [-1, 1] each one shows.

    Types weigh as in EVENT_WEIGHTS (1 for a type of your own); a numeric rule weighs a positive by its share of the
    highest value, and counts values up to half the threshold against the item. Without a rule a rating that cannot be
    read shows no interest, and the others are not looked at. A column `weight` multiplies.

    Raises:
        InputError: no event is positive by the rule, or no rating can be read. ConfigError: a rule that is none.
    """
    weight = kind.map(lambda name: EVENT_WEIGHTS.get(name, 1.0) / _STRONGEST).to_numpy(np.float32)
    unknown = ~kind.isin([*EVENT_WEIGHTS, ""])
    count(repairs, "events_of_a_type_of_your_own", int(unknown.sum()))
    if (kind == "").all():
        weight = np.ones(len(kind), np.float32)
    positive = weight > 0
    if schema.positive:
        name, wanted, least = _rule(schema.positive, schema, raw)
        if wanted:
            positive = raw[name].astype(str).str.strip().str.lower().isin(wanted).to_numpy()
        else:
            values = numbers(raw[name])
            count(repairs, "events_with_unreadable_value", int(np.isnan(values).sum()))
            positive = values >= least
            weight = _graded(values, least)
        if not positive.any():
            raise InputError(f"events with {schema.positive}", "none", "correct --positive")
    elif (ratings := column(raw, schema.event("rating"))) is not None:
        unread = _unread(ratings, schema.event("rating"))
        count(repairs, "events_with_unreadable_rating", int(unread.sum()))
        positive, weight = positive & ~unread, np.where(unread, np.float32(0), weight)
    extra = column(raw, schema.event("weight"))
    if extra is not None:
        factor = numbers(extra).astype(np.float32)
        count(repairs, "events_with_unreadable_weight", int(np.isnan(factor).sum()))
        weight = weight * np.nan_to_num(factor, nan=1.0) / max(float(np.nanmax(np.abs(factor), initial=0.0)), 1e-9)
    return np.asarray(positive, bool), np.clip(weight, -1, 1).astype(np.float32)


def _unread(ratings: pd.Series, name: str) -> Flags:
    """Which events have something in the column of ratings that is no number."""
    given = (ratings.astype(str).str.strip() != "").to_numpy()
    unread = given & np.isnan(numbers(ratings))
    if given.any() and (unread == given).all():
        raise InputError(
            "ratings as numbers",
            f"none in the column {name!r}, e.g. {ratings[given].iloc[0]!r}",
            f"say what counts as a success, e.g. --positive '{name}=good,best', or rename the column",
        )
    return np.asarray(unread, bool)


def numbers(cells: pd.Series) -> np.ndarray:
    """Finite numbers as people write them, NaN for anything else: 4.5, or 4,5 with a decimal comma; 1,000 may be either."""
    found = pd.to_numeric(cells.astype(str).str.replace(_COMMA, r"\1.\2", regex=True), errors="coerce").to_numpy(float)
    return np.where(np.isfinite(found), found, np.nan)


def _graded(values: np.ndarray, threshold: float) -> Floats:
    top = max(float(np.nanmax(values)), 1e-9)
    graded = np.where(values >= threshold, values / top, np.where(values <= threshold / 2, -0.4, 0.0))
    return np.nan_to_num(graded).astype(np.float32)


def _rule(rule: str, schema: Schema, raw: pd.DataFrame) -> tuple[str, set[str], float]:
    """The column of a rule, and the words that count there, or else the least number that does."""
    match = _RULE.match(rule)
    if match is None:
        raise ConfigError("a rule like rating>=4 or type=buy,share", repr(rule), "correct --positive")
    name, operator, value = schema.event(match[1]), match[2], match[3]
    if name not in raw:
        raise InputError(f"the column {name!r} of --positive", ", ".join(map(str, raw.columns)), "correct --positive")
    if operator == "=":
        return name, {part.strip().lower() for part in value.split(",")}, 0.0
    least = float(numbers(pd.Series([value]))[0])
    if np.isnan(least):
        raise ConfigError("a number after >=", repr(value), "correct --positive")
    return name, set(), least
