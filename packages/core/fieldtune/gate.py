"""The gate: a model only ships if it is better. Scores on the same held-out items -> what ships, and why.

Pure; knows nothing of folders, versions and what a model does.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fieldtune.errors import InputError
from fieldtune.evaluate.figures import brief
from fieldtune.evaluate.significance import chance_of_gain, paired_bootstrap

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
INCUMBENT = "incumbent"
UNOPPOSED = "compared with nothing: it is the only candidate, and nothing serves yet"
_ONE_SIDED = 1.645  # standard errors
FEWEST = 20
"""Items from which on a kind of them can decide, or all of them together; fewer say too little, one least of all."""


@dataclass(frozen=True)
class Standing:
    """One candidate in the comparison: its mean score, and the 95 % interval of its gain over what serves.

    Where nothing serves, over the winner.
    """

    name: str
    score: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class Verdict:
    """What the gate decided and why; ``version`` is set once something was promoted.

    A single candidate without an incumbent is promoted too, as there has to be a first version; ``compared`` is then
    False, and the reason says so.
    """

    promoted: bool
    winner: str
    reason: str
    standings: tuple[Standing, ...]
    version: str | None = None

    @property
    def compared(self) -> bool:
        """Whether there was anything to compare with."""
        return len(self.standings) > 1

    def as_dict(self) -> dict[str, Any]:
        """For reports and ``--json``."""
        return {**asdict(self), "compared": self.compared}


def decide(
    scores: Mapping[str, ArrayLike],
    rng: np.random.Generator,
    incumbent: str | None = None,
    parts: Mapping[str, ArrayLike] | None = None,
) -> Verdict:
    """Choose what ships from scores on the same held-out items.

    The best mean wins; equal means go to the earlier name, so list the simplest first. An incumbent is replaced only on
    20 items or more, when the 95 % interval of the paired bootstrap of the difference lies above zero and the paired
    permutation test agrees: where few items differ, the bootstrap is sure too soon. Where the items are of several
    kinds, each is a comparison of its own, for how many there are of each is chance: something has to be surely better
    on one of them (the level of the intervals allows for their number) and surely worse on none (one-sided, 95 %).

    Args:
        scores: candidate -> score per held-out item, higher is better; all of one length.
        rng: for the bootstrap.
        incumbent: the name of what serves now, when something does.
        parts: kind of item -> bool per item. A kind of fewer than 20 items is passed over; where not at least two are
            left, all items count as one.

    Returns:
        ``promoted`` is False when the incumbent stays.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    if len({len(values) for values in arrays.values()}) != 1 or not len(next(iter(arrays.values()))):
        raise InputError("scores of every candidate on the same held-out items", "none, or different counts", "rescore")
    means = {name: float(values.mean()) for name, values in arrays.items()}
    best = max(arrays, key=lambda name: means[name])  # max keeps the first of equals
    standings = tuple(_standing(name, values, arrays[incumbent or best], rng) for name, values in arrays.items())
    if incumbent is None:
        others = f"the best of {len(arrays)}" if len(arrays) > 1 else UNOPPOSED
        reason = f"{best} scores {brief(means[best], 4)}, {others}"
        return Verdict(True, best, reason, standings)
    if best != incumbent and len(arrays[incumbent]) < FEWEST:
        reason = (
            f"{len(arrays[incumbent])} held-out rows are too few to replace what serves now, {FEWEST} are the fewest"
        )
        return Verdict(False, incumbent, reason, standings)
    kinds = _kinds(parts or {}, len(arrays[incumbent]))
    losses = {name: _losses(values, arrays[incumbent], kinds) for name, values in arrays.items()}
    if losses[best]:
        fitting = {name: values for name, values in scores.items() if not losses[name]}
        if len(fitting) > 1:
            shipped = decide(fitting, rng, incumbent, parts)
            return Verdict(shipped.promoted, shipped.winner, shipped.reason, standings)
        figures = f"{brief(means[best], 4)} against {brief(means[incumbent], 4)}"
        reason = f"{best} at {figures}, but worse on {'; '.join(losses[best])}"
    elif best == incumbent:
        reason = f"what serves now is the best of {len(arrays)} at {brief(means[incumbent], 4)}"
    else:
        sure, told = _gains(arrays[best], arrays[incumbent], kinds, rng)
        reason = f"{best} is {'surely' if sure else 'not surely'} better than what serves now: {told}"
        if sure:
            return Verdict(True, best, reason, standings)
    return Verdict(False, incumbent, reason, standings)


def _standing(name: str, values: Array, other: Array, rng: np.random.Generator) -> Standing:
    interval = paired_bootstrap(values, other, rng)
    return Standing(name, float(values.mean()), interval.low, interval.high)


def _kinds(parts: Mapping[str, ArrayLike], n: int) -> dict[str, Flags]:
    """The kinds of items that are numerous enough to compare on; all items as one where there are not two."""
    kinds = {name: np.asarray(chosen, bool) for name, chosen in parts.items()}
    kinds = {name: own for name, own in kinds.items() if own.sum() >= FEWEST}
    return kinds if len(kinds) > 1 else {"": np.ones(n, bool)}


def _losses(values: Array, incumbent: Array, kinds: Mapping[str, Flags]) -> list[str]:
    """The kinds of items on which a candidate is surely worse than what serves, with both figures."""
    found = []
    for name, own in kinds.items():
        gain = values[own] - incumbent[own]
        if name and gain.mean() < -_ONE_SIDED * gain.std() / np.sqrt(len(gain)):
            found.append(f"{name} ({brief(values[own].mean(), 4)} against {brief(incumbent[own].mean(), 4)})")
    return found


def _gains(values: Array, incumbent: Array, kinds: Mapping[str, Flags], rng: np.random.Generator) -> tuple[bool, str]:
    """Whether a candidate is surely better on one kind of item (Bonferroni over the kinds), and every gain in words."""
    level, sure, told = 1 - 0.05 / len(kinds), False, []
    for name, own in kinds.items():
        gain = paired_bootstrap(values[own], incumbent[own], rng, level=level)
        chance = chance_of_gain(values[own], incumbent[own], rng)
        sure |= gain.low > 0 and chance <= (1 - level) / 2
        figures = f"{brief(incumbent[own].mean(), 4)} to {brief(values[own].mean(), 4)}"
        within = f"{brief(gain.low, 4, '+')} to {brief(gain.high, 4, '+')}"
        interval = f"{100 * level:.4g} % interval of the gain {within}, by luck {chance:.2g}"
        told.append(f"{name or 'all rows'} {figures} ({interval})")
    return sure, "; ".join(told)
