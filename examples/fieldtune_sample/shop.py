"""The shop of Tidewater: items whose text tells their interests, and a log of what users did.

`generate` writes items.csv, events.csv (user, item, type, time) and truth.json (interests of users and items, and why
each kind of choice was made). Everything follows from the seed and the parameters.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.errors import InputError
from fieldtune_sample import shop_pool, shop_world
from fieldtune_sample.shop_world import Choices, Ints, Items, Users

# Chance of what follows a view, by why it was chosen: interest, popular, chance. The later ones need the click.
CLICK, BUY, COMMENT, SHARE = (0.58, 0.38, 0.20), (0.17, 0.08, 0.03), (0.08, 0.05, 0.02), (0.06, 0.05, 0.02)
FOLLOW_UPS = (("comment", COMMENT, 400), ("share", SHARE, 300), ("buy", BUY, 900))
KINDS = ("view", "click", *(name for name, _, _ in FOLLOW_UPS))
EVENTS_PER_CHOICE = 1.55


def generate(
    out: Path,
    seed: int,
    *,
    items: int = 2_000,
    users: int = 2_000,
    events: int = 100_000,
    days: int = 90,
    start: str = "2026-02-01",
    chinese_share: float = 0.25,
    new_item_share: float = 0.15,
    new_user_share: float = 0.1,
    interest: float = 0.62,
    popularity: float = 0.28,
    chance: float = 0.1,
) -> None:
    """Write the shop into `out` (created if missing).

    `interest`, `popularity`, `chance` are the parts of the mixture a choice is drawn from; `new_*_share` appear in the
    last fifth of the time. Raises InputError on impossible values.
    """
    first = _first_day(start, items, users, events, days)
    if min(interest, popularity, chance) < 0 or interest + popularity + chance <= 0:
        raise InputError("shares of at least 0, not all 0", f"{interest}, {popularity}, {chance}", "give three numbers")
    rng, shelves = np.random.default_rng([seed, 2]), shop_pool.load()
    names = list(shelves.themes)
    stock = shop_world.make_items(items, len(names), days, new_item_share, chinese_share, rng)
    people = shop_world.make_users(users, len(names), days, new_user_share, chinese_share, rng)
    mixture = (interest, popularity, chance)
    choices = shop_world.simulate(stock, people, days, int(events / EVENTS_PER_CHOICE * 1.06), mixture, rng)
    log = _exactly(_events(choices, rng), choices, events, rng)
    if len(log) < events:
        raise InputError(f"{events} events from {users} users in {days} days", f"{len(log)}", "raise users or days")
    out.mkdir(parents=True, exist_ok=True)
    _write_csv(out / "items.csv", ("item", "title", "description", "tags", "category", "time", "language"),
               _item_rows(shelves, names, stock, first, rng))  # fmt: skip
    who, what = choices.user.tolist(), choices.item.tolist()
    _write_csv(out / "events.csv", ("user", "item", "type", "time"), (
        (_user(who[index]), _item(what[index]), KINDS[kind], _stamp(first, second))
        for second, index, kind in log.tolist()
    ))  # fmt: skip
    truth = json.dumps(_truth(names, stock, people, choices, mixture), ensure_ascii=False)
    (out / "truth.json").write_text(truth + "\n", encoding="utf-8")


def _first_day(start: str, items: int, users: int, events: int, days: int) -> datetime:
    try:
        first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    except ValueError:
        raise InputError("start as YYYY-MM-DD", start, "for example 2026-02-01") from None
    if items < 100 or days < 10 or users < 10 or events < 5 * users:
        raise InputError(
            "at least 100 items, 10 users, 10 days and 5 events a user",
            f"{items} items, {users} users, {days} days, {events} events",
            "raise the smallest of them",
        )
    return first


def _events(choices: Choices, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows (second, index of the choice, kind) in order of time: the view, then what followed from it."""
    count = len(choices.user)
    index = np.arange(count)
    clicked = rng.random(count) < np.array(CLICK)[choices.how]
    moment = choices.second + rng.integers(3, 60, count)
    parts = [
        np.stack([choices.second, index, np.zeros_like(index)]),
        np.stack([moment, index, np.ones_like(index)])[:, clicked],
    ]
    for kind, (_, odds, delay) in enumerate(FOLLOW_UPS, start=2):
        done = clicked & (rng.random(count) < np.array(odds)[choices.how])
        later = moment + rng.integers(5, delay, count)
        parts.append(np.stack([later, index, np.full_like(index, kind)])[:, done])
    rows = np.concatenate(parts, axis=1).T
    return rows[np.lexsort((rows[:, 2], rows[:, 0]))]


def _exactly(rows: NDArray[np.int64], choices: Choices, events: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Whole choices kept at random until `events` rows are reached, the first choice of every user always."""
    count = len(choices.user)
    sizes = np.bincount(rows[:, 1], minlength=count)
    order = rng.permutation(count)
    order = order[np.argsort(~_first_of_user(choices.user)[order], kind="stable")]
    kept = np.zeros(count, dtype=bool)
    kept[order[sizes[order].cumsum() <= events]] = True
    found = rows[kept[rows[:, 1]]]
    views = rows[~kept[rows[:, 1]] & (rows[:, 2] == 0)]
    found = np.concatenate([found, views[: events - len(found)]])
    return found[np.lexsort((found[:, 2], found[:, 0]))]


def _first_of_user(user: Ints) -> NDArray[np.bool_]:
    first = np.zeros(len(user), dtype=bool)
    first[np.unique(user, return_index=True)[1]] = True
    return first


def _item_rows(
    shelves: shop_pool.Shelves, names: Sequence[str], stock: Items, first: datetime, rng: np.random.Generator
) -> Iterable[Sequence[str]]:
    for index, day in enumerate(stock.day.tolist()):
        liked = [
            names[theme]
            for theme in np.argsort(-stock.strength[index], kind="stable")[:2]
            if stock.strength[index, theme]
        ]
        language = shop_pool.LANGUAGES[int(stock.chinese[index])]
        words = shop_pool.write(shelves, liked, language, rng)
        moment = _stamp(first, int(day * 86_400))
        yield _item(index), words.title, words.description, words.tags, words.category, moment, language


def _truth(
    names: Sequence[str], stock: Items, people: Users, choices: Choices, mixture: Sequence[float]
) -> dict[str, Any]:
    """What nobody but the generator knows: themes of items, interests of users by epoch, share of each kind of choice."""

    def liked(row: NDArray[np.float64]) -> dict[str, float]:
        return {names[theme]: round(float(row[theme]), 3) for theme in np.flatnonzero(row).tolist()}

    return {
        "themes": list(names),
        "epoch_days": shop_world.EPOCH_DAYS,
        "mixture": dict(zip(("interest", "popularity", "chance"), mixture, strict=True)),
        "choices": np.bincount(choices.how, minlength=3).tolist(),
        "items": {_item(index): liked(row) for index, row in enumerate(stock.strength)},
        "users": {_user(index): [liked(epoch) for epoch in row] for index, row in enumerate(people.interests)},
    }


def _item(index: int) -> str:
    return f"i{index:04d}"


def _user(index: int) -> str:
    return f"u{index:04d}"


def _stamp(first: datetime, seconds: int) -> str:
    return (first + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
