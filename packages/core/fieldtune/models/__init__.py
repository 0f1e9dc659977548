"""Models on disk and in memory; the one loader of the repository lives in :mod:`fieldtune.models.trained`.

Names load lazily: :mod:`fieldtune.models.folder` is used without torch.
"""

from importlib import import_module
from typing import Any

__all__ = ["Classifier", "Embedder", "load", "load_encoder"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("fieldtune.models.trained"), name)
    raise AttributeError(f"module 'fieldtune.models' has no attribute {name!r}")
