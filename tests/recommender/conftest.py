"""A small shop with known tastes, written for these tests: eight topics, English and Chinese, taste drives events."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldtune_recommender import reading
from fieldtune_recommender.records import Log

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOPICS = {
    "coffee": ("espresso grinder crema roast beans", "kettle pour filter brew cup"),
    "hiking": ("trail boots ridge summit pack", "tent stove camp map compass"),
    "chess": ("opening gambit endgame knight board", "clock rook pawn tactics study"),
    "garden": ("soil seedling compost spade rose", "hedge shears bulb mulch pot"),
    "茶": ("绿茶 乌龙 茶壶 茶杯", "普洱 茶叶 茶盘 红茶"),
    "书法": ("毛笔 宣纸 墨汁 字帖", "砚台 印章 楷书 行书"),
    "music": ("guitar strings chord amp tuner", "vinyl record needle bass drum"),
    "sewing": ("needle thread fabric hem button", "pattern zipper cotton scissors wool"),
}


def make_shop(folder: Path, seed: int = 0, users: int = 90, items: int = 160, events: int = 3600) -> tuple[Path, Path]:
    """Write events.csv and items.csv; users like one or two topics, and their last items' topic above all."""
    rng = np.random.default_rng(seed)
    names = list(TOPICS)
    topic = rng.integers(0, len(names), items)
    words = [" ".join(rng.choice(TOPICS[names[t]][0].split() + TOPICS[names[t]][1].split(), 3)) for t in topic]
    table = pd.DataFrame(
        {
            "item": [f"i{number:03d}" for number in range(items)],
            "title": [f"{word} {number}" for number, word in enumerate(words)],
            "category": [names[t] for t in topic],
            "tags": ["|".join(word.split()) for word in words],
            "description": ["" if number % 3 else f"<b>{word}</b>" for number, word in enumerate(words)],
        }
    )
    tastes = rng.dirichlet(np.full(len(names), 0.15), users)
    appeal = rng.gamma(1.0, 1.0, items)
    rows = []
    for step in range(events):
        user = int(rng.integers(0, users))
        fashion = 1.0 + 2.0 * (np.arange(items) % 20 == step * 20 // events)
        weight = tastes[user][topic] * appeal * fashion + 1e-4
        item = int(rng.choice(items, p=weight / weight.sum()))
        kind = str(rng.choice(["view", "click", "share", "buy"], p=[0.4, 0.3, 0.1, 0.2]))
        rows.append((f"u{user:03d}", f"i{item:03d}", kind, 1_700_000_000 + 60 * step))
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=["user", "item", "type", "time"]).to_csv(folder / "events.csv", index=False)
    table.to_csv(folder / "items.csv", index=False)
    return folder / "events.csv", folder / "items.csv"


@pytest.fixture(scope="session")
def shop_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Paths of events.csv and items.csv."""
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def shop_data(shop_files: tuple[Path, Path]) -> reading.Dataset:
    """The same, read."""
    return reading.read(*shop_files, reading.Schema())


@pytest.fixture
def log_of() -> Callable[..., Log]:
    """Make a log from (user, item, weight) rows; the row number is the time."""

    def build(*rows: tuple[int, int, float]) -> Log:
        users, items, weights = (np.array(column) for column in zip(*rows, strict=True))
        return Log(
            users.astype(np.int32),
            items.astype(np.int32),
            weights.astype(np.float32),
            weights > 0,
            np.arange(len(rows), dtype=np.float64),
        )

    return build


@pytest.fixture(scope="session")
def trained(
    shop_files: tuple[Path, Path], tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A trained folder with every method in it, and what training printed. Its registry is elsewhere."""
    from fieldtune_recommender import training

    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIELDTUNE_HOME", str(place / "home"))
        patch.setenv("FIELDTUNE_DTYPE", "float32")
        data = reading.read(*shop_files, reading.Schema())
        options = training.Options(model=str(tiny_encoder), steps=2, settings={"batch_rows": 16, "max_length": 24})
        result = training.train(data, reading.Schema(), place / "shop", options, now=NOW, progress=False)
    return place / "shop", result
