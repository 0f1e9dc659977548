"""An ONNX graph -> the same graph with its matrix products in 8 bits: weights per output, activations per batch.

A few dimensions of a transformer's activations are far larger than the rest, and one scale for all of them leaves the rest
few of the 256 steps. So every constant product ``x W`` first becomes ``(x / s) (s W)``, ``s`` a number per input dimension
that moves the size from the activations into the weights (SmoothQuant, Xiao et al. 2023, arXiv 2211.10438). The few dimensions
that are still such peaks are multiplied apart, in float32 (LLM.int8, Dettmers et al. 2022, arXiv 2208.07339). Whether the
graph still answers as well is for :mod:`fieldtune.infer.export` to prove.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldtune.batching import by_length
from fieldtune.infer.onnx_graph import TOKEN_BUDGET, inputs, library

STRENGTH = 0.75
"""Share of the activations' size that moves into the weights; .7 to .8 was best on MiniLM."""
PEAK = 20.0
"""Times the root mean square, up to which the largest activation may be in 8 bits. In MiniLM it is 33 before the second product
of the first three layers' feed-forward parts and 6 to 27 before all others."""
APART = 32
"""Dimensions that are multiplied apart, at most; a product with more of them stays in float32."""
_LEAST = 1e-5


def quantise(path: Path, tokens: Sequence[list[int]], pad_id: int) -> None:
    """Rewrite the graph at ``path`` in place.

    Args:
        tokens: of texts like those it will read; some hundred show which dimensions are large.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = path.with_name(".prepared.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        exact = balance(prepared, tokens, pad_id)
        quantize_dynamic(
            str(prepared),
            str(path),
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=exact,
        )
    prepared.unlink()


def balance(path: Path, tokens: Sequence[list[int]], pad_id: int) -> list[str]:
    """Put a scale before every product with a constant matrix, its inverse into the matrix, and peaks apart; in place.

    Returns:
        The names of the products that are to stay in float32: those of peaks, and those that have more than :data:`APART`.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    constants = {one.name: one for one in model.graph.initializer}
    products: dict[str, list[Any]] = {}  # what they multiply -> the products: queries, keys and values share theirs
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants and len(constants[node.input[1]].dims) == 2:
            node.name = node.name or f"product_{node.output[0]}"
            products.setdefault(node.input[0], []).append(node)
    found, exact = sizes(path, list(products), tokens, pad_id), []
    for place, (name, nodes) in enumerate(products.items()):
        weights = [numpy_helper.to_array(constants[node.input[1]]) for node in nodes]
        largest, square = found[name]
        scale = _scale(largest, weights)
        peaks = peaks_of(largest / scale, square / scale**2)
        if len(peaks) > APART:
            exact += [node.name for node in nodes]
            continue
        if len(peaks):
            exact += _multiply_apart(model.graph, nodes, weights, peaks, place)
        _put_scale(model.graph, nodes, weights, scale, peaks, place)
    _drop_unused(model.graph)
    onnx.save(model, str(path))
    return exact


def peaks_of(largest: NDArray[np.float32], square: NDArray[np.float64]) -> NDArray[np.int64]:
    """The dimensions that have to go until none of the rest is more than :data:`PEAK` times their root mean square.

    Args:
        largest: of each dimension the largest absolute value, ``[d]``.
        square: of each dimension the mean square, ``[d]``.

    Returns:
        int64, ascending; where it takes more than :data:`APART` no more than one above that.
    """
    order = np.argsort(-largest, kind="stable")
    for count in range(min(APART + 1, len(order))):
        rest = order[count:]
        if largest[rest[0]] <= PEAK * np.sqrt(square[rest].mean()):
            return np.sort(order[:count])
    return np.sort(order[: APART + 1])


def _put_scale(
    graph: Any, nodes: list[Any], weights: list[Any], scale: NDArray[np.float32], peaks: NDArray[np.int64], place: int
) -> None:
    """``x W`` becomes ``(x / scale) (scale W)``, for all that multiply one ``x``; its ``peaks`` count as zero."""
    from onnx import helper

    kept = np.ones_like(scale)
    kept[peaks] = 0
    divided = f"balanced_{place}"
    factor = _constant(graph, f"balance_{place}", kept / scale)
    divide = helper.make_node("Mul", [nodes[0].input[0], factor], [divided], f"Balance_{place}")
    graph.node.insert(_place(graph, nodes[0]), divide)
    for node, weight in zip(nodes, weights, strict=True):
        own = f"{node.input[1]}_balanced_{place}"
        node.input[:] = [divided, _constant(graph, own, weight * (kept * scale)[:, None])]


def _multiply_apart(
    graph: Any, nodes: list[Any], weights: list[Any], peaks: NDArray[np.int64], place: int
) -> list[str]:
    """Add what the ``peaks`` of ``x`` give, to each product of it; returns the names of the products of peaks alone."""
    from onnx import helper

    which = _constant(graph, f"peaks_{place}", peaks)
    few = helper.make_node("Gather", [nodes[0].input[0], which], [f"peaked_{place}"], name=f"Peaks_{place}", axis=-1)
    graph.node.insert(_place(graph, nodes[0]), few)
    names = []
    for node, weight in zip(nodes, weights, strict=True):
        whole, name = node.output[0], f"{node.output[0]}_of_peaks"
        node.output[0] = f"{whole}_without_peaks"
        own = _constant(graph, f"{node.input[1]}_peaks_{place}", weight[peaks])
        product = helper.make_node("MatMul", [few.output[0], own], [name], name)
        both = helper.make_node("Add", [node.output[0], product.output[0]], [whole], f"{whole}_with_peaks")
        for later in (both, product):
            graph.node.insert(_place(graph, node) + 1, later)
        names.append(name)
    return names


def _constant(graph: Any, name: str, values: NDArray[Any]) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(values, name))
    return name


def _place(graph: Any, node: Any) -> int:
    return list(graph.node).index(node)


def _scale(size: NDArray[np.float32], weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """A divisor per input dimension, ``largest^STRENGTH / weight^(1 - STRENGTH)`` (equation 4 of the paper)."""
    weight = np.max([np.abs(one).max(axis=1) for one in weights], axis=0)
    scale = np.maximum(size, _LEAST) ** STRENGTH / np.maximum(weight, _LEAST) ** (1 - STRENGTH)
    return np.asarray(np.clip(scale, 1e-3, 1e3), dtype=np.float32)


def sizes(
    path: Path, names: list[str], tokens: Sequence[list[int]], pad_id: int
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Of each dimension of these inner values, over all tokens: the largest absolute value, and the mean square."""
    import onnx

    model = onnx.load(str(path))
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = library().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    largest: dict[str, Any] = dict.fromkeys(names, 0.0)
    squares: dict[str, Any] = dict.fromkeys(names, 0.0)
    count = 0
    for batch in by_length([len(ids) for ids in tokens], TOKEN_BUDGET):
        ran = session.run(names, inputs([tokens[row] for row in batch], pad_id))
        for name, values in zip(names, ran, strict=True):
            flat = values.reshape(-1, values.shape[-1])
            largest[name] = np.maximum(largest[name], np.abs(flat).max(axis=0))
            squares[name] = squares[name] + np.square(flat, dtype=np.float64).sum(axis=0)
        count += len(flat)
    return {name: (largest[name], squares[name] / count) for name in names}


def _drop_unused(graph: Any) -> None:
    """Matrices that nothing reads any more."""
    read = {name for node in graph.node for name in node.input}
    kept = [one for one in graph.initializer if one.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
