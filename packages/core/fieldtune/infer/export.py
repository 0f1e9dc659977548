"""A model folder -> the same model with its encoder as an ONNX graph, float32 or int8, behind the gates of ``parity``.

What comes out is a model folder like any other: ``predict``, ``evaluate`` and ``serve`` take it, and other runtimes take
its ``model.onnx``. A folder that fails its gate is not written.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.errors import ArtefactError, InputError
from fieldtune.infer.int8 import quantise
from fieldtune.infer.onnx_graph import OnnxFeatures, library
from fieldtune.infer.parity import Exportable, Row, apart, compare, judge, reader_of, texts_of, with_reader
from fieldtune.infer.tracing import write_graph
from fieldtune.models import asked
from fieldtune.models.folder import MANIFEST, staged
from fieldtune.models.pairs import Reranker
from fieldtune.models.regressor import Regressor
from fieldtune.models.trained import GRAPH, save_page


def exportable(model: Any) -> bool:
    """Whether what the model computes is a head on an encoder's vector of a text, which a graph can give."""
    return isinstance(model, Exportable) and reader_of(model) is not None


def export(
    model: Exportable, out: Path, probe: Sequence[Row], *, labels: Sequence[Any] | None = None, int8: bool = False
) -> dict[str, Any]:
    """Write the model with an ONNX graph to ``out``.

    Args:
        model: an encoder's vector of a text, and a head on it.
        out: the folder to write.
        probe: texts, or pairs of them, to compare both on; for int8 held-out ones: some are set apart to measure
            its scales on, the others judge it, see :func:`fieldtune.infer.parity.apart`.
        labels: the right answer of each row, if known; several labels as a tuple.

    Returns:
        texts, compared_in, max_difference and mean_cosine of vectors, answers_difference (the largest of a probability, a
        value or a score), same_answers (of labels), same_scope, accuracy, accuracy_exact and the standard error of their difference (with
        labels), megabytes.

    Raises:
        InputError: a model that is nothing of the kind; int8 of one that neither labels nor embeds.
        ArtefactError: ``out`` holds a model that is no export, which would be lost.
        RefusedError: the graph does not answer as the model does, or there are too few rows to tell; nothing is written.
        MissingExtraError: ONNX is not installed.
    """
    reader = reader_of(model)
    if reader is None:
        raise InputError("a model that reads a text with an encoder and no other", "one without", "serve it as it is")
    if int8 and isinstance(model, Regressor | Reranker):
        raise InputError("int8 of a model that labels or embeds", f"one for {model.card['task']}", "leave --int8 out")
    library()
    if (out / MANIFEST).is_file() and not (out / GRAPH).is_file():
        raise ArtefactError("an empty --out, or an earlier export", f"a model in {out}", "choose another --out")
    rows, shown = apart(list(probe)) if int8 else (np.arange(len(probe)), list[Row]())
    card = {**model.card, "runtime": "onnx int8" if int8 else "onnx float32"}
    with staged(out, {"exported_from": model.card.get("run", {}).get("data", "")}) as folder:
        write_graph(reader.encoder, folder / GRAPH)
        if int8:
            tokens = reader.encoder.tokens(asked.texts(texts_of(shown), reader.hides), reader.max_length)
            quantise(folder / GRAPH, tokens, reader.encoder.tokenizer.pad_token_id or 0)
        reader.encoder.tokenizer.save_pretrained(folder)
        graph = OnnxFeatures(folder, reader.max_length)
        graph.hides = reader.hides
        told = compare(
            model, graph, [probe[row] for row in rows], None if labels is None else [labels[row] for row in rows]
        )
        told["megabytes"] = round((folder / GRAPH).stat().st_size / 1e6, 1)
        judge(told, int8)
        with_reader(model, graph, {**card, "export": told}).save(folder)
        save_page(folder)
    return told
