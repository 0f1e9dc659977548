"""Who visits the shop, what is in demand when, and what is chosen (pure; numpy only).

A choice is one of three: an item of one of the user's current interests (new ones are noticed), something that was
popular in the last days, or anything. Interests drift, items rise, age and burst. It does not know any text.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EPOCH_DAYS = 30  # a user's interests can change at the turn of an epoch
SWAP_CHANCE = 0.3
SECOND_THEME_SHARE, SECOND_THEME_STRENGTH = 0.5, 0.5
OTHER_LANGUAGE = (0.25, 0.4)  # how readily an English reader takes a Chinese item, and the other way round
POPULAR_MEMORY = 0.8  # what remains of yesterday's popularity
HOURS = (1, 1, 1, 1, 1, 1, 2, 4, 6, 6, 6, 7, 9, 8, 6, 6, 6, 7, 9, 12, 14, 13, 9, 4)


@dataclass(frozen=True)
class Items:
    """day: arrival in days from the start (negative: before); strength [items, themes]; quality; life in days."""

    day: Floats
    strength: Floats
    chinese: NDArray[np.bool_]
    quality: Floats
    life: Floats
    bursts: Floats  # [items, days] factor, mostly 1


@dataclass(frozen=True)
class Users:
    """joined: first day; interests [users, epochs, themes], rows sum to 1; activity: relative number of visits."""

    joined: Ints
    interests: Floats
    chinese: NDArray[np.bool_]
    activity: Floats


@dataclass(frozen=True)
class Choices:
    """One row per choice, in order of days: who, what, when (seconds from the start), how (0 interest, 1 popular, 2 chance)."""

    user: Ints
    item: Ints
    second: Ints
    how: Ints


def _arrivals(count: int, days: int, before: float, late: float, rng: np.random.Generator) -> Floats:
    """Sorted days: share `before` in the two months before the start, share `late` in the last fifth, rest between."""
    old, new = round(count * before), round(count * late)
    parts = [
        rng.uniform(-60, 0, old),
        rng.uniform(0, 0.8 * days, count - old - new),
        rng.uniform(0.8 * days, days - 1, new),
    ]
    return np.sort(np.concatenate(parts))


def make_items(count: int, themes: int, days: int, new_share: float, chinese: float, rng: np.random.Generator) -> Items:
    """`count` items of one or two themes each; `new_share` of them arrive in the last fifth of the time."""
    strength = np.zeros((count, themes))
    first, second = rng.integers(0, themes, count), rng.integers(0, themes, count)
    both = rng.random(count) < SECOND_THEME_SHARE
    strength[np.flatnonzero(both), second[both]] = SECOND_THEME_STRENGTH
    strength[np.arange(count), first] = 1.0
    bursts = np.ones((count, days))
    for item in np.flatnonzero(rng.random(count) < 0.08).tolist():
        start = int(rng.integers(0, days))
        bursts[item, start : start + int(rng.integers(2, 7))] = rng.uniform(4, 12)
    day = _arrivals(count, days, 0.45, new_share, rng)
    return Items(day, strength, rng.random(count) < chinese, rng.lognormal(0, 1.5, count), rng.lognormal(2.5, 0.6, count), bursts)  # fmt: skip


def make_users(count: int, themes: int, days: int, new_share: float, chinese: float, rng: np.random.Generator) -> Users:
    """`count` users with one to three interests; `new_share` of them come in the last fifth of the time."""
    epochs = -(-days // EPOCH_DAYS)
    interests = np.zeros((count, epochs, themes))
    for user in range(count):
        liked = rng.permutation(themes)[: rng.choice((1, 2, 3), p=(0.3, 0.45, 0.25))]
        weights = rng.dirichlet(np.full(len(liked), 3.0))
        for epoch in range(epochs):
            if epoch and rng.random() < SWAP_CHANCE:
                liked = liked.copy()
                liked[rng.integers(len(liked))] = rng.choice(np.setdiff1d(np.arange(themes), liked))
            interests[user, epoch, liked] = weights
    joined = np.maximum(_arrivals(count, days, 0.7, new_share, rng), 0).astype(np.int64)
    order = rng.permutation(count)
    return Users(joined[order], interests, rng.random(count) < chinese, rng.lognormal(0, 0.8, count))


def demand(items: Items, day: int) -> Floats:
    """How much each item is in demand on `day` [items]: quality, age and bursts; 0 before it arrives."""
    age = day - items.day
    fresh = 0.08 + np.exp(-np.maximum(age, 0) / items.life)
    return np.where(age > 0, items.quality * fresh * items.bursts[:, day], 0.0)


def _visits(users: Users, day: int, rate: float, rng: np.random.Generator) -> Ints:
    """User of each choice of the day, grouped by user."""
    present = users.activity * (users.joined <= day) * (1.25 if day % 7 in (5, 6) else 0.9)
    wanted = rng.poisson(present * rate)
    newcomers = users.joined == day
    wanted[newcomers] = np.maximum(wanted[newcomers], rng.integers(2, 6, int(newcomers.sum())))
    return np.repeat(np.arange(len(wanted)), wanted)


def _seconds(visitor: Ints, day: int, rng: np.random.Generator) -> Ints:
    """Times of the day's choices: each user has one sitting, choices a few minutes apart."""
    hours = rng.choice(24, size=int(visitor.max(initial=0)) + 1, p=np.array(HOURS) / sum(HOURS))
    gaps = rng.exponential(100, len(visitor)).cumsum()
    first = np.searchsorted(visitor, visitor)
    inside = gaps - gaps[first] + 60 * (visitor * 37 % 60)
    return np.asarray(day * 86_400 + np.minimum(hours[visitor] * 3_600 + inside, 86_399), dtype=np.int64)


def _draw(weights: Floats, how_many: int, rng: np.random.Generator) -> Ints:
    total = weights.cumsum()
    picked = np.searchsorted(total, rng.random(how_many) * total[-1], side="right")
    return np.asarray(np.minimum(picked, len(weights) - 1), dtype=np.int64)


def _pick_items(
    how: Ints, theme: Ints, chinese: NDArray[np.bool_], items: Items, wanted: Floats, popular: Floats,
    rng: np.random.Generator,
) -> Ints:  # fmt: skip
    """One item per choice, from the distribution of its kind (`how`), theme and reader's language."""
    chosen = np.zeros(len(how), dtype=np.int64)
    key = np.where(how == 0, theme, -how) * 2 + chinese
    for value in np.unique(key).tolist():
        rows = np.flatnonzero(key == value)
        kind, reader = divmod(value, 2)
        taste = np.where(items.chinese == bool(reader), 1.0, OTHER_LANGUAGE[reader])
        base = popular
        if kind >= 0:
            base = wanted * items.strength[:, kind]
        elif kind == -2:
            base = (wanted > 0).astype(np.float64)
        chosen[rows] = _draw(base * taste, len(rows), rng)
    return chosen


def simulate(
    items: Items, users: Users, days: int, choices: int, mixture: tuple[float, float, float], rng: np.random.Generator
) -> Choices:
    """About `choices` choices over `days` days. mixture: shares of interest, recent popularity and chance."""
    shares = np.array(mixture) / sum(mixture)
    rate = choices / sum(float(users.activity[users.joined <= day].sum()) for day in range(days))
    seen = np.zeros((len(users.joined), len(items.day)), dtype=bool)
    recent = np.zeros(len(items.day))
    parts: list[tuple[Ints, Ints, Ints, Ints]] = []
    for day in range(days):
        visitor, wanted = _visits(users, day, rate, rng), demand(items, day)
        how = rng.choice(3, size=len(visitor), p=shares).astype(np.int64)
        cumulative = users.interests[visitor, day // EPOCH_DAYS].cumsum(axis=1)
        theme = (rng.random((len(visitor), 1)) > cumulative).sum(axis=1)
        theme = np.minimum(theme, users.interests.shape[2] - 1)
        popular = (wanted / wanted.sum() + 2 * recent / max(1.0, float(recent.sum()))) ** 1.2
        item = _pick_items(how, theme, users.chinese[visitor], items, wanted, popular, rng)
        for _ in range(3):  # most people do not look twice at the same thing
            again = np.flatnonzero(seen[visitor, item])
            item[again] = _pick_items(how[again], theme[again], users.chinese[visitor[again]], items, wanted, popular, rng)  # fmt: skip
        seen[visitor, item] = True
        recent = POPULAR_MEMORY * recent + np.bincount(item, minlength=len(recent))
        parts.append((visitor, item, _seconds(visitor, day, rng), how))
    user, item, second, how = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(second, kind="stable")
    return Choices(user[order], item[order], second[order], how[order])
