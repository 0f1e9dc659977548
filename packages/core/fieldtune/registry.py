"""Model versions: candidate -> gate -> promoted -> rolled back. A model only ships if it is better.

An application's folder (the *origin*) stays as it was trained; a promoted version is a copy in FIELDTUNE_HOME, and
what serves is looked up here by origin. Knows nothing of what a model does: it compares scores per held-out item.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlalchemy import Connection, Engine, text

from fieldtune.errors import InputError, RefusedError
from fieldtune.evaluate.significance import paired_bootstrap
from fieldtune.models.folder import MANIFEST, digest, staged, verify
from fieldtune.runtime import home, iso
from fieldtune.store import open_store, statements

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
INCUMBENT = "incumbent"
_ONE_SIDED = 1.645  # standard errors
_FEWEST = 20
"""Items from which on a kind of them can decide; fewer say too little, one least of all."""
UNOPPOSED = "compared with nothing, as nothing that serves and no other candidate was given"

MIGRATIONS = (
    statements(
        "registry 001 versions",
        """CREATE TABLE versions (id TEXT PRIMARY KEY, app TEXT NOT NULL, slot TEXT NOT NULL,
           tenant TEXT NOT NULL DEFAULT 'default', language TEXT NOT NULL DEFAULT '', origin TEXT NOT NULL,
           made_at TEXT NOT NULL, details TEXT NOT NULL)""",
        """CREATE TABLE promotions (position INTEGER PRIMARY KEY, app TEXT NOT NULL, slot TEXT NOT NULL,
           tenant TEXT NOT NULL DEFAULT 'default', language TEXT NOT NULL DEFAULT '', version TEXT NOT NULL,
           previous TEXT, made_at TEXT NOT NULL, reason TEXT NOT NULL)""",
    ),
    statements(
        "registry 002 origins of promotions",  # two folders of equal content are one version, in two places
        "ALTER TABLE promotions ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    ),
)


@dataclass(frozen=True)
class Standing:
    """One candidate in the comparison: its mean score, and the 95 % interval of its gain over the winner's rival."""

    name: str
    score: float
    low: float
    high: float


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


def open_home() -> Engine:
    """The database of versions and feedback in the registry's folder."""
    return open_store(home(), MIGRATIONS)


def gate(
    scores: Mapping[str, ArrayLike],
    rng: np.random.Generator,
    incumbent: str | None = None,
    parts: Mapping[str, ArrayLike] | None = None,
) -> Verdict:
    """Choose what ships from scores on the same held-out items.

    The best mean wins; equal means go to the earlier name, so list the simplest first. An incumbent is replaced only
    when the 95 % interval of the paired bootstrap of the difference lies above zero. Where the items are of several
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
    standings = []
    for name, values in arrays.items():
        interval = paired_bootstrap(values, arrays[incumbent or best], rng)
        standings.append(Standing(name, means[name], interval.low, interval.high))
    if incumbent is None:
        reason = f"{best} scores {means[best]:.4f}, " + (f"the best of {len(arrays)}" if len(arrays) > 1 else UNOPPOSED)
        return Verdict(True, best, reason, tuple(standings))
    kinds = _kinds(parts or {}, len(arrays[incumbent]))
    losses = {name: _losses(values, arrays[incumbent], kinds) for name, values in arrays.items()}
    if losses[best]:
        fitting = {name: values for name, values in scores.items() if not losses[name]}
        if len(fitting) > 1:
            shipped = gate(fitting, rng, incumbent, parts)
            return Verdict(shipped.promoted, shipped.winner, shipped.reason, tuple(standings))
        reason = f"{best} at {means[best]:.4f} against {means[incumbent]:.4f}, but worse on {'; '.join(losses[best])}"
    elif best == incumbent:
        reason = f"what serves now is the best of {len(arrays)} at {means[incumbent]:.4f}"
    else:
        sure, told = _gains(arrays[best], arrays[incumbent], kinds, rng)
        reason = f"{best} is {'surely' if sure else 'not surely'} better than what serves now: {told}"
        if sure:
            return Verdict(True, best, reason, tuple(standings))
    return Verdict(False, incumbent, reason, tuple(standings))


def _kinds(parts: Mapping[str, ArrayLike], n: int) -> dict[str, Flags]:
    """The kinds of items that are numerous enough to compare on; all items as one where there are not two."""
    kinds = {name: np.asarray(chosen, bool) for name, chosen in parts.items()}
    kinds = {name: own for name, own in kinds.items() if own.sum() >= _FEWEST}
    return kinds if len(kinds) > 1 else {"": np.ones(n, bool)}


def _losses(values: Array, incumbent: Array, kinds: Mapping[str, Flags]) -> list[str]:
    """The kinds of items on which a candidate is surely worse than what serves, with both figures."""
    found = []
    for name, own in kinds.items():
        gain = values[own] - incumbent[own]
        if name and gain.mean() < -_ONE_SIDED * gain.std() / np.sqrt(len(gain)):
            found.append(f"{name} ({values[own].mean():.4f} against {incumbent[own].mean():.4f})")
    return found


def _gains(values: Array, incumbent: Array, kinds: Mapping[str, Flags], rng: np.random.Generator) -> tuple[bool, str]:
    """Whether a candidate is surely better on one kind of item (Bonferroni over the kinds), and every gain in words."""
    level, sure, told = 1 - 0.05 / len(kinds), False, []
    for name, own in kinds.items():
        gain = paired_bootstrap(values[own], incumbent[own], rng, level=level)
        sure |= gain.low > 0
        figures = f"{incumbent[own].mean():.4f} to {values[own].mean():.4f}"
        interval = f"{100 * level:.4g} % interval of the gain {gain.low:+.4f} to {gain.high:+.4f}"
        told.append(f"{name or 'all rows'} {figures} ({interval})")
    return sure, "; ".join(told)


def publish(
    app: str,
    origin: Path,
    candidates: Mapping[str, Path | None],
    scores: Mapping[str, ArrayLike],
    *,
    rng: np.random.Generator,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    scored: Path | None = None,
    parts: Mapping[str, ArrayLike] | None = None,
) -> Verdict:
    """Put the best candidate into service for ``origin``, or refuse and say why.

    Args:
        app: the application, e.g. ``"monitor"``.
        origin: the application's folder; its name is the slot.
        candidates: name -> folder to ship; None for one shown for comparison only. ``"incumbent"`` is what serves now.
        scores: name -> score per held-out item; a name with None for a folder can win only on paper: then nothing
            is promoted.
        rng: for the bootstrap.
        now: recorded with the version.
        details: kept with the version.
        scored: what :func:`serving` gave when the scores were taken; None promotes whatever has happened since.
        parts: as in :func:`gate`.

    Raises:
        RefusedError: by now something else serves than what was scored, e.g. after a rollback.
    """
    origin = Path(origin).resolve()
    engine = open_home()
    with engine.begin() as connection:
        serving_now = _unchanged(connection, app, origin, scored)
    known = INCUMBENT if INCUMBENT in scores and serving_now else None
    verdict = gate({name: values for name, values in scores.items() if name != INCUMBENT or known}, rng, known, parts)
    folder = candidates.get(verdict.winner)
    if not verdict.promoted or folder is None:
        return Verdict(False, verdict.winner, verdict.reason, verdict.standings)
    version = _store(folder, app)
    record = {
        **(details or {}),
        "winner": verdict.winner,
        "reason": verdict.reason,
        "standings": verdict.as_dict()["standings"],
    }
    with engine.begin() as connection:
        _unchanged(connection, app, origin, scored)  # again: storing the files took time
        _record(connection, app, origin, version, record, now)
        _promote(connection, app, origin, version, verdict.reason, now)
    return Verdict(True, verdict.winner, verdict.reason, verdict.standings, version)


def serving(app: str, origin: Path) -> Path:
    """The folder to load for ``origin``: its promoted version, or ``origin`` itself when the registry knows none."""
    origin = Path(origin).resolve()
    if not (home() / "fieldtune.db").is_file():
        return origin
    with open_home().begin() as connection:
        version = _current(connection, app, slot_of(origin))
    return version_folder(version) if version else origin


def put_back(app: str, origin: Path) -> None:
    """Have ``origin`` hold what serves for it: for training that wrote a candidate over it which was then refused.

    So a copy of the folder, or a registry elsewhere, never serves what was refused.
    """
    place, origin = serving(app, origin), Path(origin).resolve()
    if place != origin:
        _copy(place, origin)


def version_of(folder: Path) -> str:
    """The version a folder is: a hash of its manifest."""
    return digest(Path(folder) / MANIFEST)[:12]


def origins(app: str) -> list[Path]:
    """The application's folders that have something in service, the most recently promoted first."""
    with open_home().begin() as connection:
        rows = connection.execute(
            text(
                """SELECT origin, MAX(position) AS newest FROM promotions WHERE app = :app
                   GROUP BY origin ORDER BY newest DESC"""
            ),
            {"app": app},
        )
        return [Path(row[0]) for row in rows]


def slot_of(origin: Path) -> str:
    """The folder's name, made unique by a hash of its place: two folders of one name do not share a slot."""
    return f"{origin.name}-{hashlib.sha256(str(origin).encode()).hexdigest()[:6]}"


def names(origin: Path) -> tuple[str, ...]:
    """What a user may call an application's folder."""
    return origin.name, str(origin), slot_of(origin)


def origin_of(app: str, slot: str | None = None) -> Path | None:
    """The application's folder by name or path; without either the one promoted last. None where nothing serves.

    Raises:
        InputError: several folders have this name.
    """
    known = origins(app)
    if slot is None:
        return known[0] if known else None
    named = [origin for origin in known if slot in names(origin)]
    found = [origin for origin in named if origin.is_dir()] or named
    if len(found) > 1:
        raise InputError(
            f"the name of one folder of the {app}",
            f"{slot!r}, which {len(found)} have",
            "name it by " + " or ".join(map(slot_of, found)),
        )
    return found[0] if found else None


def rollback(app: str, slot: str | None = None, *, now: datetime) -> str:
    """Put the version before the present one back into service; returns its id.

    Args:
        slot: which of the application's folders, by its name or path; None for the one promoted last.

    Raises:
        RefusedError: there is none.
    """
    origin = origin_of(app, slot)
    with open_home().begin() as connection:
        row = connection.execute(
            text(
                """SELECT slot, version, previous FROM promotions WHERE app = :app AND origin = :origin
                   ORDER BY position DESC LIMIT 1"""
            ),
            {"app": app, "origin": str(origin)},
        ).first()
        if row is None or row[2] is None:
            raise RefusedError(
                f"an earlier version of {app}",
                "none" if row is None else "only the first one",
                "see: fieldtune models list",
            )
        verify(version_folder(row[2]))
        before = connection.execute(
            text(
                """SELECT previous FROM promotions WHERE app = :app AND slot = :slot AND version = :version
                   ORDER BY position LIMIT 1"""
            ),
            {"app": app, "slot": row[0], "version": row[2]},
        ).scalar()
        _insert_promotion(connection, app, Path(str(origin)), row[2], before, f"rolled back from {row[1]}", now)
        return str(row[2])


def reinstate(app: str, origin: Path, version: str, *, now: datetime) -> None:
    """Put a version that has served for ``origin`` before back into service: the way forward after a rollback.

    Raises:
        RefusedError: it never did.
    """
    origin = Path(origin).resolve()
    with open_home().begin() as connection:
        served = connection.execute(
            text("SELECT 1 FROM promotions WHERE app = :app AND slot = :slot AND version = :version LIMIT 1"),
            {"app": app, "slot": slot_of(origin), "version": version},
        ).first()
        if served is None:
            raise RefusedError(f"a version that has served for {origin}", version, "see: fieldtune models list")
        verify(version_folder(version))
        _promote(connection, app, origin, version, "reinstated", now)


def versions() -> list[dict[str, Any]]:
    """Every version with its application, slot, origin, time, details, and whether it serves now."""
    with open_home().begin() as connection:
        rows = connection.execute(text("SELECT * FROM versions ORDER BY made_at, id")).mappings().all()
        slots = connection.execute(text("SELECT DISTINCT app, slot FROM promotions")).all()
        current = {_current(connection, app, slot) for app, slot in slots}
        return [{**row, "details": json.loads(row["details"]), "serving": row["id"] in current} for row in rows]


def version_folder(version: str) -> Path:
    """Where a version's files lie."""
    return home() / "versions" / version


def _store(folder: Path, app: str) -> str:
    verify(folder)
    version = f"{app}-{version_of(folder)}"
    target = version_folder(version)
    if target.is_dir():
        verify(target)
        return version
    _copy(folder, target)
    return version


def _copy(folder: Path, target: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    details = {key: value for key, value in manifest.items() if key != "files"}
    with staged(target, details) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
        (temporary / MANIFEST).unlink()


def _current(connection: Connection, app: str, slot: str) -> str | None:
    return connection.execute(
        text("SELECT version FROM promotions WHERE app = :app AND slot = :slot ORDER BY position DESC LIMIT 1"),
        {"app": app, "slot": slot},
    ).scalar()


def _unchanged(connection: Connection, app: str, origin: Path, scored: Path | None) -> str | None:
    """What serves for `origin`; refused when it is not what was scored."""
    present = _current(connection, app, slot_of(origin))
    if scored is not None:
        known = scored.name if scored == version_folder(scored.name) else None
        if present != known:
            raise RefusedError(
                f"{known or 'nothing'} in service for {origin}, as when the candidates were compared",
                f"{present} by now",
                "run the command again, to compare with what serves now",
            )
    return present


def _record(
    connection: Connection, app: str, origin: Path, version: str, details: Mapping[str, Any], now: datetime
) -> None:
    connection.execute(
        text(
            """INSERT INTO versions (id, app, slot, origin, made_at, details)
               VALUES (:id, :app, :slot, :origin, :now, :details) ON CONFLICT (id) DO NOTHING"""
        ),
        {
            "id": version, "app": app, "slot": slot_of(origin), "origin": str(origin), "now": iso(now),
            "details": json.dumps(details, default=str, sort_keys=True),
        },
    )  # fmt: skip


def _promote(connection: Connection, app: str, origin: Path, version: str, reason: str, now: datetime) -> None:
    previous = _current(connection, app, slot_of(origin))
    if previous != version:
        _insert_promotion(connection, app, origin, version, previous, reason, now)


def _insert_promotion(
    connection: Connection, app: str, origin: Path, version: str, previous: str | None, reason: str, now: datetime
) -> None:
    connection.execute(
        text(
            """INSERT INTO promotions (app, slot, origin, version, previous, made_at, reason)
               VALUES (:app, :slot, :origin, :version, :previous, :now, :reason)"""
        ),
        {
            "app": app, "slot": slot_of(origin), "origin": str(origin), "version": version, "previous": previous,
            "now": iso(now), "reason": reason,
        },
    )  # fmt: skip
