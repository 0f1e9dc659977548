"""What crosses borders inside the recommender: the log, the catalogue, a taste, a suggestion.

Users and items are numbers here (their position in the identifier lists); only the reading and writing
ends know the names. Nothing here knows a file, a model or a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Times = NDArray[np.float64]
Flags = NDArray[np.bool_]

LONGEST = 500
"""How many of a user's latest liked items count, in a taste and in what goes with what."""

#: How much one event of a type says about interest. A type of your own counts 1; negative means "no, thanks".
EVENT_WEIGHTS: Mapping[str, float] = {
    "view": 1.0,
    "click": 2.0,
    "comment": 3.0,
    "share": 4.0,
    "buy": 5.0,
    "not_interested": -3.0,
    "dislike": -3.0,
    "return": -3.0,
}


@dataclass(frozen=True, slots=True)
class Log:
    """Events in time order, one row each.

    Attributes:
        users, items: int32[n], positions in the identifier lists.
        weights: float32[n], interest in [-1, 1]; below zero: not interested.
        positive: bool[n], whether the event is a success worth predicting.
        times: float64[n], ascending; seconds since 1970 UTC, or the row number of a log without times.
    """

    users: Ints
    items: Ints
    weights: Floats
    positive: Flags
    times: Times

    def __len__(self) -> int:
        return len(self.users)

    def rows(self, chosen: slice | NDArray[np.intp] | Flags) -> "Log":
        """The chosen rows, in their order."""
        return Log(
            self.users[chosen],
            self.items[chosen],
            self.weights[chosen],
            self.positive[chosen],
            self.times[chosen],
        )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every item that can be recommended.

    Attributes:
        ids: the item identifiers; their position is the item's number everywhere else.
        titles: what a person is shown.
        texts: what the models read: title, tags, category, description.
        languages: "en", "zh" or "other", per item.
        added: float64[n], when the item came, in the unit of the log's times; NaN where unknown.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    added: Times

    def __len__(self) -> int:
        return len(self.ids)


class Taste(NamedTuple):
    """What is known of one user when a list is made: the single input of every scorer.

    A known user, an edited history and a stated interest all become one of these, so there is one path.

    Attributes:
        items: int32[h], liked items, oldest first, each once (at its latest event).
        weights: float32[h], interest in (0, 1].
        ages: float32[h], share of the log since that event, in [0, 1]; 0 is now.
        disliked: int32[d].
        seen: int32[s], items never to be shown again.
        interest: a sentence, or an empty text.
    """

    items: Ints
    weights: Floats
    ages: Floats
    disliked: Ints
    seen: Ints
    interest: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item stands in a list.

    Attributes:
        kind: interest (words of the sentence), meaning, similar, together, popular, new, or other: none of them.
        text: the reason in English, as the page words it.
        items: history items that speak for it. words: what their texts share with it.
        weight: strength, for the order of one item's reasons.
    """

    kind: str
    text: str
    items: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One place of a list. `score` orders one user's list only; `probability` compares between users."""

    item: str
    score: float
    probability: float
    reasons: tuple[Reason, ...] = ()
