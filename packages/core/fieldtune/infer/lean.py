"""The forward pass of a BERT on a processor, lean: what transformers' body computes, in fewer and faster steps.

Queries, keys and values are one product; weights are packed once in the form the processor multiplies fastest, and
GELU happens while the product is still in its registers; rows of one length need no mask. Measured in docs/lab.md.
Knows BERT and those that share its layers (RoBERTa and kin); :func:`lean` says None for every other body.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutput

from fieldtune.models.adapters import inside

_ALIKE = {"bert", "camembert", "roberta", "xlm-roberta"}
_AFTER_PADDING = _ALIKE - {"bert"}  # their first position is one after the padding's
_ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}  # -> torch's name of the variant
_FUSED = {torch.float32: 32, torch.bfloat16: 64}
"""Tokens of a text up to which plain products and exponentials are faster than the fused attention, measured."""
_SAFE = 40.0
"""Scores between which exponentials, their sums and what these weigh stay within either format, which ends at e^88."""
_NOTHING = torch.finfo(torch.bfloat16).tiny  # what the shares of a text without tokens are divided by
_HIDDEN = torch.finfo(torch.bfloat16).min  # the score of a key that is padding

Product = Callable[[torch.Tensor], torch.Tensor]


def lean(body: Any, dtype: torch.dtype) -> "LeanBert | None":
    """A copy of ``body`` that runs faster in ``dtype``; None where its architecture is another."""
    config = body.config
    alike = (
        config.model_type in _ALIKE
        and config.hidden_act in _ACTIVATIONS
        and dtype in _FUSED
        and not config.is_decoder
        and not inside(body)
        and getattr(config, "position_embedding_type", "absolute") in ("absolute", None)
    )
    return LeanBert(body, dtype) if alike else None


class LeanBert:
    """Called as a transformers body is; built from one, whose later changes it does not see."""

    def __init__(self, body: Any, dtype: torch.dtype) -> None:
        config, embeddings = body.config, body.embeddings
        first = config.pad_token_id + 1 if config.model_type in _AFTER_PADDING else 0
        with torch.inference_mode():
            self._words = embeddings.word_embeddings.weight.to(dtype)
            self._places = embeddings.position_embeddings.weight[first:].to(dtype)
            self._types = embeddings.token_type_embeddings.weight.to(dtype)
            self._norm = _Norm(embeddings.LayerNorm, dtype)
            self._layers = [_Layer(layer, config, dtype) for layer in body.encoder.layer]

    def get_input_embeddings(self) -> Product:
        """Ids -> the vectors that ``inputs_embeds`` takes."""
        return lambda ids: functional.embedding(ids, self._words)

    def __call__(
        self,
        *,
        attention_mask: torch.Tensor,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
    ) -> BaseModelOutput:
        """int64 ``[rows, tokens]``, or vectors; padding stands on the right. Returns ``last_hidden_state``
        ``[rows, tokens, d]`` in the number format given."""
        rows, tokens = attention_mask.shape
        words = functional.embedding(input_ids, self._words) if inputs_embeds is None else inputs_embeds
        types = self._types[0] if token_type_ids is None else functional.embedding(token_type_ids, self._types)
        hidden = self._norm(words + types + self._places[:tokens]).view(rows * tokens, -1)
        scores = None
        if not bool(attention_mask.all()):
            scores = (1 - attention_mask[:, None, :, None]).to(hidden.dtype) * _HIDDEN
            if tokens <= _FUSED[hidden.dtype]:  # written out it is added ten times faster
                scores = scores.expand(rows, 1, tokens, tokens).contiguous()
        for layer in self._layers:
            hidden = layer(hidden, rows, scores)
        return BaseModelOutput(last_hidden_state=hidden.view(rows, tokens, -1))


class _Layer:
    """Attention and feed-forward of one layer, on ``[rows * tokens, d]``."""

    def __init__(self, layer: Any, config: Any, dtype: torch.dtype) -> None:
        attention, parts = (
            layer.attention,
            (layer.attention.self.query, layer.attention.self.key, layer.attention.self.value),
        )
        self._heads = config.num_attention_heads
        scale = math.sqrt(config.num_attention_heads / config.hidden_size)
        weights, biases = ([getattr(part, name) for part in parts] for name in ("weight", "bias"))
        self._qkv = product(
            torch.cat([weights[0] * scale, *weights[1:]]), torch.cat([biases[0] * scale, *biases[1:]]), dtype
        )
        self._out = _linear(attention.output.dense, dtype)
        self._attended = _Norm(attention.output.LayerNorm, dtype)
        self._wide = _linear(layer.intermediate.dense, dtype, _ACTIVATIONS[config.hidden_act])
        self._narrow = _linear(layer.output.dense, dtype)
        self._done = _Norm(layer.output.LayerNorm, dtype)

    def __call__(self, hidden: torch.Tensor, rows: int, scores: torch.Tensor | None) -> torch.Tensor:
        split = self._qkv(hidden).view(rows, -1, 3, self._heads, hidden.shape[1] // self._heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        seen = _attend(query, key, value, scores).transpose(1, 2).reshape(hidden.shape)
        hidden = self._attended(self._out(seen).add_(hidden))
        return self._done(self._narrow(self._wide(hidden)).add_(hidden))


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scores: torch.Tensor | None) -> torch.Tensor:
    """Attention of ``[rows, heads, tokens, d]``, queries scaled; ``scores`` is added to those of keys and queries,
    ``[rows, 1, tokens, tokens or 1]``.

    On short texts plain products are faster than the fused kernel. Keys come before queries, so that sums run over the last
    but one dimension: the processor's wide registers then hold many of them at once. And where no score is large, nobody
    has to look for the largest: the shares are exponentials, and what they sum up to divides the result.
    """
    if query.shape[2] > _FUSED[query.dtype]:
        bias = None if scores is None else scores[..., :1].transpose(2, 3)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=1.0)
    found = torch.matmul(key, query.transpose(2, 3))
    least, most = found.aminmax()
    if scores is not None:
        found.add_(scores)
    if float(least) > -_SAFE and float(most) < _SAFE:
        sums = found.exp_().sum(2, keepdim=True).clamp_(min=_NOTHING)
        return torch.matmul(found.transpose(2, 3), value).div_(sums.transpose(2, 3))
    return torch.matmul(torch.softmax(found, 2).transpose(2, 3), value)


class _Norm:
    """Layer normalisation over the last dimension."""

    def __init__(self, norm: nn.LayerNorm, dtype: torch.dtype) -> None:
        self._weight, self._bias, self._eps = norm.weight.to(dtype), norm.bias.to(dtype), norm.eps

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(hidden, self._weight.shape, self._weight, self._bias, self._eps)


def _linear(linear: nn.Linear, dtype: torch.dtype, gelu: str | None = None) -> Product:
    return product(linear.weight, linear.bias, dtype, gelu)


def product(weight: torch.Tensor, bias: torch.Tensor, dtype: torch.dtype, gelu: str | None = None) -> Product:
    """``x -> x @ weight.T + bias``, then GELU in the variant named.

    oneDNN's packed product where it is the faster one; else torch's own.
    """
    weight, bias = weight.to(dtype).contiguous(), bias.to(dtype).contiguous()
    if packs(dtype):
        return _packed(weight, bias, gelu)
    if gelu is None:
        return lambda x: functional.linear(x, weight, bias)
    return lambda x: functional.gelu(functional.linear(x, weight, bias), approximate=gelu)


def _packed(weight: torch.Tensor, bias: torch.Tensor, gelu: str | None) -> Product:
    ops, packed = torch.ops.mkldnn, torch.ops.mkldnn._reorder_linear_weight(weight)
    return lambda x: ops._linear_pointwise(x, packed, bias, "gelu" if gelu else "none", [], gelu or "")


def packs(dtype: torch.dtype) -> bool:
    """Whether oneDNN's packed product is to be had here, and worth having.

    On AMD processors with AVX-512, MKL, which a plain float32 product goes to, uses half of their width. On processors
    without, MKL is faster by a tenth, and GELU inside oneDNN's product takes five times as long as after it.
    """
    plain_is_faster = dtype is torch.float32 and torch.backends.cpu.get_cpu_capability() == "AVX2"
    return packable(dtype) and not plain_is_faster


@cache
def packable(dtype: torch.dtype) -> bool:
    """Whether oneDNN's packed product is here and right; its names are not public, and not every processor is served."""
    x, weight, bias = torch.ones(2, 8, dtype=dtype), torch.ones(4, 8, dtype=dtype), torch.zeros(4, dtype=dtype)
    try:
        found = _packed(weight, bias, None)(x)
    except (AttributeError, RuntimeError):
        return False
    return bool((found == 8).all())
