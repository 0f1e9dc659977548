"""The parts of a training step that a processor does faster than torch's own: dropout, and products in float32.

Measured in docs/lab.md. Put into a body of any architecture by :func:`quicken`; names and weights stay as they are.
"""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from fieldtune.infer.lean import packs

_LEVELS = 2**16


def quicken(body: nn.Module, dtype: torch.dtype) -> None:
    """Let the layers of ``body`` take the fast way, in place, for training in ``dtype`` on a processor."""
    for layer in body.modules():
        if type(layer) is nn.Dropout:
            layer.__class__ = QuickDropout
        elif type(layer) is nn.Linear and dtype is torch.float32 and packs(dtype):
            layer.__class__ = QuickLinear


def plain(module: nn.Module) -> None:
    """Undo :func:`quicken`: what was trained answers with the layers that a loaded model has."""
    for layer in module.modules():
        if type(layer) is QuickDropout:
            layer.__class__ = nn.Dropout
        elif type(layer) is QuickLinear:
            layer.__class__ = nn.Linear


class QuickDropout(nn.Dropout):
    """Dropout that draws 16 bits a number instead of a float64: the mask cost a tenth of a training step.

    Draws from torch's generator, so a resumed run goes on with the same masks; rates are multiples of 2^-16.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or not 0 < self.p < 1:
            return super().forward(input)
        words = torch.randint(-(2**63), 2**63 - 1, ((input.numel() + 3) // 4,))
        levels = words.view(torch.int16)[: input.numel()].view(input.shape)
        kept = levels >= round(self.p * _LEVELS) - _LEVELS // 2
        return input * kept.to(input.dtype).mul_(1 / (1 - self.p))


class QuickLinear(nn.Linear):
    """A linear layer whose products go to oneDNN: on AMD processors with AVX-512 twice as fast as MKL's in float32."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        found: torch.Tensor = _Product.apply(input, self.weight, self.bias)
        return found


class _Product(torch.autograd.Function):
    """``input @ weight.T + bias`` and its gradients."""

    @staticmethod
    def forward(ctx: Any, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(input, weight)
        return _times(input, weight, bias)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        input, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, gradient.shape[-1])
        wanted = ctx.needs_input_grad
        return (
            _times(gradient, weight.t(), None) if wanted[0] else None,
            _times(rows.t(), input.reshape(-1, input.shape[-1]).t(), None) if wanted[1] else None,
            rows.sum(0) if wanted[2] else None,
        )


def _times(left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """``left @ right.T + bias``, operands in any order of memory."""
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return found
