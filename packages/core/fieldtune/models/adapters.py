"""Parameter-efficient methods: a frozen encoder plus a few new parameters, which alone are trained.

``lora``, ``dora``, ``adalora`` and ``ia3`` are PEFT's; once trained they are merged into the weights, and kept beside.
``prefix`` and ``adapter`` are ours and cannot be merged: they stay in the forward pass, and a saved folder holds the
base weights with the adapter beside, which :func:`attach` applies. Knows nothing of tasks, heads and optimizers.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fieldtune.errors import ArtefactError, ConfigError, InputError, MissingExtraError
from fieldtune.models import inserted
from fieldtune.models.adapter_options import OPTIONS, checked

MERGED = ("lora", "dora", "adalora", "ia3", "osf")
WEIGHTS, CONFIG = "adapter.safetensors", "adapter.json"
METHODS = tuple(OPTIONS)
SUBSPACE = "osf"
"""Not a method to choose: how continual learning trains a layer outside of what it mostly uses (arXiv 2504.07097)."""
_SEED = 0  # of the first values: the same in every run, so that a killed one begins anew with the same bits
_KEPT = "fieldtune_adapter"
# Names of an attention's projections: query, key, value, output. What is not listed is named as in BERT.
_BERT = ("query", "key", "value", "attention.output.dense")
_PROJECTIONS = {
    "albert": ("query", "key", "value", "attention.dense"),
    "deberta": ("in_proj", "in_proj", "in_proj", "attention.output.dense"),
    "deberta-v2": ("query_proj", "key_proj", "value_proj", "attention.output.dense"),
    "distilbert": ("q_lin", "k_lin", "v_lin", "out_lin"),
    "modernbert": ("Wqkv", "Wqkv", "Wqkv", "attn.Wo"),
    "mpnet": ("attn.q", "attn.k", "attn.v", "attn.o"),
}
_WITHOUT_PREFIX = ("deberta", "deberta-v2", "mpnet")  # their attention is not the interchangeable kind


@dataclass
class Adapter:
    """What was added to a body.

    Attributes:
        method: one of :data:`METHODS`.
        options: those it was built with, see :data:`fieldtune.models.adapter_options.OPTIONS`.
        names: its parameters, as the body names them.
        share: its parameters over all of the adapted body's.
        tensors: its values once they are merged; empty while they take part in the forward pass.
    """

    method: str
    options: dict[str, Any]
    names: tuple[str, ...]
    share: float
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)


def adapter_of(body: nn.Module | None) -> Adapter | None:
    """The adapter of a body, merged or not; None without either."""
    return getattr(body, _KEPT, None)


def inside(body: nn.Module) -> bool:
    """Whether an adapter that is not merged takes part in the forward pass, so that the weights alone do not tell it."""
    adapter = adapter_of(body)
    return adapter is not None and not adapter.tensors


def adapted(encoder: Any, method: str, options: dict[str, Any]) -> Adapter:
    """Freeze an encoder's body and add the parameters of ``method``; at first they change next to nothing.

    Raises:
        ConfigError: the body has an adapter already, or ``method`` does not fit its architecture.
        MissingExtraError: a method of PEFT without PEFT.
    """
    body = encoder.body
    if adapter_of(body):
        raise ConfigError(
            "a model without an adapter of its own", str(encoder.folder), "train from its base, or in full"
        )
    body.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        _add(encoder, method, options)
    fresh = {name: weight.numel() for name, weight in body.named_parameters() if weight.requires_grad}
    share = sum(fresh.values()) / sum(weight.numel() for weight in body.parameters())
    adapter = Adapter(method, options, tuple(fresh), share)
    setattr(body, _KEPT, adapter)
    return adapter


def merge(body: nn.Module) -> None:
    """Fold a trained adapter into the weights, in place, where its method can be; its values are kept beside."""
    adapter = adapter_of(body)
    if adapter and adapter.method in MERGED and inside(body):
        adapter.tensors = _values(body, adapter)
        for layer in _tuned_layers(body).values():
            layer.merge()
        _unwrap(body)


def settle(part: Any) -> None:
    """After training, leave a body as a loaded one is: its adapter merged, its attention the default kernel."""
    merge(part)
    if hasattr(part, "set_attn_implementation") and part.config._attn_implementation == "eager":
        part.set_attn_implementation(part.get_correct_attn_implementation(None))


def forget(body: nn.Module) -> None:
    """Drop the record of a merged adapter: the body is a plain one from now on."""
    if adapter_of(body):
        delattr(body, _KEPT)


def detach(body: nn.Module) -> None:
    """Take an adapter that is not merged off again: the body is what it was before, to the bit."""
    if not inside(body):
        raise InputError("a body with an adapter to take off", "none, or a merged one", "attach one first")
    _unwrap(body)
    inserted.remove(body)
    delattr(body, _KEPT)


def attach(encoder: Any, folder: Path) -> None:
    """Put the adapter saved in ``folder`` into an encoder: one body serves many models by swapping them.

    Raises:
        ArtefactError: it is damaged, or does not fit the encoder.
    """
    of_the_base = [weight for weight in encoder.body.parameters() if weight.requires_grad]
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        method = str(config["method"])
        adapter = adapted(encoder, method, checked(method, config["options"]))
        tensors = load_file(folder / WEIGHTS)
        if set(tensors) != set(adapter.names) or not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise ValueError("weights of other names, or that are no numbers")
        encoder.body.load_state_dict(tensors, strict=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ConfigError) as error:
        raise ArtefactError(f"an adapter for this encoder in {folder}", str(error), "take its own base") from error
    for weight in of_the_base:
        weight.requires_grad_(True)  # whoever tunes this model in full tunes all of it
    encoder.body.eval()


def save(body: nn.Module, folder: Path) -> None:
    """Write a body's adapter, if it has one, as safetensors and JSON into ``folder``."""
    adapter = adapter_of(body)
    if adapter:
        save_file(adapter.tensors or _values(body, adapter), folder / WEIGHTS)
        config = {"method": adapter.method, "options": adapter.options, "merged": bool(adapter.tensors)}
        (folder / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")


def apart(folder: Path) -> bool:
    """Whether a saved folder's adapter is not in its weights and has to be attached."""
    file = folder / CONFIG
    return file.is_file() and not json.loads(file.read_text(encoding="utf-8")).get("merged")


def base_state(body: nn.Module) -> dict[str, torch.Tensor]:
    """A body's weights without those of an adapter that is not merged."""
    adapter = adapter_of(body)
    return {name: weight for name, weight in body.state_dict().items() if not adapter or name not in adapter.names}


def _values(body: nn.Module, adapter: Adapter) -> dict[str, torch.Tensor]:
    state = body.state_dict()
    return {name: state[name].detach().clone().contiguous() for name in adapter.names}


def _add(encoder: Any, method: str, options: dict[str, Any]) -> None:
    body = encoder.body
    kind = body.config.model_type
    query, key, value, out = _PROJECTIONS.get(kind, _BERT)
    feed = [name for name, module in _linear(body).items() if module.in_features > module.out_features]
    if method == "adapter":
        both = options["adapter_places"] == "both"
        places = feed + (_ending(body, out) if both else [])
        inserted.add_bottlenecks(body, places, int(options["adapter_size"]))
    elif method == "prefix":
        if kind in _WITHOUT_PREFIX:
            raise ConfigError("an encoder whose attention takes a prefix", f"one of type {kind}", "use --method lora")
        attentions = sorted({name.rpartition(".")[0] for name in _ending(body, value)})
        inserted.add_prefixes(body, attentions, int(options["prefix_length"]), encoder.tokenizer.sep_token_id)
    elif method == SUBSPACE:
        _inject(body, method, options, sorted(name for name in _linear(body) if not name.startswith("pooler")), [], [])
    elif method in METHODS:
        scaled = _ending(body, key) + _ending(body, value) + feed
        _inject(body, method, options, sorted({*_ending(body, query), *_ending(body, value)}), scaled, feed)
    else:
        raise ConfigError(f"a method out of {', '.join(METHODS)}", repr(method), "choose one of them")


def _inject(
    body: nn.Module, method: str, options: dict[str, Any], targets: list[str], scaled: list[str], feed: list[str]
) -> None:
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError(
            f"PEFT for --method {method}",
            "the extra 'adapters' is not installed",
            "pip install 'fieldtune[adapters]'",
        ) from error
    config: Any
    if method == "ia3":
        config = peft.IA3Config(target_modules=scaled, feedforward_modules=feed)
    elif method == SUBSPACE:  # the stronger half of each layer's directions stays as it is
        config = peft.OSFConfig(target_modules=targets, effective_rank=0.5)
    elif method == "adalora":
        # The schedule of ranks is fieldtune.train.ranks' business; PEFT asks for some number of steps.
        rank = int(options["rank"])
        ranks = {"target_r": rank, "init_r": initial_rank(rank)}
        config = peft.AdaLoraConfig(target_modules=targets, lora_alpha=options["alpha"], total_step=1, **ranks)
    else:
        weigh = {"r": int(options["rank"]), "lora_alpha": options["alpha"]}
        config = peft.LoraConfig(target_modules=targets, use_dora=method == "dora", **weigh)
    peft.inject_adapter_in_model(config, body)


def initial_rank(rank: int) -> int:
    """The rank every matrix begins with under AdaLoRA: half as much again as the mean it ends with (Zhang et al. 2023)."""
    return max(rank + 1, rank * 3 // 2)


def _tuned_layers(body: nn.Module) -> dict[str, Any]:
    """PEFT's layers by name: those that hold the layer they replaced."""
    return {name: module for name, module in body.named_modules() if hasattr(module, "get_base_layer")}


def _unwrap(body: nn.Module) -> None:
    for name, layer in _tuned_layers(body).items():
        body.set_submodule(name, layer.get_base_layer())
    if hasattr(body, "peft_config"):
        del body.peft_config


def _linear(body: nn.Module) -> dict[str, nn.Linear]:
    return {name: module for name, module in body.named_modules() if isinstance(module, nn.Linear)}


def _ending(body: nn.Module, ending: str) -> list[str]:
    return [name for name in _linear(body) if f".{name}".endswith(f".{ending}")]
