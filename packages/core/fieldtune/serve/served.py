"""The model behind the service: rows of texts -> answers as JSON knows them. Knows no HTTP and no queue."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune.errors import InputError
from fieldtune.models import asked, load
from fieldtune.models.folder import MANIFEST, digest
from fieldtune.models.readable import reads
from fieldtune.models.trained import embedder_of
from fieldtune.serve.rows import Row
from fieldtune.tasks import task_module

BYTES_A_TOKEN = 3  # of UTF-8: right for Chinese, on the safe side for English
LABEL = "p_"
JSON_COLUMNS = ("spans", "boxes")


class Served:
    """A loaded model folder.

    Attributes:
        task, inputs, labels, version: what it does, the columns it reads, its classes (or none), a hash of its manifest.
        encodes: whether it gives vectors.
    """

    def __init__(self, folder: Path) -> None:
        self.model = load(folder)
        self.card: dict[str, Any] = self.model.card
        self.task = str(self.card["task"])
        self.about = task_module(self.task)
        self.inputs = self.about.INPUTS
        if "image" in self.inputs:
            raise InputError("a model that reads texts", f"one for {self.task}, which reads files", "use predict")
        self.labels = [str(label) for label in getattr(self.model, "labels", ())]
        self.version = digest(folder / MANIFEST)[:12]
        self._embedder = embedder_of(self.model)
        self.encodes = self._embedder is not None
        self.predicts = self.task != "embedding"
        self._reading = reads(self.model)

    def length(self, row: Row) -> int:
        """About how many tokens a row costs."""
        size = sum(len(text.encode("utf-8", "surrogatepass")) for text in row.texts)
        tokens = 2 + size // BYTES_A_TOKEN
        return min(tokens, self._reading.at_most(len(row.texts))) if self._reading else tokens

    def compute(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """One answer a row, in order."""
        answers: list[dict[str, Any]] = [{} for _ in rows]
        for verb, answer in (("predict", self._predict), ("encode", self._encode)):
            places = [place for place, row in enumerate(rows) if row.verb == verb]
            if places:
                for place, found in zip(places, answer([rows[place].texts for place in places]), strict=True):
                    answers[place] = found
        return answers

    def warm(self) -> None:
        """Compute once, so that no client waits for the probe of this machine and for first allocations."""
        if self.encodes:
            self.compute([Row("encode", ("warm",))])
        if self.predicts:
            self.compute([Row("predict", ("warm",) * len(self.inputs))])

    def facts(self) -> dict[str, Any]:
        """What ``/info`` tells: the card without what it was made from."""
        card = {name: self.card[name] for name in ("method", "metrics", "rows", "max_length") if name in self.card}
        verbs = [verb for verb, here in (("predict", self.predicts), ("encode", self.encodes)) if here]
        return {"task": self.task, "version": self.version, "labels": self.labels, "inputs": self.inputs,
                "answers": verbs, "card": plain(card)}  # fmt: skip

    def _predict(self, texts: list[tuple[str, ...]]) -> list[dict[str, Any]]:
        table = pd.DataFrame(texts, columns=list(self.inputs), dtype=object)
        found = self.about.predict(self.model, table).to_dict("records")
        return [{**_shaped(one), "truncated": self._shortened(row)} for one, row in zip(found, texts, strict=True)]

    def _encode(self, texts: list[tuple[str, ...]]) -> list[dict[str, Any]]:
        if self._embedder is None:
            raise InputError("a model that embeds texts", f"one for {self.task}", "use /predict")
        vectors = self._embedder.encode([text for (text,) in texts])
        found = zip(vectors, texts, strict=True)
        return [{"vector": vector.tolist(), "truncated": self._shortened(row)} for vector, row in found]

    def _shortened(self, texts: tuple[str, ...]) -> bool:
        """Whether it stopped reading before the end of what it reads of a row."""
        read = asked.texts(texts, asked.hides(self.model))
        return self._reading is not None and bool(self._reading.cut([read])[0])


def _shaped(record: dict[Any, Any]) -> dict[str, Any]:
    """Columns of ``predict`` -> JSON: the ``p_<label>`` columns become one table, texts of JSON what they say."""
    answer: dict[str, Any] = {}
    chances: dict[str, Any] = {}
    for name, value in record.items():
        if "predicted" in record and name.startswith(LABEL):
            chances[name.removeprefix(LABEL)] = value
        else:
            answer[name] = _value(name, value)
    return plain({**answer, **({"probabilities": chances} if chances else {})})  # type: ignore[no-any-return]


def _value(name: str, value: Any) -> Any:
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value


def plain(value: Any) -> Any:
    """The same in JSON's own types: numpy numbers as numbers, what is no finite number as null."""
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
