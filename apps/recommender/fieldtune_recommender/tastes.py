"""Whom a list is for: users of an open shop's log, histories and clicks on a page -> tastes. Makes no list."""

from collections.abc import Sequence

import numpy as np

from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.text.shown import some_of
from fieldtune_recommender import interests
from fieldtune_recommender.opening import Shop
from fieldtune_recommender.records import Taste

SHOWN_HISTORY = 12


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
            raise InputError("items of the catalogue in the history", some_of(unknown), "check the identifiers")
        say(f"note: {len(unknown)} of the history are not in the catalogue: {some_of(unknown)}")
    liked = np.array([number for number in numbers if number not in refused], np.int32)
    ones = np.ones(len(liked), np.float32)
    seen = np.union1d(np.array(numbers + refused, np.int32), tastes_of(shop, [user])[0].seen)
    return Taste(liked, ones, np.zeros_like(ones), np.array(refused, np.int32), seen, interest)


def history_of(shop: Shop, user: str, most: int = SHOWN_HISTORY) -> list[str]:
    """The last liked items of a user, oldest first; empty for an unknown one."""
    taste = tastes_of(shop, [user])[0]
    return [shop.bundle.data.catalogue.ids[number] for number in taste.items[-most:]]


def busiest(shop: Shop, most: int) -> list[str]:
    """Users with the most events, the busiest first."""
    counts = np.bincount(shop.bundle.data.log.users, minlength=len(shop.users))
    return [shop.bundle.data.users[number] for number in np.argsort(-counts, kind="stable")[:most]]


def _latest(items: Sequence[str]) -> list[str]:
    """Each once, at its last place."""
    return list(dict.fromkeys(reversed(items)))[::-1]
