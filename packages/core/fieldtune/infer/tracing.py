"""An encoder written as an ONNX graph: ids and mask in, unit vectors out. It does not know whether the graph is right."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fieldtune.infer.onnx_graph import OUTPUT
from fieldtune.models.adapters import inside
from fieldtune.models.encoder import Encoder, pool

_OPSET = 20


class Graph(nn.Module):
    """ids and mask -> unit vectors."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.body, self.pooling = encoder.body, encoder.pooling

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
        return nn.functional.normalize(pool(hidden, mask, self.pooling), dim=1)


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
        with _plain_attention(encoder.body):
            program = torch.onnx.export(
                Graph(encoder).eval(), (ids, mask), dynamo=True, verbose=False, opset_version=_OPSET,
                input_names=["input_ids", "attention_mask"], output_names=[OUTPUT], dynamic_shapes=(shape, shape),
            )  # fmt: skip
    program.save(str(path), external_data=False)


@contextlib.contextmanager
def _plain_attention(body: Any) -> Iterator[None]:
    """Attention as products and a softmax: the fused one is written with a guard against rows that see nothing, two more
    passes over all scores in every layer. A prefix is attention of its own, and stays."""
    if inside(body):
        yield
        return
    before = body.config._attn_implementation
    body.set_attn_implementation("eager")
    try:
        yield
    finally:
        body.set_attn_implementation(before)
