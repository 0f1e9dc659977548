"""Active learning from a folder and a table: pool -> doubts -> the next rows, and whether enough are labelled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.data.checks import text_key
from fieldtune.data.queue import Queue
from fieldtune.data.read import first_row, read_table
from fieldtune.errors import InputError
from fieldtune.infer.cache import Cache
from fieldtune.models.features import EncoderFeatures
from fieldtune.models.folder import MANIFEST, digest
from fieldtune.models.trained import Classifier, load
from fieldtune.runtime import generator
from fieldtune.train.active import agreement, choose_rows, doubt, enough

NAME_IT = "name it with --text COLUMN"
_PLANE = 256


@dataclass(frozen=True)
class Pool:
    """Texts that may be asked for, each once, and the model that judges them.

    Attributes:
        texts: in the order of the table.
        places: their rows in it, as the file numbers them.
        model: a classifier of texts, embeddings kept between runs.
        name: changes whenever the model does.
    """

    texts: list[str]
    places: list[int]
    model: Classifier
    name: str

    @classmethod
    def read(cls, table: Path, folder: Path, text: str) -> "Pool":
        """Load both.

        Raises:
            InputError: the model does not sort texts into classes, or the table has no such column.
        """
        model = load(folder)
        if not isinstance(model, Classifier):
            kind = getattr(model, "card", {}).get("task", "something else")
            raise InputError("a model for text-classification", f"one for {kind}", "give another --model")
        if isinstance(model.features, EncoderFeatures):
            model.features = EncoderFeatures(model.features.encoder, model.features.max_length, Cache())
        first: dict[str, tuple[int, str]] = {}
        for place, one in enumerate(read_table(table, [text], hint=NAME_IT)[text].fillna("").astype(str)):
            if one.strip():
                first.setdefault(text_key(one), (place, one))
        if not first:
            raise InputError(f"texts in column {text!r}", f"none in {table}", "check the table")
        places, texts = zip(*first.values(), strict=True)
        return cls(list(texts), [place + first_row(table) for place in places], model, digest(folder / MANIFEST))


def next_rows(pool: Pool, queue: Queue, known: list[str], strategy: str, count: int, seed: int) -> list[dict[str, Any]]:
    """At most ``count`` rows: those that still wait, then new ones, which are put into the queue.

    Args:
        known: texts with a label that the queue does not hold.

    Returns:
        Per row its place in the table, text, the model's guess and its probability.
    """
    waiting = queue.waiting()[:count]
    closed = queue.known() | {text_key(text) for text in known}
    free = [place for place, text in enumerate(pool.texts) if text_key(text) not in closed]
    texts = [pool.texts[place] for place in free]
    if texts and len(waiting) < count:
        vectors = _vectors(pool.model, texts)
        labelled = _vectors(pool.model, [*queue.labelled()["text"], *known])
        doubts = doubt(pool.model.probabilities(texts))
        turn = generator(seed + len(closed))  # another draw each turn, the same after a crash
        chosen = choose_rows(strategy, doubts, vectors, labelled, count - len(waiting), turn)
        new = [(pool.places[free[row]], texts[row]) for row in chosen]
        queue.ask(new)
        waiting += new
    return _shown(pool.model, waiting)


def turn(pool: Pool, queue: Queue, watched: int, seed: int) -> tuple[list[float], bool]:
    """Compare the model with the one before on the same rows; the agreements so far, and whether they are enough."""
    rows = np.sort(generator(seed).permutation(len(pool.texts))[:watched])
    before = queue.turns()
    if pool.name not in {name for name, _, _ in before}:
        probabilities = pool.model.probabilities([pool.texts[row] for row in rows])
        now = [pool.model.labels[place] for place in probabilities.argmax(axis=1)]
        same = before and len(before[-1][1]) == len(now)
        queue.remember(pool.name, now, agreement(before[-1][1], now) if same else None)
    agreements = [found for _, _, found in queue.turns() if found is not None]
    return agreements, enough(agreements)


def _vectors(model: Classifier, texts: list[str]) -> NDArray[np.float32]:
    """Unit vectors; n-grams are thrown on few dimensions at random, which keeps angles (Johnson and Lindenstrauss 1984)."""
    found = model.features(texts)
    if isinstance(found, np.ndarray):
        return found
    plane = generator(0).standard_normal((found.shape[1], _PLANE), dtype=np.float32)
    dense = found @ plane
    return np.asarray(dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _shown(model: Classifier, rows: list[tuple[int, str]]) -> list[dict[str, Any]]:
    if not rows:
        return []
    probabilities = model.probabilities([text for _, text in rows])
    best = probabilities.argmax(axis=1)
    return [
        {"row": place, "text": text, "predicted": model.labels[best[number]], "probability": float(probabilities[number, best[number]])}
        for number, (place, text) in enumerate(rows)
    ]  # fmt: skip
