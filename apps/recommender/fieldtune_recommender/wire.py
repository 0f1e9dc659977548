"""The composition root: an open shop makes lists, and every list is recorded.

Faces (commands, page) call these functions, and `opening`, `tastes` and `remembering` beside it, and nothing below them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune import registry
from fieldtune.data.read import read_table
from fieldtune.data.write import write_table
from fieldtune.errors import InputError
from fieldtune.progress import say, track
from fieldtune.runtime import generator, now
from fieldtune.text.shown import some_of
from fieldtune_recommender import bundle, lists, measuring, reading, reasons, wording
from fieldtune_recommender.opening import Shop, hears, open_shop
from fieldtune_recommender.records import Suggestion, Taste
from fieldtune_recommender.remembering import remember, remember_all
from fieldtune_recommender.tastes import taste_from, tastes_of


def recommend(
    shop: Shop,
    taste: Taste,
    k: int = 10,
    *,
    diversity: float = 0.0,
    among: Iterable[str] | None = None,
    explain: bool = True,
) -> list[Suggestion]:
    """One list, best first.

    Args:
        diversity: 0 is the plain order, 1 as varied as can be.
        among: rank only these items; None searches the whole catalogue.

    Raises:
        InputError: k or diversity out of range, or none of `among` can be shown.
    """
    if k < 1 or not 0.0 <= diversity <= 1.0:
        raise InputError("k of at least 1 and diversity from 0 to 1", f"k={k}, diversity={diversity}", "correct them")
    numbers = None
    if among is not None:
        numbers = np.array([shop.items[item] for item in among if item in shop.items], np.int32)
        if not len(numbers):
            raise InputError("candidates that are in the catalogue", "none", "check the identifiers")
    scored = lists.rank(taste, shop.world, shop.method, among=numbers)
    catalogue = shop.bundle.data.catalogue
    return [
        Suggestion(
            catalogue.ids[scored.items[at]],
            float(scored.scores[at]),
            float(scored.probabilities[at]),
            reasons.why(taste, shop.world, catalogue, int(scored.items[at]), scored.asked) if explain else (),
        )
        for at in lists.choose(scored, shop.alike, k, 1.0 - diversity)
    ]


def recommend_all(
    shop: Shop, users: Sequence[str], k: int, *, diversity: float, progress: bool
) -> list[dict[str, Any]]:
    """Rows user, rank, item, score for many users."""
    rows = []
    tastes = zip(users, tastes_of(shop, users), strict=True)
    for user, taste in track(tastes, "recommending", len(users), show=progress):
        for rank, one in enumerate(recommend(shop, taste, k, diversity=diversity, explain=False), 1):
            rows.append({"user": user, "rank": rank, "item": one.item, "score": one.score})
    return rows


def answer(
    model: Path, asked: Mapping[str, Any], k: int, *, diversity: float, among: Sequence[str] | None = None
) -> dict[str, Any]:
    """One list as the command prints it: items, model version, decision."""
    shop = open_shop(model)
    if asked["history"]:
        taste = taste_from(shop, asked["history"], interest=asked["interest"])
    else:
        taste = tastes_of(shop, [asked["user"]], asked["interest"])[0]
        if asked["user"] and asked["user"] not in shop.users:
            say(f"note: {asked['user']!r} is not in the log; the list rests on what is popular")
    heard = hears(shop, taste.interest)
    if taste.interest and not heard:
        say(f"note: {wording.WORDS['unheard'][0]}")
    shown = recommend(shop, taste, k, diversity=diversity, among=among)
    return {
        "items": [asdict(one) | {"title": shop.bundle.data.catalogue.titles[shop.items[one.item]]} for one in shown],
        "model_version": shop.version,
        "method": shop.method.name,
        "ordered_by": "sentence" if heard else "chance",
        "decision": remember(shop, asked, shown, now()),
    }


def batch(shop: Shop, users: Path, out: Path, k: int, *, diversity: float, progress: bool) -> dict[str, Any]:
    """Lists for every user of a table, written as a table; a user who is not in the log gets what is popular.

    Raises:
        InputError: no user of the table is in the log, or nothing is left to recommend.
    """
    names = list(dict.fromkeys(reading.names(read_table(users, ["user"])["user"].astype(object))))
    names = [name for name in names if name]
    unknown = [name for name in names if name not in shop.users]
    if len(unknown) == len(names):
        raise InputError(
            "users of the log", f"none in {users} ({some_of(unknown) or 'no name'})", "check the identifiers"
        )
    if unknown:
        say(
            f"note: {len(unknown)} of {len(names)} users are not in the log and get what is popular: {some_of(unknown)}"
        )
    rows = recommend_all(shop, names, k, diversity=diversity, progress=progress)
    if not rows:
        raise InputError("something to recommend", "every user has seen the whole catalogue", "add items")
    write_table(pd.DataFrame(rows), out)
    remember_all(shop, rows, out, now())
    return {
        "out": str(out),
        "users": len(names),
        "unknown_users": {"count": len(unknown), "names": unknown[:5]},
        "rows": len(rows),
        "model_version": shop.version,
    }


def evaluate(model: Path, events: Path, *, seed: int, progress: bool) -> dict[str, Any]:
    """Held-out figures of what serves for `model`, on the events of a table after the recorded cut."""
    place = registry.serving(bundle.APP, model)
    one = bundle.read(place)
    future, left_out = reading.further_events(events, one.schema, one.data)
    rng = generator(seed)
    measured = measuring.held_out(one, rng=rng, progress=progress, future=future)
    result = measured.summary(one.answers_with, rng)
    return {"model": str(place), "cut": one.cut, **result, "repairs": left_out}
