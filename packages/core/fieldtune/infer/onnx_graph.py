"""An encoder as an ONNX graph: looked at before it is run, then texts -> unit vectors with ONNX Runtime.

The graph takes ``input_ids`` and ``attention_mask``, int64 ``[rows, tokens]``, and gives ``sentence_embedding``, float32
``[rows, d]``. A graph is a program: one with operators of foreign domains, or whose weights lie in other files, is refused.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fieldtune.batching import by_length
from fieldtune.errors import ArtefactError, MissingExtraError
from fieldtune.infer.sidebyside import side_by_side
from fieldtune.models.encoder import read_tokenizer, reader
from fieldtune.models.trained import GRAPH

OUTPUT = "sentence_embedding"
TOKEN_BUDGET = 1024
_DOMAINS = ("", "ai.onnx")
SLOWER = ["SkipLayerNormFusion"]
"""What ONNX Runtime would do with a graph and should not: a sum and a normalisation in one step take three times as long."""
WITHOUT_OVERFLOW = "session.x64quantprecision"
"""The way for processors on which sums of 8-bit products overflow, see :func:`overflows`; elsewhere it takes 1.8 times as long."""


class OnnxFeatures:
    """Unit-length embeddings by a graph; the same two verbs as :class:`fieldtune.models.features.EncoderFeatures`."""

    hides = False

    def __init__(self, folder: Path, max_length: int) -> None:
        self.folder, self.max_length = folder, max_length
        self.session = session(folder / GRAPH)
        self.tokenizer = read_tokenizer(folder)

    @property
    def width(self) -> int:
        return int(self.session.get_outputs()[0].shape[1])

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        from fieldtune.models import asked

        distinct, inverse = np.unique(np.asarray(asked.texts(texts, self.hides), dtype=object), return_inverse=True)
        tokens = reader(self.tokenizer, self.max_length)([str(text) for text in distinct])
        size = self.session.get_outputs()[0].shape[1]
        out = np.zeros((len(distinct), size), dtype=np.float32)
        lengths = [len(ids) for ids in tokens]
        share = math.ceil(sum(lengths) / torch.get_num_threads())  # of each core, where all of them is little
        batches = by_length(lengths, max(1, min(TOKEN_BUDGET, share))) if tokens else []
        pad_id = self.tokenizer.pad_token_id or 0
        found = side_by_side(lambda batch: run(self.session, [tokens[row] for row in batch], pad_id), batches)
        for batch, vectors in zip(batches, found, strict=True):
            out[batch] = vectors
        return out[inverse]

    def save(self, folder: Path) -> dict[str, NDArray[np.float32]]:
        """Copy graph and tokenizer; there are no tensors for the head's file."""
        (folder / GRAPH).write_bytes((self.folder / GRAPH).read_bytes())
        self.tokenizer.save_pretrained(folder)
        return {}


def session(graph: Path) -> Any:
    """An ONNX Runtime session of a graph that was looked at first.

    Raises:
        MissingExtraError: ONNX Runtime is not installed. ArtefactError: a graph that is not harmless, or does not load.
    """
    runtime = library()
    check(graph)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # batches run side by side; one text has one core
    options.log_severity_level = 3
    options.add_session_config_entry(WITHOUT_OVERFLOW, str(int(overflows())))
    try:
        return runtime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER
        )
    except Exception as error:  # the runtime raises a kind of its own for each of a dozen reasons
        raise ArtefactError(f"a graph ONNX Runtime can run at {graph}", str(error)[:200], "export it again") from error


@cache
def overflows() -> bool:
    """Whether sums of 8-bit products overflow 16 bits on this processor, as without VNNI: tried with the largest ones, once."""
    runtime = library()
    from onnx import TensorProto, helper, numpy_helper

    largest = np.full((16, 64), 255, dtype=np.uint8), np.full((64, 16), 127, dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["left", "right"], ["sums"])],
        "products",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [16, 64])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, [16, 16])],
        [numpy_helper.from_array(largest[1], "right")],
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    product = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (sums,) = product.run(None, {"left": largest[0]})
    return bool((sums != 64 * 255 * 127).any())


def library() -> Any:
    """The module onnxruntime; raises MissingExtraError without it."""
    try:
        import onnx  # noqa: F401  graphs are read with it before they are run
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            "onnx and onnxruntime", f"{error.name} is not installed", "pip install 'fieldtune[onnx]'"
        ) from error
    return onnxruntime


def check(graph: Path) -> None:
    """Refuse a graph with operators of foreign domains, functions of its own, or weights in other files."""
    import onnx

    try:
        model = onnx.load(str(graph), load_external_data=False)
    except Exception as error:  # a damaged protobuf, or no file
        raise ArtefactError("a readable ONNX graph", f"{type(error).__name__} at {graph}", "export it again") from error
    foreign = {node.domain for node in _nodes(model.graph)} - set(_DOMAINS)
    outside = [tensor.name for tensor in model.graph.initializer if tensor.external_data or tensor.data_location]
    if foreign or model.functions or outside:
        found = (
            f"operators of {', '.join(sorted(foreign))}"
            if foreign
            else "functions"
            if model.functions
            else "weights in other files"
        )
        raise ArtefactError(
            "a graph of standard operators with its weights inside", f"{found} in {graph}", "export it again"
        )


def run(session: Any, tokens: Sequence[list[int]], pad_id: int) -> NDArray[np.float32]:
    """Embeddings of token lists, float32 ``[rows, d]``."""
    (found,) = session.run([OUTPUT], inputs(tokens, pad_id))
    return np.asarray(found, dtype=np.float32)


def inputs(tokens: Sequence[list[int]], pad_id: int) -> dict[str, NDArray[np.int64]]:
    """What a graph reads, int64 ``[rows, tokens]`` each."""
    longest = max(map(len, tokens))
    ids = np.full((len(tokens), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(tokens), longest), dtype=np.int64)
    for row, text in enumerate(tokens):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return {"input_ids": ids, "attention_mask": mask}


def _nodes(graph: Any) -> list[Any]:
    """All nodes, those of branches and loops too."""
    found = []
    for node in graph.node:
        found.append(node)
        for attribute in node.attribute:
            found += [inner for one in (attribute.g, *attribute.graphs) for inner in _nodes(one)]
    return found
