"""A small support world, built once into a bot with a tiny random encoder."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from support_world import write_world

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """documents/, faq.csv, dialogues.jsonl, known.csv, test.csv."""
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def built(world: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The store of a bot built from the world, without a registry behind it."""
    from fieldtune_chatbot.build import Settings, build
    from fieldtune_chatbot.gathering import Inputs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIELDTUNE_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("FIELDTUNE_DTYPE", "float32")
        store = tmp_path_factory.mktemp("built") / "bot"
        inputs = Inputs(world / "documents", world / "faq.csv", world / "dialogues.jsonl", world / "known.csv")
        build(inputs, store, Settings(str(tiny_encoder), 0, 0), now=NOW, progress=False)
        yield store
