"""config.json and modules.json, which decide what transformers and sentence-transformers instantiate.

An attack surface of its own (CVE-2026-4372, CVE-2026-5241): so keys that name code or a kernel are refused, types and
classes come from a list, and no size may be larger than the weights that lie beside it.
"""

import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fieldtune.errors import ArtefactError
from fieldtune.models.guard.jsons import refused
from fieldtune.models.guard.weights import Shape, elements

LARGEST = 2**20
"""The largest number a config may hold: the widest vocabularies have 262,144 entries."""

_TOLD = "_attn_implementation_autoset"  # transformers 4 wrote it, as a flag
_UNDERSCORED = {"_name_or_path", "_num_labels", "_commit_hash", _TOLD}
_FREE = {"rope_theta"}  # the one large number that sizes nothing
_NAMES_CODE = re.compile(r"auto_map|implementation|quantization|kernel|custom_|trust_remote|pruned_heads|adapter")
_FLOATS = {None, "float32", "float16", "bfloat16", "torch.float32", "torch.float16", "torch.bfloat16"}
_MODULE = re.compile(r"sentence_transformers(\.[a-z_]+)*\.(Transformer|Pooling|Normalize)")
_PLAIN = re.compile(r"[\w-][\w.-]*")
_POSITIONED = {
    "albert",
    "bert",
    "camembert",
    "distilbert",
    "electra",
    "ernie",
    "gpt2",
    "mpnet",
    "roberta",
    "xlm-roberta",
}
_SIZES = {"hidden": ("hidden_size", "dim", "d_model", "n_embd"),
          "layers": ("num_hidden_layers", "n_layers", "num_layers", "n_layer", "encoder_layers"),
          "inner": ("intermediate_size", "hidden_dim", "d_ff", "encoder_ffn_dim", "n_inner"),
          "words": ("vocab_size",), "positions": ("max_position_embeddings", "n_positions")}  # fmt: skip


def config(value: Any, file: Path, kinds: Collection[str], parts: Collection[str]) -> dict[str, Any]:
    """A harmless ``config.json``.

    Raises:
        ArtefactError: it is missing, of another type, names code, or holds an absurd number; nested ones too.
    """
    if not isinstance(value, dict):
        raise ArtefactError("a readable config.json", f"none in {file.parent}", "restore the folder")
    kind = value.get("model_type")
    if not (isinstance(kind, str) and kind in kinds):
        raise _foreign(kind, file, kinds)
    _harmless(value, file, {*kinds, *parts})
    return value


def modules(value: Any, folder: Path) -> None:
    """Refuse a ``modules.json`` that is more than transformer, pooling and normalisation inside this folder."""
    file = folder / "modules.json"
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise refused(file, "no list of modules")
    for one in value:
        kind, path = one.get("type"), one.get("path")
        if not isinstance(kind, str) or not _MODULE.fullmatch(kind):
            raise refused(file, f"a module of type {kind!r}")
        if not isinstance(path, str) or (path and not _PLAIN.fullmatch(path)):
            raise refused(file, f"the path {path!r}")


def index(texts: Mapping[str, Any], folder: Path) -> None:
    """Refuse an index of weights that names anything but safetensors files of this folder."""
    for name in (name for name in texts if name.endswith(".index.json")):
        table = texts[name].get("weight_map") if isinstance(texts[name], dict) else None
        if not isinstance(table, dict):
            raise refused(folder / name, "no weight_map")
        for part in set(map(str, table.values())):
            if not (_PLAIN.fullmatch(part) and part.endswith(".safetensors") and (folder / part).is_file()):
                raise refused(folder / name, f"the file {part!r}")


def no_adapter(folder: Path) -> None:
    """Refuse ``adapter_config.json`` beside the weights: transformers would fetch the base model that it names."""
    if (folder / "adapter_config.json").exists():
        raise refused(folder / "adapter_config.json", "the name of another model to load")


def fits(value: Mapping[str, Any], shapes: list[Shape], folder: Path) -> None:
    """Refuse a config that would build more than the weights hold: the rest is allocated, and random."""
    if not shapes:
        raise ArtefactError("weights as safetensors", f"none in {folder}", "convert them; pickled weights are not read")
    parts = [value, *(inner for inner in value.values() if isinstance(inner, dict) and "model_type" in inner)]
    wanted = max(_least(part, folder) for part in parts)
    if wanted > elements(shapes):
        raise refused(folder / "config.json", f"{wanted} weights, while the files hold {elements(shapes)}")


def _least(value: Mapping[str, Any], folder: Path) -> int:
    """A transformer of these sizes has a square matrix and one of the inner width a layer, at least (ALBERT once)."""
    sizes = {name: _size(value, keys, folder) for name, keys in _SIZES.items()}
    kind, width = value["model_type"], int(value.get("embedding_size") or sizes["hidden"])
    if sizes["layers"] > 512:
        raise refused(folder / "config.json", f"{sizes['layers']} layers")
    layers = 1 if kind == "albert" else max(sizes["layers"], 1)
    tables = sizes["words"] + (sizes["positions"] if kind in _POSITIONED else 0)
    return layers * sizes["hidden"] * (sizes["hidden"] + sizes["inner"]) + tables * width


def _size(value: Mapping[str, Any], keys: tuple[str, ...], folder: Path) -> int:
    """A size by any of its names; 0 where it is left to the library, whose sizes are sane."""
    size = next((value[key] for key in keys if value.get(key) is not None), 0)
    if type(size) is not int or size < 0:
        raise refused(folder / "config.json", f"{keys[0]} {size!r}")
    return size


def _harmless(value: Any, file: Path, kinds: Collection[str]) -> None:
    if isinstance(value, dict):
        kind = value.get("model_type", "")
        if "model_type" in value and not (isinstance(kind, str) and kind in kinds):
            raise _foreign(kind, file, kinds)
        for key, inner in value.items():
            _key(key, inner, file)
            if key not in _FREE:
                _harmless(inner, file, kinds)
    elif isinstance(value, list):
        for inner in value:
            _harmless(inner, file, kinds)
    elif (type(value) is int and abs(value) > LARGEST) or (isinstance(value, float) and not math.isfinite(value)):
        raise refused(file, f"the number {value}")


def _key(key: str, inner: Any, file: Path) -> None:
    harmless = inner is None or inner == {} or inner is False or (key == _TOLD and inner is True)
    if (key.startswith("_") and key not in _UNDERSCORED) or (_NAMES_CODE.search(key) and not harmless):
        raise refused(file, f"the key {key!r}, which can bring in code")
    if key in ("dtype", "torch_dtype") and inner not in _FLOATS:
        raise refused(file, f"{key} {inner!r}")


def _foreign(kind: Any, file: Path, kinds: Collection[str]) -> ArtefactError:
    return ArtefactError(
        f"one of the model types {', '.join(sorted(kinds))}, without code of its own",
        f"model_type {kind!r} in {file.parent}",
        "use a model of these types",
    )
