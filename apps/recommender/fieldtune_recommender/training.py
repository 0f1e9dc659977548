"""Train: log and catalogue -> windows -> tower -> rankers -> held-out comparison -> version folder -> gate.

Readable top to bottom; every step is another module's. Nothing after the test cut is looked at before the
comparison, and nothing after the ranker's cut teaches the tower.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune import gate, registry
from fieldtune.errors import InputError
from fieldtune.models.folder import locked, replaceable
from fieldtune.models.readable import readable
from fieldtune.progress import say, track
from fieldtune.runtime import generator
from fieldtune_recommender import (
    bundle,
    evaluation,
    features,
    interests,
    measuring,
    methods,
    pairs,
    ranker,
    scoring,
    texts,
    timecut,
)
from fieldtune_recommender.bundle import METHODS, Bundle
from fieldtune_recommender.reading import Dataset, told
from fieldtune_recommender.records import Floats
from fieldtune_recommender.schema import Schema

RANKER_USERS = 3000
POPULARITY_COLUMN = features.ITEM.index("popularity_0.03")


@dataclass(frozen=True, slots=True)
class Options:
    """How to train.

    Attributes:
        model: the pretrained encoder to start from.
        steps: optimizer steps of the text tower; 0 leaves it frozen.
        min_positives: users with fewer positive events before the cut are shown apart, not in the headline.
        seed: of pairs, batches, trees and bootstrap.
        threads: of LightGBM.
        settings: changes to the tower's training settings.
    """

    model: str = "default"
    steps: int = int(texts.SETTINGS["max_steps"])
    min_positives: int = evaluation.MIN_POSITIVES
    seed: int = 0
    threads: int = 2
    settings: Mapping[str, Any] = field(default_factory=dict)


def train(
    data: Dataset, schema: Schema, out: Path, options: Options, *, now: datetime, progress: bool
) -> dict[str, Any]:
    """Train, compare on the held-out last fifth, write `out`, and publish the best through the gate.

    Returns:
        What was found, as printed by the command: the figures of every method and rival, and the verdict.

    Raises:
        InputError: the log is too short or too sparse to hold anything out.
        RefusedError: another process trains into `out`, or something else serves by the end.
    """
    replaceable(out, bundle.APP)
    with _in_view_of(data):
        cuts = timecut.windows(data.log)
    with locked(out):
        return _trained(data, schema, out, cuts, options, now=now, progress=progress)


def _trained(
    data: Dataset, schema: Schema, out: Path, cuts: timecut.Windows, options: Options, *, now: datetime, progress: bool
) -> dict[str, Any]:
    vectors, encoders = _vectors(data, cuts, out, options, progress)
    with _in_view_of(data):
        rankers, knots = grow(data, [cuts], vectors, seed=options.seed, threads=options.threads, progress=progress)
    card = {
        "model": options.model,
        "seed": options.seed,
        "steps": options.steps,
        "min_positives": options.min_positives,
    }
    fresh = Bundle(data, schema, cuts.test, cuts.ranker, "recent_popularity", vectors, rankers, knots, card)
    measured = measuring.held_out(fresh, rng=generator(options.seed), progress=progress)
    candidates = {name: measured.scores[name] for name in METHODS if name in measured.scores}
    winner = gate.decide(candidates, generator(options.seed)).winner
    result = measured.summary(winner, generator(options.seed))
    best = Bundle(data, schema, cuts.test, cuts.ranker, winner, vectors, rankers, knots, {**card, "held_out": result})
    place = registry.serving(bundle.APP, out)
    scores = measuring.beside_incumbent(best, measured, out, place, rng=generator(options.seed), progress=progress)
    bundle.write(best, out, encoders.get(METHODS[winner] or ""))
    _clear(out)
    verdict = registry.publish(
        bundle.APP,
        out,
        {name: out if name == winner else None for name in candidates},
        scores,
        rng=generator(options.seed),
        now=now,
        details={"cut": cuts.test, "users": len(measured.queries.users)},
        scored=place,
    )
    if not verdict.promoted:
        registry.put_back(bundle.APP, out)
    return {"model": str(out), **result, "repairs": dict(data.repairs), "verdict": verdict.as_dict()}


@contextlib.contextmanager
def _in_view_of(data: Dataset) -> Iterator[None]:
    """Have a complaint of too little say what the log holds: a wrong column leaves little of it."""
    try:
        yield
    except InputError as error:
        positive = int(data.log.positive.sum())
        holds = (
            f"{len(data.log)} events ({positive} positive) of {len(data.users)} users and {len(data.catalogue.ids)} "
            f"items, {'with' if data.has_time else 'without'} times; {told(data.repairs)}"
        )
        raise InputError(error.expected, f"{error.found} in {holds}", error.fix) from error


def _vectors(
    data: Dataset, cuts: timecut.Windows, out: Path, options: Options, progress: bool
) -> tuple[dict[str, Floats], dict[str, Any]]:
    """Frozen vectors, and tuned ones where there is something to learn from; and their encoders."""
    frozen = texts.encoder(options.model)
    encoders: dict[str, Any] = {"frozen": frozen}
    rows = pairs.table(
        timecut.before(data.log, cuts.ranker),
        data.catalogue,
        options.steps * int(texts.SETTINGS["batch_rows"]),
        generator(options.seed),
        allowed=readable(frozen, list(data.catalogue.texts)),
    )
    if options.steps and len(rows) >= 100:
        encoders["tuned"] = texts.tune(
            rows,
            options.model,
            _work(out, rows, options),
            settings={"max_steps": options.steps, **options.settings},
            seed=options.seed,
            progress=progress,
        )
    elif progress:
        why = (
            "no steps asked for" if not options.steps else f"only {len(rows)} pairs of items liked one after the other"
        )
        say(f"the text model stays as it was pretrained: {why}")
    return {name: texts.encode(one, data.catalogue) for name, one in encoders.items()}, encoders


def grow(
    data: Dataset,
    windows: Sequence[timecut.Windows],
    vectors: Mapping[str, Floats],
    *,
    seed: int,
    threads: int,
    progress: bool,
    only: str = "",
) -> tuple[dict[str, ranker.Ranker], np.ndarray]:
    """Train the rankers on the ranker's windows; and the knots of recent popularity's probability.

    Args:
        only: grow this method alone (and none where it is recent popularity).
    """
    reads = {
        name: kind
        for name, kind in METHODS.items()
        if name != "recent_popularity" and only in ("", name) and (kind is None or kind in vectors)
    }
    rng = generator(seed)
    made = _examples(data, windows, vectors, reads or {"without_text": None}, rng, progress)
    rankers = {
        name: ranker.fit(
            made[name],
            features.names(kind is not None),
            features.rising(kind is not None),
            seed=seed,
            threads=threads,
        )
        for name, kind in track(reads.items(), "growing trees", len(reads), show=progress)
    }
    any_method = next(iter(made.values()))
    knots = ranker.calibration([one.features[:, POPULARITY_COLUMN] for one in any_method], any_method)
    return rankers, knots


def _examples(
    data: Dataset,
    windows: Sequence[timecut.Windows],
    vectors: Mapping[str, Floats],
    reads: Mapping[str, str | None],
    rng: np.random.Generator,
    progress: bool,
) -> dict[str, list[ranker.Examples]]:
    """Every user who took something new in a window, those without a past included; a sample where they are many.

    Args:
        reads: method -> the vectors it reads.
    """
    wanted: dict[str, Floats | None] = {name: own for name, own in vectors.items() if name in reads.values()}
    made: dict[str, list[ranker.Examples]] = {name: [] for name in reads}
    for cuts in windows:
        worlds = methods.worlds(data, cuts.ranker, wanted or {"": None})
        past, future = evaluation.halves(data.log, cuts.ranker, cuts.test)
        queries = evaluation.queries(past, future, worlds.any.snapshot.known, len(data.users))
        most = RANKER_USERS // len(windows)
        if len(queries.users) > most:
            queries = queries.take(np.sort(rng.choice(len(queries.users), most, replace=False)))
        tastes: Sequence[Any] = interests.tastes(past, queries.users, len(data.users))
        users = track(tastes, "features", len(tastes), show=progress)
        for found in scoring.examples(users, queries.relevant, worlds, reads):
            for name, (table, taken) in found.items():
                made[name].append(ranker.thinned(ranker.Examples(table, taken), rng))
    if not next(iter(made.values())):
        raise InputError(f"users who took something new in {ranker.WHEN}", "none", "give a longer log")
    return made


def _work(out: Path, rows: pd.DataFrame, options: Options) -> Path:
    """Where an interrupted tower of exactly this data and these options waits to be continued."""
    told = hashlib.sha256(f"{options}".encode())
    told.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return out.parent / f".{out.name}.tower-{told.hexdigest()[:12]}"


def _clear(out: Path) -> None:
    """Towers of this and of abandoned runs are not needed once the folder is written."""
    for left in out.parent.glob(f".{out.name}.tower-*"):
        shutil.rmtree(left, ignore_errors=True)
    for lock in out.parent.glob(f"..{out.name}.tower-*.lock"):
        lock.unlink(missing_ok=True)
