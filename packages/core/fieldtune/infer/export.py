"""A model folder -> the same model with its encoder as an ONNX graph, float32 or int8, behind gates.

What comes out is a model folder like any other: ``predict``, ``evaluate`` and ``serve`` take it, and other runtimes take
its ``model.onnx``. Float32 must give the same numbers as torch; int8 does not, so it must prove on labelled rows that it
answers as well. A folder that fails its gate is not written.
"""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fieldtune.batching import by_length
from fieldtune.errors import InputError, RefusedError
from fieldtune.infer.int8 import quantise
from fieldtune.infer.onnx_graph import OUTPUT, TOKEN_BUDGET, OnnxFeatures, library
from fieldtune.models.encoder import Encoder, pad, pool
from fieldtune.models.features import EncoderFeatures
from fieldtune.models.folder import staged
from fieldtune.models.trained import GRAPH, Classifier, Embedder, save_page

TOLERANCE = 1e-4
COSINE = 0.98
"""Least mean cosine of int8 embeddings with the exact ones."""
DROP = 0.003
"""Accuracy that int8 may cost a classifier."""
_OPSET = 20


class _Graph(nn.Module):
    """ids and mask -> unit vectors."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.body, self.pooling = encoder.body, encoder.pooling

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
        return nn.functional.normalize(pool(hidden, mask, self.pooling), dim=1)


def export(
    model: Classifier | Embedder,
    out: Path,
    probe: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    int8: bool = False,
) -> dict[str, Any]:
    """Write the model with an ONNX graph to ``out``.

    Args:
        model: of texts, with an encoder.
        out: the folder to write.
        probe: texts to compare both on; for int8 of a classifier held-out ones.
        labels: the right label of each; needed for int8 of a classifier.

    Returns:
        max_difference, mean_cosine, same_answers, accuracy and accuracy_exact (with labels), megabytes.

    Raises:
        InputError: a model without encoder, or int8 of a classifier without labelled rows.
        RefusedError: the graph does not answer as the model does; nothing is written.
        MissingExtraError: ONNX is not installed.
    """
    if not isinstance(model.features, EncoderFeatures):
        raise InputError(
            "a model of texts with an encoder", "one without", "export needs --method head, full or the like"
        )
    if int8 and isinstance(model, Classifier) and labels is None:
        raise InputError("labelled rows that show what int8 costs", "none", "add --data HELD_OUT.csv")
    library()
    card = {**model.card, "runtime": "onnx int8" if int8 else "onnx float32"}
    with staged(out, {"exported_from": model.card.get("run", {}).get("data", "")}) as folder:
        write_graph(model.features.encoder, folder / GRAPH)
        if int8:
            tokenizer = model.features.encoder.tokenizer
            tokens = model.features.encoder.tokens(list(probe), model.features.max_length)
            quantise(folder / GRAPH, tokens, tokenizer.pad_token_id or 0)
        model.features.encoder.tokenizer.save_pretrained(folder)
        told = compare(model, OnnxFeatures(folder, model.features.max_length), list(probe), labels)
        told["megabytes"] = round((folder / GRAPH).stat().st_size / 1e6, 1)
        _gate(told, int8)
        exported = _with(model, OnnxFeatures(folder, model.features.max_length), {**card, "export": told})
        exported.save(folder)
        save_page(folder)
    return told


def write_graph(encoder: Encoder, path: Path) -> None:
    """Trace an encoder with any number of rows and tokens, weights inside the file."""
    rows, length = torch.export.Dim("rows", min=1, max=65_536), torch.export.Dim("length", min=2, max=65_536)
    shape = {0: rows, 1: length}
    ids = torch.full((3, 9), encoder.tokenizer.pad_token_id or 0, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[0, 5:] = 0
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks of the tracer on its own deprecated parts
        program = torch.onnx.export(
            _Graph(encoder).eval(), (ids, mask), dynamo=True, verbose=False, opset_version=_OPSET,
            input_names=["input_ids", "attention_mask"], output_names=[OUTPUT], dynamic_shapes=(shape, shape),
        )  # fmt: skip
    program.save(str(path), external_data=False)


def compare(
    model: Classifier | Embedder, features: OnnxFeatures, probe: list[str], labels: Sequence[str] | None
) -> dict[str, Any]:
    """How the graph's answers differ from the model's on the probe, in batches and one text at a time."""
    exact, found = _exact(model.features, probe), features(probe)
    alone = np.concatenate([features([text]) for text in probe[:8]])
    told: dict[str, Any] = {
        "texts": len(probe),
        "max_difference": float(max(np.abs(exact - found).max(), np.abs(exact[:8] - alone).max())),
        "mean_cosine": float((exact * found).sum(axis=1).mean()),
    }
    if isinstance(model, Classifier):
        right, mine = (_answers(model, vectors) for vectors in (exact, found))
        told["same_answers"] = float((right == mine).mean())
        if labels is not None:
            wanted = np.asarray(labels)
            told |= {"accuracy_exact": float((right == wanted).mean()), "accuracy": float((mine == wanted).mean())}
    return told


def _exact(features: Any, texts: list[str]) -> NDArray[np.float32]:
    """Embeddings in float32, whatever number format this machine encodes in."""
    encoder = features.encoder
    tokens = encoder.tokens(texts, features.max_length)
    out = np.zeros((len(texts), encoder.dimensions), dtype=np.float32)
    graph = _Graph(encoder).eval()
    with torch.inference_mode():
        for batch in by_length([len(ids) for ids in tokens], TOKEN_BUDGET):
            out[batch] = graph(*pad([tokens[row] for row in batch], encoder.tokenizer.pad_token_id or 0)).numpy()
    return out


def _answers(model: Classifier, vectors: NDArray[np.float32]) -> NDArray[np.str_]:
    places = (vectors @ model.weight.T + model.bias).argmax(axis=1)
    return np.asarray([model.labels[place] for place in places], dtype=np.str_)


def _gate(told: dict[str, Any], int8: bool) -> None:
    if not int8:
        if told["max_difference"] > TOLERANCE or told.get("same_answers", 1.0) < 1.0:
            raise RefusedError(
                f"the numbers of torch within {TOLERANCE:g}", str(told), "report it with the model's type"
            )
        return
    drop = told.get("accuracy_exact", 0.0) - told.get("accuracy", 0.0)
    if told["mean_cosine"] < COSINE or drop > max(DROP, 1.5 / told["texts"]):  # one row more or less says nothing
        raise RefusedError(
            f"int8 with a mean cosine of {COSINE} and at most {DROP:.1%} less accuracy",
            f"cosine {told['mean_cosine']:.4f}, {drop:.1%} less",
            "export without --int8",
        )


def _with(model: Classifier | Embedder, features: OnnxFeatures, card: dict[str, Any]) -> Classifier | Embedder:
    """The same model on the graph's features."""
    if isinstance(model, Embedder):
        return Embedder(features, model.projection, card)
    return Classifier(features, model.weight, model.bias, model.labels, model.temperature, model.threshold, card)
