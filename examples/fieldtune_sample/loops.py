"""The learning loop, the same for every application: careless users are refused, honest ones make it better, a rollback
restores what was.

Every figure is taken on rows that no feedback touched. Knows applications by their commands and by the functions their
pages use; not what the report shows.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldtune import feedback, registry
from fieldtune.errors import RefusedError
from fieldtune.progress import say
from fieldtune.runtime import now
from fieldtune_sample.steps import command

RANDOM_SHARE = 0.3
HONEST = 0.0


@dataclass(frozen=True)
class Loop:
    """One application as its loop sees it.

    Attributes:
        app, origin: as the registry knows them. headline: the figure of `look` that tells better from worse.
        speak: (share of random statements) -> what was said, by kind; writes feedback rows.
        look: figures of what serves now on rows no feedback touched, and its answers as bytes that depend on nothing
            but the version.
        rows: the headline of every single row of the last look, in an order that stays: their mean is the headline.
        apart: whether to learn in a process of its own.
    """

    app: str
    origin: Path
    headline: str
    speak: Callable[[float], Counter[str]]
    look: Callable[[], tuple[Mapping[str, Any], bytes]]
    rows: Callable[[], Sequence[float]]
    apart: bool = False


def turn(loop: Loop) -> dict[str, Any]:
    """Once round the loop; what serves at the end is the better version where there is one.

    Returns:
        promoted, before, after (the headline), refused_with_noise, rollback_identical, and how it came about. May be
        run again after an interruption: it starts from the version that was trained.
    """
    base = _reset(loop)
    first, shown = loop.look()
    said_badly = _say(loop, RANDOM_SHARE)
    noisy = _learn(loop)
    if noisy["promoted"]:
        _reset(loop)
    said = _say(loop, HONEST)
    honest = _learn(loop)
    second, answers = loop.look() if honest["promoted"] else (first, shown)
    identical = None
    if honest["promoted"]:
        command("models", "rollback", loop.app)
        identical = loop.look()[1] == shown
        registry.reinstate(loop.app, loop.origin, honest["version"], now=now())
    return {
        "promoted": honest["promoted"],
        "before": first[loop.headline],
        "after": second[loop.headline],
        "refused_with_noise": not noisy["promoted"],
        "rollback_identical": identical,
        "headline": loop.headline,
        "figures_before": dict(first),
        "figures_after": dict(second),
        "answers_changed": answers != shown,
        "answers_sha256": {"before": _hash(shown), "after": _hash(answers)},
        "honest": {"said": dict(said), **honest},
        "careless": {"said": dict(said_badly), "random_share": RANDOM_SHARE, **noisy},
        "base": base,
    }


def _learn(loop: Loop) -> dict[str, Any]:
    verdict = command("feedback", "retrain", loop.app, apart=loop.apart)
    say(f"    {verdict['reason']}")
    return verdict


def _say(loop: Loop, random_share: float) -> Counter[str]:
    _forget(loop.app)
    said = loop.speak(random_share)
    say(f"    {loop.app}: " + ", ".join(f"{count} x {kind}" for kind, count in sorted(said.items())))
    return said


def _forget(app: str) -> None:
    """Erase every user of the application, as `feedback erase --user` does for one."""
    with registry.open_home().begin() as connection:
        for user in sorted({row.user for row in feedback.rows(connection, app)}):
            feedback.erase(connection, user)


def _reset(loop: Loop) -> str:
    """Roll back to the version that was trained, and say which."""
    while True:
        serving = registry.serving(loop.app, loop.origin)
        try:
            command("models", "rollback", loop.app)
        except RefusedError:
            return serving.name


def _hash(answers: bytes) -> str:
    return hashlib.sha256(answers).hexdigest()[:16]
