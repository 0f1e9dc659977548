"""``models export``: which texts a graph is compared on, and the export itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fieldtune.data.checks import OUT_OF_SCOPE
from fieldtune.errors import InputError
from fieldtune.infer.export import export
from fieldtune.models import Classifier, Embedder, load
from fieldtune.tasks import task_module

PROBE = (
    "a", "I lost my card.", "Where is my order 42?", "refund", "我的银行卡丢了，怎么办？", "???", "Profits fell 3 % in May",
    "The parcel came late, the box was broken, and nobody has answered my three messages since. " * 3,
)  # fmt: skip
"""Texts of several lengths and scripts, where the user gives none."""


def export_model(
    folder: Path,
    out: Path,
    data: Path | None,
    *,
    int8: bool = False,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Load, compare on the rows of ``data`` (or on :data:`PROBE`), write; see :func:`fieldtune.infer.export.export`.

    Raises:
        InputError: a model of another task.
    """
    model = load(folder)
    if not isinstance(model, (Classifier, Embedder)):
        raise InputError(
            "a text classifier or an embedding model", f"a model for {model.card['task']}", "serve it as it is"
        )
    if data is None:
        return export(model, out, PROBE, int8=int8)
    about = task_module(model.card["task"])
    table = about.read(data, rename=rename, labels=labels)
    if not isinstance(model, Classifier):
        return export(model, out, about.texts(table), int8=int8)
    table = table[table["label"] != OUT_OF_SCOPE]
    return export(model, out, about.texts(table), labels=table["label"].tolist(), int8=int8)
