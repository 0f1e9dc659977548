"""The text tower: item texts to vectors, frozen or tuned on what was liked after what.

An adapter to the core's encoder and fine-tuning; knows nothing of ranking.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fieldtune import pipeline
from fieldtune.errors import ArtefactError
from fieldtune.models import Embedder, load, load_encoder
from fieldtune.models.folder import CARD, MANIFEST
from fieldtune.tasks import resolved
from fieldtune_recommender import bundle
from fieldtune_recommender.records import Catalogue, Floats

MAX_LENGTH = 48
#: A fixed budget: some four minutes on two cores without bf16, whatever the size of the log.
SETTINGS: Mapping[str, Any] = {
    "max_steps": 60,
    "epochs": 50,
    "batch_rows": 64,
    "learning_rate": 1e-4,
    "max_length": MAX_LENGTH,
}


def check(settings: Mapping[str, Any]) -> None:
    """Whether the tower could be trained with these changes.

    Raises:
        ConfigError: an unknown setting, one that is not read, or a value it cannot have.
    """
    resolved("embedding", "full", {**SETTINGS, **settings})


def encoder(model: str | Path) -> Embedder:
    """An encoder by name ("default", a hub name, a folder), or one saved by fieldtune, verified.

    The card makes a pretrained encoder a model folder of its own once it is saved.
    """
    if not all((Path(model) / name).is_file() for name in (MANIFEST, CARD)):
        found = load_encoder(model, MAX_LENGTH)
        found.card = {"task": "embedding", "method": "frozen", "max_length": MAX_LENGTH}
        return found
    loaded = load(model)
    if not isinstance(loaded, Embedder):
        raise ArtefactError("a text encoder", f"a classifier in {model}", "name a model of the task embedding")
    return loaded


def encode(embedder: Embedder, catalogue: Catalogue) -> Floats:
    """float32[items, d] as a bundle stores them, unit length; a zero row where an item has no text."""
    vectors = embedder.encode(list(catalogue.texts))
    vectors[[not text.strip() for text in catalogue.texts]] = 0
    return bundle.as_stored(vectors)


def tune(
    rows: pd.DataFrame, model: str | Path, out: Path, *, settings: Mapping[str, Any], seed: int, progress: bool
) -> Embedder:
    """Fine-tune the encoder on (query, positive) rows for a fixed number of steps; resumes an unfinished `out`."""
    chosen = {"scrub": False, **SETTINGS, **settings}  # what a shop says of its items is public
    done = pipeline.finetune(
        "embedding", rows, model=str(model), out=out, settings=chosen, seed=seed, progress=progress
    )
    return encoder(done.path)
