"""A version folder becomes an open shop: what serves, in memory, at the end of its log.

Knows no list and no page: :mod:`fieldtune_recommender.wire` makes the lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune import registry
from fieldtune.errors import InputError
from fieldtune.models.folder import MANIFEST
from fieldtune.progress import say
from fieldtune.runtime import now
from fieldtune_recommender import bundle, lists, methods, signals
from fieldtune_recommender.bundle import Bundle
from fieldtune_recommender.records import Floats
from fieldtune_recommender.signals import World

END_OF_LOG = float("inf")
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
    world = next(iter(methods.worlds(one.data, END_OF_LOG, vectors, now().timestamp()).by_vectors.values()))
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


def serving_version(folder: Path) -> str:
    """The version that serves for `folder` at this moment."""
    place = registry.serving(bundle.APP, folder)
    if not (place / MANIFEST).is_file():
        raise InputError("a trained recommender", f"none at {place}", "run: fieldtune recommender train")
    return registry.version_of(place)


def hears(shop: Shop, interest: str) -> bool:
    """Whether a sentence leads the order of a list: some item shares a word with it or comes near it in meaning."""
    return bool(interest) and signals.asked(interest, shop.world) is not None


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
