"""The composition root: a version folder becomes a shop that makes lists, and every list is recorded.

Faces (commands, page) call these functions and nothing below them.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune import decisions, feedback, registry
from fieldtune.data.read import read_table, write_table
from fieldtune.data.scrub import scrub
from fieldtune.errors import InputError
from fieldtune.models.folder import MANIFEST
from fieldtune.progress import say, track
from fieldtune.runtime import generator, iso, now
from fieldtune_recommender import (
    bundle,
    improving,
    interests,
    lists,
    measuring,
    methods,
    reading,
    reasons,
    signals,
    wording,
)
from fieldtune_recommender.bundle import Bundle
from fieldtune_recommender.records import Floats, Suggestion, Taste
from fieldtune_recommender.signals import World

NOW = float("inf")
SHOWN_HISTORY = 12
FEW = 5
"""Unknown names that are told."""
REMEMBERED = 32
"""Sentences of which an open shop keeps the vectors."""
Encode = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True, slots=True)
class Shop:
    """A recommender that is open: what it knows, at the end of its log.

    Attributes:
        version: recorded with every list.
        world: popularity, co-visitation and texts now. alike: float32[items, d], what diversity compares.
        items, users: identifier -> number.
    """

    bundle: Bundle
    version: str
    world: World
    method: lists.Method
    alike: Floats
    items: Mapping[str, int]
    users: Mapping[str, int]


def open_shop(folder: Path) -> Shop:
    """Open what serves for `folder`: its promoted version, else the folder itself.

    Items whose time is still to come when it is opened are not shown.

    Raises:
        InputError: no such folder. ArtefactError: it is damaged.
    """
    place = registry.serving(bundle.APP, folder)
    one = bundle.read(place)
    answering = methods.methods(one.rankers, one.popularity_knots)[one.answers_with]
    vectors = {answering.vectors: one.vectors[answering.vectors]} if answering.vectors else {"": None}
    world = next(iter(methods.worlds(one.data, NOW, vectors, now().timestamp()).by_vectors.values()))
    if answering.vectors:
        encode, quietly = _encoder(place)
        chance = cache(partial(signals.chance, one.vectors[answering.vectors], quietly))
        world = replace(world, encode=encode, chance=chance)
    return Shop(
        bundle=one,
        version=registry.version_of(place),
        world=world,
        method=answering,
        alike=one.vectors["frozen"],
        items={item: number for number, item in enumerate(one.data.catalogue.ids)},
        users={user: number for number, user in enumerate(one.data.users)},
    )


def _encoder(place: Path) -> tuple[Encode, Encode]:
    """Encode sentences with the version's own encoder, loaded when the first one comes; zeros for what it cannot read.

    The first of the two says what it cannot read, and remembers the last sentences: a page asks with the same one again.
    """

    @cache
    def loaded() -> Any:
        from fieldtune_recommender import texts  # torch: only where a sentence must be read

        return texts.encoder(place / bundle.ENCODER)

    def quietly(sentences: Sequence[str]) -> Floats:
        from fieldtune.models.readable import readable

        read = readable(loaded(), list(sentences))
        return np.asarray(loaded().encode(list(sentences)), np.float32) * read[:, None]

    @lru_cache(maxsize=REMEMBERED)
    def one(sentence: str) -> Floats:
        vector: Floats = quietly([sentence])[0]
        if not vector.any():
            say("note: the text model cannot read this sentence: only the words that items share with it count")
        return vector

    return lambda sentences: np.stack([one(sentence) for sentence in sentences]), quietly


def hears(shop: Shop, interest: str) -> bool:
    """Whether a sentence leads the order of a list: some item shares a word with it or comes near it in meaning."""
    return bool(interest) and signals.asked(interest, shop.world) is not None


def tastes_of(shop: Shop, users: Sequence[str], interest: str = "") -> list[Taste]:
    """The taste of each user by identifier; an unknown user has none yet and gets what is popular."""
    numbers = np.array([shop.users.get(user, -1) for user in users])
    found = interests.tastes(shop.bundle.data.log, numbers, len(shop.users))
    return [taste._replace(interest=interest) for taste in found]


def taste_on_page(shop: Shop, user: str, history: Sequence[str], disliked: Sequence[str], interest: str) -> Taste:
    """The taste behind the page's list, which names the last items of a history only.

    The user's whole taste, as `recommend` has it, with what was added on the page; once something of the named history is
    taken out, what is left on the page alone.
    """
    named = history_of(shop, user)
    if user not in shop.users or list(history[: len(named)]) != named:
        return taste_from(shop, history, disliked=disliked, interest=interest, user=user)
    own = tastes_of(shop, [user])[0]
    new = taste_from(shop, history[len(named) :], disliked=disliked, user=user)
    kept = ~np.isin(own.items, np.concatenate([new.items, new.disliked]))
    return Taste(
        np.concatenate([own.items[kept], new.items]),
        np.concatenate([own.weights[kept], new.weights]),
        np.concatenate([own.ages[kept], new.ages]),
        np.concatenate([own.disliked, new.disliked]),
        np.union1d(own.seen, new.seen),
        interest,
    )


def taste_from(
    shop: Shop, history: Sequence[str], *, disliked: Sequence[str] = (), interest: str = "", user: str = ""
) -> Taste:
    """A taste from item identifiers, oldest first; of a repeated one the latest counts.

    Args:
        user: one of the log, whose part of the history this is: what else they took is not offered again.

    Raises:
        InputError: none of the history is in the catalogue.
    """
    numbers = [shop.items[item] for item in _latest(history) if item in shop.items]
    refused = [shop.items[item] for item in _latest(disliked) if item in shop.items]
    unknown = [item for item in history if item not in shop.items]
    if unknown:
        if not numbers:
            raise InputError("items of the catalogue in the history", _few(unknown), "check the identifiers")
        say(f"note: {len(unknown)} of the history are not in the catalogue: {_few(unknown)}")
    liked = np.array([number for number in numbers if number not in refused], np.int32)
    ones = np.ones(len(liked), np.float32)
    seen = np.union1d(np.array(numbers + refused, np.int32), tastes_of(shop, [user])[0].seen)
    return Taste(liked, ones, np.zeros_like(ones), np.array(refused, np.int32), seen, interest)


def _latest(items: Sequence[str]) -> list[str]:
    """Each once, at its last place."""
    return list(dict.fromkeys(reversed(items)))[::-1]


def serving_version(folder: Path) -> str:
    """The version that serves for `folder` at this moment."""
    place = registry.serving(bundle.APP, folder)
    if not (place / MANIFEST).is_file():
        raise InputError("a trained recommender", f"none at {place}", "run: fieldtune recommender train")
    return registry.version_of(place)


def busiest(shop: Shop, most: int) -> list[str]:
    """Users with the most events, the busiest first."""
    counts = np.bincount(shop.bundle.data.log.users, minlength=len(shop.users))
    return [shop.bundle.data.users[number] for number in np.argsort(-counts, kind="stable")[:most]]


def history_of(shop: Shop, user: str, most: int = SHOWN_HISTORY) -> list[str]:
    """The last liked items of a user, oldest first; empty for an unknown one."""
    taste = tastes_of(shop, [user])[0]
    return [shop.bundle.data.catalogue.ids[number] for number in taste.items[-most:]]


def say_back(model: Path, user: str, item: str, kind: str, language: str, at: datetime, *, decision: str = "") -> None:
    """Keep a purchase or a refusal as a feedback row, for ``feedback retrain``.

    Two shops may sell items of one identifier to users of one name, so the row is about the item in this shop.

    Args:
        decision: the id of the list in which the item stood.
    """
    shop = str(model.resolve())
    payload = {"item": item, "time": iso(at), "model": shop, "decision": decision}
    row = feedback.Feedback(bundle.APP, f"{shop}|{item}", kind, user, language=language, payload=payload)
    with registry.open_home().begin() as connection:
        feedback.record(connection, row, at)


def said_before(model: Path, shop: Shop, user: str) -> tuple[list[str], list[str]]:
    """What a user of the log bought and turned down on the page and no version has learnt yet, oldest first.

    The last word on an item counts. Nobody without a name can be known again.
    """
    place = str(model.resolve())
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, bundle.APP)
    own = [row for row in rows if row.user == user and row.payload.get("model") == place]
    waiting = improving.feedback_table(own, shop.bundle)
    last = waiting.drop_duplicates("item", keep="last")
    return last["item"][last["positive"]].tolist(), last["item"][~last["positive"]].tolist()


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


def remember(
    shop: Shop, asked: Mapping[str, Any], shown: Sequence[Suggestion], at: datetime, *, visit: str = ""
) -> str:
    """Record one list: what was asked, what was shown, by which version. Returns the decision's id.

    Args:
        visit: of a page that draws the same list many times: within one visit it is one decision.
    """
    payload = {
        "asked": {**asked, "interest": scrub(str(asked.get("interest", ""))).text},
        "items": [{"item": one.item, "score": one.score, "probability": one.probability} for one in shown],
        "method": shop.method.name,
    }
    with registry.open_home().begin() as connection:
        return decisions.record(
            connection,
            bundle.APP,
            "list",
            payload,
            shop.version,
            at,
            decision_id=_once(visit, payload) if visit else None,
        )


def _once(visit: str, payload: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{visit}|{json.dumps(payload, sort_keys=True)}".encode()).hexdigest()[:20]


def erase(user: str) -> int:
    """Delete the records of lists that were made for one user; returns how many."""
    with registry.open_home().begin() as connection:
        return decisions.erase(connection, bundle.APP, "list", lambda payload: payload["asked"].get("user") == user)


def remember_all(shop: Shop, rows: Sequence[Mapping[str, Any]], out: Path, at: datetime) -> None:
    """Record a batch as one decision: which users, which file."""
    payload = {
        "out": str(out),
        "users": len({row["user"] for row in rows}),
        "rows": len(rows),
        "method": shop.method.name,
    }
    with registry.open_home().begin() as connection:
        decisions.record(connection, bundle.APP, "batch", payload, shop.version, at)


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
        raise InputError("users of the log", f"none in {users} ({_few(unknown) or 'no name'})", "check the identifiers")
    if unknown:
        say(f"note: {len(unknown)} of {len(names)} users are not in the log and get what is popular: {_few(unknown)}")
    rows = recommend_all(shop, names, k, diversity=diversity, progress=progress)
    if not rows:
        raise InputError("something to recommend", "every user has seen the whole catalogue", "add items")
    write_table(pd.DataFrame(rows), out)
    remember_all(shop, rows, out, now())
    return {
        "out": str(out),
        "users": len(names),
        "unknown_users": {"count": len(unknown), "names": unknown[:FEW]},
        "rows": len(rows),
        "model_version": shop.version,
    }


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:FEW]) + (", ..." if len(names) > FEW else "")


def evaluate(model: Path, events: Path, *, seed: int, progress: bool) -> dict[str, Any]:
    """Held-out figures of what serves for `model`, on the events of a table after the recorded cut."""
    place = registry.serving(bundle.APP, model)
    one = bundle.read(place)
    future, left_out = reading.further_events(events, one.schema, one.data)
    rng = generator(seed)
    measured = measuring.held_out(one, rng=rng, progress=progress, future=future)
    result = measured.summary(one.answers_with, rng)
    return {"model": str(place), "cut": one.cut, **result, "repairs": left_out}
