"""fieldtune: fine-tune pretrained models on a company's own records.

Public names load on first use, so ``import fieldtune`` costs little and imports neither torch nor transformers.
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "finetune": "fieldtune.pipeline",
    "Finetuned": "fieldtune.pipeline",
    "measure": "fieldtune.using",
    "predict": "fieldtune.using",
    "load": "fieldtune.models",
    "load_encoder": "fieldtune.models",
    "Classifier": "fieldtune.models",
    "Embedder": "fieldtune.models",
    "read_table": "fieldtune.data.read",
    "FieldtuneError": "fieldtune.errors",
    "InputError": "fieldtune.errors",
    "ConfigError": "fieldtune.errors",
    "ArtefactError": "fieldtune.errors",
    "RefusedError": "fieldtune.errors",
    "MissingExtraError": "fieldtune.errors",
}
__all__ = ["__version__", *_WHERE]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # takes longer than all else here

        return version("fieldtune")
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'fieldtune' has no attribute {name!r}")
