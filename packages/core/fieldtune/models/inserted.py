"""Modules put inside a frozen encoder: bottleneck adapters, and prefixes of keys and values in its attention.

They are children of the encoder's own modules, so its weights keep their names, and copies and exports carry them.
"""

from typing import Any

import torch
from torch import nn

_PREFIX = "fieldtune_prefix"


class Bottleneck(nn.Module):
    """Down, GELU, up, with a skip connection (Houlsby et al. 2019, arXiv 1902.00751); at first the identity."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden + self.up(nn.functional.gelu(self.down(hidden)))


def add_bottlenecks(body: nn.Module, places: list[str], size: int) -> None:
    """Send the output of each named linear layer through a bottleneck of ``size`` units.

    After the feed-forward layers alone it is the placing of Pfeiffer et al. 2021 (arXiv 2005.00247); after the
    attention's output too, that of Houlsby et al.
    """
    for name in places:
        layer: Any = body.get_submodule(name)
        layer.bottleneck = Bottleneck(layer.out_features, size)
        layer.register_forward_hook(_through)


def _through(layer: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    passed: torch.Tensor = layer.bottleneck(output)
    return passed


def add_prefixes(body: Any, attentions: list[str], length: int, separator: int) -> None:
    """Give each named attention ``length`` learnt keys and values before those of the text (Li & Liang 2021, arXiv
    2101.00190).

    They begin as the separator's own keys and values, with a little noise: attention on a separator changes least
    (Clark et al. 2019, arXiv 1906.04341), so the frozen encoder is hardly disturbed.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(_PREFIX, _attention)
    AttentionMaskInterface.register(_PREFIX, eager_mask)
    body.set_attn_implementation(_PREFIX)
    modules = [body.get_submodule(name) for name in attentions]
    for module in modules:
        module.prefix_keys, module.prefix_values = None, None
    with torch.no_grad():
        ids = torch.tensor([[separator, separator]])
        body(input_ids=ids, attention_mask=torch.ones_like(ids))
    for module in modules:
        for name in ("prefix_keys", "prefix_values"):
            first = getattr(module, name)[0, :, -1:, :].expand(-1, length, -1)
            delattr(module, name)
            setattr(module, name, nn.Parameter(first + 0.02 * torch.randn(first.shape)))


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of ``[rows, heads, tokens, d]`` over the module's prefix and the text."""
    if module.prefix_keys is None:  # the first look at what the separator's keys and values are
        module.prefix_keys, module.prefix_values = key, value
    else:
        rows = key.shape[0]  # of a traced text any number, which `len` would fix
        key = torch.cat([module.prefix_keys.to(key.dtype).expand(rows, -1, -1, -1), key], dim=2)
        value = torch.cat([module.prefix_values.to(value.dtype).expand(rows, -1, -1, -1), value], dim=2)
        if attention_mask is not None:  # the prefix is never hidden
            attention_mask = nn.functional.pad(attention_mask, (key.shape[2] - attention_mask.shape[3], 0))
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = nn.functional.dropout(scores.softmax(-1), dropout, module.training)
    return (weights @ value).transpose(1, 2).contiguous(), None


def remove(body: Any) -> None:
    """Take all of it out again."""
    for module in body.modules():
        if hasattr(module, "bottleneck"):
            del module.bottleneck
            module._forward_hooks.clear()  # ours is the only one on a loaded encoder
        if hasattr(module, "prefix_keys"):
            del module.prefix_keys, module.prefix_values
    if body.config._attn_implementation == _PREFIX:
        body.set_attn_implementation("sdpa")
