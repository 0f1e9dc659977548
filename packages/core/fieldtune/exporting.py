"""``models export``: which rows a graph is compared on, and the export itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fieldtune.data.checks import OUT_OF_SCOPE
from fieldtune.data.labels import label_set
from fieldtune.data.read import read_table
from fieldtune.data.tables import SETS
from fieldtune.errors import InputError
from fieldtune.infer.export import export, exportable
from fieldtune.models import Embedder
from fieldtune.tasks import Task, task_module

PROBE = (
    "a", "I lost my card.", "Where is my order 42?", "refund", "我的银行卡丢了，怎么办？", "???", "Profits fell 3 % in May",
    "The parcel came late, the box was broken, and nobody has answered my three messages since. " * 3,
)  # fmt: skip
"""Texts of several lengths and scripts, where the user gives none."""


def export_model(
    model: Any,
    out: Path,
    data: Path | None,
    *,
    int8: bool = False,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Compare on the rows of ``data`` (or on :data:`PROBE`), write; see :func:`fieldtune.infer.export.export`.

    Raises:
        InputError: a model of another kind.
    """
    if not exportable(model):
        raise InputError(
            "a head on an encoder's vectors of texts", f"a model for {model.card['task']} by {model.card['method']}",
            "serve it as it is",
        )  # fmt: skip
    about = task_module(model.card["task"])
    if data is None:
        sides = (list(PROBE), list(reversed(PROBE)))  # of pairs the second text is another
        return export(model, out, _rows(dict(zip(about.INPUTS, sides, strict=False))), int8=int8)
    if isinstance(model, Embedder):
        return export(model, out, about.texts(about.read(data, rename=rename)), int8=int8)
    rows, right = _given(about, data, rename or {}, labels, several=model.card["task"] in SETS)
    return export(model, out, rows, labels=right, int8=int8)


def _given(
    about: Task, data: Path, rename: Mapping[str, str], labels: Mapping[str, str] | None, *, several: bool
) -> tuple[list[Any], list[Any] | None]:
    """The rows of a table as the model reads them, and their labels where it has a column of them."""
    wanted = [rename.get(name, name) for name in about.INPUTS]
    bare = read_table(data, wanted)
    if rename.get("label", "label") not in bare:
        return _rows(
            {name: bare[own].astype(str).tolist() for name, own in zip(about.INPUTS, wanted, strict=True)}
        ), None
    table = about.read(data, rename=rename, labels=labels)
    table = table[table["label"] != OUT_OF_SCOPE]
    right = [label_set(cell) for cell in table["label"]] if several else table["label"].tolist()
    return _rows({name: table[name].tolist() for name in about.INPUTS}), right


def _rows(columns: Mapping[str, list[str]]) -> list[Any]:
    """Texts, or tuples of two."""
    found = list(zip(*columns.values(), strict=True))
    return [row[0] for row in found] if len(columns) == 1 else found
