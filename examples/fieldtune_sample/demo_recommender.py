"""The demo's recommender: learnt from the first part of the shop's log, compared with its rivals, taught by purchases."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune_sample import shop, simulate
from fieldtune_sample.loops import Loop
from fieldtune_sample.place import Place
from fieldtune_sample.size import Size
from fieldtune_sample.steps import command

APP = "recommender"
# Of the events: what the company knows; then what visitors choose, which is the feedback; the rest measures.
LOG, BOUGHT = 0.70, 0.87
LENGTH = 10
COMPARED = 200
MEASURED = 1_000
LISTS = "lists.csv"
Rows = list[dict[str, str]]


def write(place: Place, seed: int, size: Size) -> None:
    """The shop at the end of its log; later events are kept back: what visitors will choose, then what measures."""
    folder = place.company / "shop"
    shop.generate(folder, seed, **size.shop)
    events = simulate.read_csv(folder / "events.csv")
    known, chosen, last = (
        events[int(start * len(events)) : int(end * len(events))]
        for start, end in ((0, LOG), (LOG, BOUGHT), (BOUGHT, 1))
    )
    simulate.write_csv(folder / "log.csv", known)
    items = simulate.read_csv(folder / "items.csv")
    simulate.write_csv(folder / "catalogue.csv", [row for row in items if row["time"] <= known[-1]["time"]])
    purchases = fresh(chosen, known)
    simulate.write_csv(place.later / "visitors_will_choose.csv", purchases)
    simulate.write_csv(place.later / "choices_kept.csv", fresh(last, [*known, *chosen]))


def fresh(events: Rows, before: Rows) -> Rows:
    """What users of the log chose for the first time (clicked or more), items of the log only."""
    users, items = {row["user"] for row in before}, {row["item"] for row in before}
    seen = {(row["user"], row["item"]) for row in before}
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in events:
        pair = (row["user"], row["item"])
        if row["type"] != "view" and pair not in seen and row["user"] in users and row["item"] in items:
            found.setdefault(pair, {"user": row["user"], "item": row["item"], "time": row["time"]})
    return list(found.values())


def build(place: Place, size: Size, seed: int, now: datetime) -> dict[str, Any]:
    """Train, compare with every rival, and make lists with and without text."""
    folder = place.company / "shop"
    trained = command(
        "recommender", "train", "--events", folder / "log.csv", "--items", folder / "catalogue.csv", "--out",
        place.recommender, "--model", size.encoder, "--max-steps", size.tower_steps,
        "--min-positives", size.min_positives, "--seed", seed, apart=size.apart,
    )  # fmt: skip
    return {"trained": trained["verdict"], "figures": trained, "lists": two_lists(place)}


def two_lists(place: Place) -> dict[str, Any]:
    """One visitor's list with text and without, and how much of such lists lies in their true interests."""
    from fieldtune_recommender import opening, tastes, wire

    shop_open = opening.open_shop(place.recommender)
    with_text, without = both(shop_open)
    of_items, of_users = simulate.shop_truth(place.company / "shop" / "truth.json")
    users = list(dict.fromkeys(row["user"] for row in simulate.read_csv(place.later / "visitors_will_choose.csv")))

    def listed(opened: Any, user: str) -> list[dict[str, Any]]:
        shown = wire.recommend(opened, tastes.tastes_of(opened, [user])[0], LENGTH)
        catalogue = opened.bundle.data.catalogue
        return [
            {
                "item": one.item, "title": catalogue.titles[opened.items[one.item]],
                "in true interests": bool(of_items[one.item] & of_users[user]),
                "reasons": "; ".join(reason.text for reason in one.reasons),
            }
            for one in shown
        ]  # fmt: skip

    def share(opened: Any) -> float:
        return float(np.mean([one["in true interests"] for user in users[:COMPARED] for one in listed(opened, user)]))

    user = users[0]
    titles = shop_open.bundle.data.catalogue.titles
    return {
        "user": user,
        "history": [titles[shop_open.items[item]] for item in tastes.history_of(shop_open, user, 8)],
        "interests": sorted(of_users[user]),
        "with text": listed(with_text, user),
        "without text": listed(without, user),
        "methods": {"with text": with_text.method.name, "without text": without.method.name},
        "in_interests": {"with text": share(with_text), "without text": share(without)},
        "users": min(len(users), COMPARED),
    }


def both(opened: Any) -> tuple[Any, Any]:
    """The shop answering with its best method that reads texts, and with its twin that does not."""
    from fieldtune_recommender import methods, opening

    one = opened.bundle
    known = methods.methods(one.rankers, one.popularity_knots)
    reads = (
        opened.method.name if opened.method.text else next(name for name in reversed(list(known)) if known[name].text)
    )
    made = []
    for name in (reads, "without_text"):
        vectors = known[name].vectors
        world = methods.worlds(one.data, opening.END_OF_LOG, {vectors or "": one.vectors[vectors] if vectors else None})
        made.append(replace(opened, method=known[name], world=world.by_vectors[vectors or ""]))
    return made[0], made[1]


def loop(place: Place, size: Size, seed: int, now: datetime) -> Loop:
    """Visitors choose what they really chose next; what they chose after that measures."""
    chosen = simulate.read_csv(place.later / "visitors_will_choose.csv")[: size.purchases]
    items = sorted({row["item"] for row in simulate.read_csv(place.company / "shop" / "log.csv")})

    def speak(random_share: float) -> Counter[str]:
        return simulate.visitors(place.recommender, chosen, items, random_share, np.random.default_rng([seed, 45]))

    def rows() -> list[float]:
        return [float(value) for value in judged(place)["ndcg@10"]]

    return Loop(APP, place.recommender, "ndcg@10", speak, partial(look, place), rows, apart=size.apart)


def look(place: Place) -> tuple[dict[str, Any], bytes]:
    """Figures of the lists of what serves now against what their users chose last of all, and the lists."""
    from fieldtune.evaluate import ranking

    users = list(last_choices(place))
    table, out = place.later / "users.csv", place.later / LISTS
    simulate.write_csv(table, [{"user": user} for user in users])
    command("recommender", "recommend", "--model", place.recommender, "--users", table, "--out", out, "-k", LENGTH)
    return {**ranking.summary(judged(place)), "n": len(users)}, out.read_bytes()


def last_choices(place: Place) -> dict[str, set[str]]:
    """User -> what they chose last of all, of the users that are measured."""
    wanted: dict[str, set[str]] = {}
    for row in simulate.read_csv(place.later / "choices_kept.csv"):
        wanted.setdefault(row["user"], set()).add(row["item"])
    return {user: wanted[user] for user in sorted(wanted)[:MEASURED]}


def judged(place: Place) -> dict[str, NDArray[np.float64]]:
    """Every figure of every list written last."""
    from fieldtune.evaluate import ranking

    lists: dict[str, list[str]] = {}
    for row in simulate.read_csv(place.later / LISTS):
        lists.setdefault(row["user"], []).append(row["item"])
    wanted = last_choices(place)
    return ranking.per_query([lists.get(user, []) for user in wanted], list(wanted.values()))


def outputs(place: Place) -> list[Path]:
    """What the build leaves."""
    return [place.recommender]
