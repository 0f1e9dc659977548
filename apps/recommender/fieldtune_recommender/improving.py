"""A better version from purchases and refusals, or none: append to the log, compare on the latest, publish or refuse.

The language model is never tuned here: a few hundred purchases do not repay it. Two candidates: the log with the
feedback under the same trees, and trees grown anew on all that came since the first ones' window began. Both are
judged on the latest purchases, which neither has seen; what serves now is judged on the same ones.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune import registry
from fieldtune.errors import InputError
from fieldtune.feedback import Feedback
from fieldtune.gate import INCUMBENT, Verdict
from fieldtune.models.folder import MANIFEST
from fieldtune.progress import say
from fieldtune.retraining import about, workplace
from fieldtune.runtime import generator
from fieldtune_recommender import bundle, evaluation, interests, lists, measuring, methods, reading, timecut, trust
from fieldtune_recommender.bundle import Bundle
from fieldtune_recommender.reading import Dataset
from fieldtune_recommender.records import Log, Taste
from fieldtune_recommender.signals import World

FOLDED, REFITTED = "same trees, longer log", "new trees, longer log"
LATEST = 0.3
PLACED = 300
KINDS = {"purchase": 1.0, "not_interested": -0.6}


def retrain(rows: Sequence[Feedback], slot: str | None = None, *, home: Path, now: datetime, progress: bool) -> Verdict:
    """Learn from the feedback rows about one recommender; promoted only if surely better on their latest purchases.

    Args:
        slot: the recommender's name or path; None takes the one that the newest row is about.

    Raises:
        InputError: no such recommender serves, or the rows hold too few purchases to compare on.
        RefusedError: another process retrains it, or something else serves by the end.
    """
    origin, own = about(bundle.APP, rows, "model", slot)
    with workplace(home, bundle.APP, origin) as work:
        return _retrained(origin, own, work, now=now, progress=progress)


def _retrained(origin: Path, rows: Sequence[Feedback], work: Path, *, now: datetime, progress: bool) -> Verdict:
    place = registry.serving(bundle.APP, origin)
    old = bundle.read(place)
    table = feedback_table(rows, old)
    bought = table[table["weight"] > 0]
    if rows and table.empty and old.card.get("absorbed"):
        return Verdict(False, INCUMBENT, "every row is learnt already", ())
    if len(bought) < trust.FEWEST:
        raise InputError(
            f"at least {trust.FEWEST} purchases of known items not learnt yet",
            f"{len(bought)} among {len(rows)} rows about {origin}",
            "collect more on the page",
        )
    doubt = _doubt(old, bought, progress)
    if doubt is not None:
        return Verdict(False, INCUMBENT, doubt, ())
    longer = appended(old.data, table)
    start = float(longer.log.times[len(longer.log) - max(int(len(table) * LATEST), 1)])
    candidates = _candidates(old, longer, start, progress)
    scores = {INCUMBENT: _scores(old, longer, start, old.data.log)}
    scores |= {name: _scores(one, longer, start, timecut.before(longer.log, start)) for name, one in candidates.items()}
    absorbed = [*old.card.get("absorbed", []), *table["key"]]
    folders = {name: work / str(number) for number, name in enumerate(candidates)}
    for name, one in candidates.items():
        final = replace(one, data=longer, card={**one.card, "absorbed": absorbed})
        bundle.write(final, folders[name], _encoder(place))
    details = {"feedback": len(table), "from": start}
    return registry.publish(
        bundle.APP, origin, folders, scores, rng=generator(0), now=now, details=details, scored=place
    )


def feedback_table(rows: Sequence[Feedback], old: Bundle) -> pd.DataFrame:
    """Rows not yet absorbed as events, in time order: user, item, weight, positive, time, key.

    Times are moved behind the end of the log where they lie before it, so that the past never changes.
    """
    known, absorbed = set(old.data.catalogue.ids), set(old.card.get("absorbed", []))
    events = []
    for row in rows:
        item, when = str(row.payload.get("item", "")), str(row.payload.get("time", ""))
        key = hashlib.sha256(f"{row.user}|{item}|{row.kind}|{when}".encode()).hexdigest()[:12]
        if row.kind in KINDS and item in known and key not in absorbed:
            events.append((row.user, item, KINDS[row.kind], row.kind == "purchase", _seconds(when), key))
    table = pd.DataFrame(events, columns=["user", "item", "weight", "positive", "time", "key"])
    table = table.sort_values("time", kind="stable", ignore_index=True)
    end = float(old.data.log.times[-1])
    floor = end + 1.0 + np.arange(len(table), dtype=float)
    times = np.maximum(table["time"].to_numpy(float), floor) if old.data.has_time else floor
    table["time"] = np.maximum.accumulate(times)
    return table


def appended(data: Dataset, table: pd.DataFrame) -> Dataset:
    """The data set with further events at its end; new users get new numbers."""
    users = tuple(dict.fromkeys((*data.users, *table["user"])))
    new, log = reading.numbered(table, users, data.catalogue.ids), data.log
    both = Log(
        np.concatenate([log.users, new.users]),
        np.concatenate([log.items, new.items]),
        np.concatenate([log.weights, new.weights]),
        np.concatenate([log.positive, new.positive]),
        np.concatenate([log.times, new.times]),
    )
    return replace(data, log=both, users=users)


def _doubt(old: Bundle, bought: pd.DataFrame, progress: bool) -> str | None:
    """Why the purchases cannot be trusted, or None: they lie where chance would put them."""
    if progress:
        say(f"looking where {len(bought)} purchases stand in the lists of what serves now")
    rng = generator(0)
    place = {user: number for number, user in enumerate(old.data.users)}
    items = pd.Index(old.data.catalogue.ids).get_indexer(pd.Index(bought["item"]))
    users = np.array([place.get(user, -1) for user in bought["user"]])
    claimed = _places(old, np.inf, users, items, rng)
    past, future = evaluation.halves(old.data.log, old.cut)
    held = future.rows(future.positive)
    new = ~np.isin(_pair_keys(held, old), _pair_keys(past, old))
    before = _places(old, old.cut, held.users[new], held.items[new], rng)
    if len(before) < trust.FEWEST or len(claimed) < trust.FEWEST:
        return None
    share = trust.made_up(before, claimed, rng)
    if share.low <= trust.MOST:
        return None
    return (
        f"about {share.mean:.0%} of {len(bought)} purchases look like chance (95 % interval {share.low:.0%} to "
        f"{share.high:.0%}, limit {trust.MOST:.0%}): look through them with fieldtune feedback list"
    )


def _pair_keys(log: Log, one: Bundle) -> np.ndarray:
    return log.users.astype(np.int64) * len(one.data.catalogue) + log.items


def _places(one: Bundle, t: float, users: np.ndarray, items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where (user, item) pairs stand among all unseen items at `t`: float64[<= PLACED], 1 is on top."""
    world, method = _world(one, one.data, t, np.inf)
    past = timecut.before(one.data.log, t)
    chosen = np.sort(rng.choice(len(users), min(PLACED, len(users)), replace=False))
    tastes = interests.tastes(past, users[chosen], len(one.data.users))
    everything = np.arange(len(one.data.catalogue))
    found = []
    for taste, item in zip(tastes, items[chosen], strict=True):
        order = lists.rank(taste, world, method, among=everything).items
        at = np.flatnonzero(order == item)
        if len(at) and len(order) > 1:
            found.append(1.0 - float(at[0]) / (len(order) - 1))
    return np.array(found)


def _world(one: Bundle, data: Dataset, t: float, today: float) -> tuple[World, lists.Method]:
    method = methods.methods(one.rankers, one.popularity_knots)[one.answers_with]
    vectors = {method.vectors or "": one.vectors[method.vectors] if method.vectors else None}
    return next(iter(methods.worlds(data, t, vectors, today).by_vectors.values())), method


def _candidates(old: Bundle, longer: Dataset, start: float, progress: bool) -> dict[str, Bundle]:
    found = {FOLDED: replace(old, data=longer)}
    if old.rankers:
        from fieldtune_recommender import training  # torch comes with it

        early = replace(longer, log=timecut.before(longer.log, start))
        rankers, knots = training.grow(
            early,
            _windows(old, start),
            old.vectors,
            seed=int(old.card["seed"]),
            threads=2,
            progress=progress,
            only=old.answers_with,
        )
        found[REFITTED] = replace(
            old,
            data=longer,
            cut=start,
            ranker_cut=old.cut,
            rankers={**old.rankers, **rankers},
            popularity_knots=knots,
        )
    return found


def _windows(old: Bundle, start: float) -> list[timecut.Windows]:
    """What the trees that serve learnt from, what was held out then, and the feedback up to `start`.

    Each ends where the kind of events changes: one that reaches from a log with every view into one of purchases alone
    teaches a popularity that is neither's.
    """
    end_of_log = float(np.nextafter(old.data.log.times[-1], np.inf))
    edges = sorted({old.ranker_cut, old.cut, end_of_log, start})
    return [timecut.Windows(*pair) for pair in itertools.pairwise(edges)]


def _scores(one: Bundle, longer: Dataset, start: float, known: Log) -> np.ndarray:
    """nDCG@10 per user on the purchases from `start` on, when `known` is all that has been seen.

    What a user bought earlier in the feedback is shown to nobody, also not by what serves now.
    """
    past, future = evaluation.halves(longer.log, start)
    data = replace(longer, log=known)
    world, method = _world(one, data, np.inf, start)
    queries = evaluation.queries(past, future, world.snapshot.known, len(longer.users))
    tastes = interests.tastes(known, queries.users, len(longer.users))
    gone = interests.tastes(past, queries.users, len(longer.users))
    shown = [
        lists.rank(_without(taste, both), world, method).items[: evaluation.DEPTH]
        for taste, both in zip(tastes, gone, strict=True)
    ]
    return evaluation.measure(shown, queries.relevant)[measuring.METRIC]


def _without(taste: Taste, both: Taste) -> Taste:
    return taste._replace(seen=both.seen)


def _encoder(place: Path) -> Any:
    if not (place / bundle.ENCODER / MANIFEST).is_file() and not (place / bundle.ENCODER).is_dir():
        return None
    from fieldtune_recommender import texts

    return texts.encoder(place / bundle.ENCODER)


def publish(folder: Path, slot: str | None, *, now: datetime) -> Verdict:
    """Put another version folder into service if it is better than what serves (``models publish``).

    Compared on the events after the candidate's own cut, or after that of what serves where it lies later.

    Raises:
        InputError: no recommender serves under this name.
    """
    origin = registry.origin_of(bundle.APP, slot) or folder
    if slot is not None and origin is folder:
        raise InputError("the name of a recommender in service", repr(slot), "see: fieldtune models list")
    one, place = bundle.read(folder), registry.serving(bundle.APP, origin)
    measured = measuring.held_out(one, rng=generator(0), progress=True)
    scores = measuring.beside_incumbent(one, measured, origin, place, rng=generator(0), progress=True)
    compared = {"candidate": scores[one.answers_with]}
    if INCUMBENT in scores:
        compared[INCUMBENT] = scores[INCUMBENT]
    details = {"folder": str(folder)}
    return registry.publish(
        bundle.APP, origin, {"candidate": folder}, compared, rng=generator(0), now=now, details=details, scored=place
    )


def _seconds(when: str) -> float:
    try:
        parsed = datetime.fromisoformat(when)
    except ValueError:
        return 0.0
    return parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp()
