"""The version folder of a recommender: log, catalogue, vectors, trees, encoder; all that decides a list.

Staged, hashed and renamed by the core; verified before anything is read; no pickle. Knows nothing of training.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fieldtune.errors import ArtefactError
from fieldtune.evaluate.figures import without_nan
from fieldtune.models.folder import staged, verify
from fieldtune_recommender import ranker
from fieldtune_recommender.reading import Dataset
from fieldtune_recommender.records import Catalogue, Floats, Log
from fieldtune_recommender.schema import Schema

if TYPE_CHECKING:  # the class lives beside torch, which reading a bundle does not need
    from fieldtune.models import Embedder

APP = "recommender"
FORMAT = 1
CARD = "bundle.json"
ENCODER = "encoder"
#: Every method that may answer, the simplest first, with the vectors it reads.
METHODS: Mapping[str, str | None] = {
    "recent_popularity": None,
    "without_text": None,
    "frozen_text": "frozen",
    "tuned_text": "tuned",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a version folder holds.

    Attributes:
        data: the whole log and the catalogue.
        schema: how the user's tables name things.
        cut, ranker_cut: times where the test and the ranker's windows begin.
        answers_with: the method that makes the lists, a key of METHODS.
        vectors: "frozen" and, where it was tuned, "tuned" -> float32[items, d].
        rankers: a trained ranker for each method but recent popularity.
        popularity_knots: float64[2, m], recent popularity (log) and the probability it means.
        card: settings and held-out figures, as recorded at training.
    """

    data: Dataset
    schema: Schema
    cut: float
    ranker_cut: float
    answers_with: str
    vectors: Mapping[str, Floats]
    rankers: Mapping[str, ranker.Ranker]
    popularity_knots: np.ndarray
    card: Mapping[str, Any]


def write(bundle: Bundle, folder: Path, encoder: "Embedder | None") -> None:
    """Write a bundle in one rename.

    Args:
        encoder: what reads a stated interest; None where the answering method reads no text.
    """
    data = bundle.data
    with staged(folder, {"application": APP}) as place:
        pd.DataFrame({"user": data.users}).to_parquet(place / "users.parquet", index=False)
        _items(data.catalogue).to_parquet(place / "items.parquet", index=False)
        _events(data.log).to_parquet(place / "events.parquet", index=False)
        for name, vectors in bundle.vectors.items():
            np.save(place / f"vectors_{name}.npy", vectors.astype(np.float16), allow_pickle=False)
        for name, trained in bundle.rankers.items():
            (place / f"{name}.txt").write_text(trained.model, encoding="utf-8")
        if encoder is not None:
            (place / ENCODER).mkdir()
            encoder.save(place / ENCODER)
        card = {
            **without_nan(bundle.card),  # its figures; a cut or a knot that is none is a defect
            "format": FORMAT,
            "answers_with": bundle.answers_with,
            "cut": bundle.cut,
            "ranker_cut": bundle.ranker_cut,
            "has_time": data.has_time,
            "schema": asdict(bundle.schema),
            "repairs": dict(data.repairs),
            "vectors": sorted(bundle.vectors),
            "knots": {name: trained.knots.tolist() for name, trained in bundle.rankers.items()},
            "popularity_knots": bundle.popularity_knots.tolist(),
        }
        (place / CARD).write_text(
            json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False), encoding="utf-8"
        )


def read(folder: Path) -> Bundle:
    """Read and verify a version folder.

    Raises:
        InputError: there is none. ArtefactError: it is damaged, foreign, or of another format.
    """
    verify(folder)
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise ArtefactError(f"a recommender of format {FORMAT}", f"format {card['format']}", "train again")
        data = Dataset(
            _log(pd.read_parquet(folder / "events.parquet")),
            _catalogue(pd.read_parquet(folder / "items.parquet")),
            tuple(pd.read_parquet(folder / "users.parquet")["user"]),
            bool(card["has_time"]),
            card["repairs"],
        )
        return Bundle(
            data,
            Schema(**card["schema"]),
            float(card["cut"]),
            float(card["ranker_cut"]),
            str(card["answers_with"]),
            {name: as_stored(np.load(folder / f"vectors_{name}.npy", allow_pickle=False)) for name in card["vectors"]},
            {
                name: ranker.load((folder / f"{name}.txt").read_text(encoding="utf-8"), np.array(knots))
                for name, knots in card["knots"].items()
            },
            np.array(card["popularity_knots"]),
            card,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"a recommender folder at {folder}", f"{type(error).__name__}: {error}", "run: fieldtune recommender train"
        ) from error


def as_stored(vectors: np.ndarray) -> Floats:
    """float32 vectors exactly as a bundle gives them back: rounded to half precision."""
    return vectors.astype(np.float16).astype(np.float32)


def _items(catalogue: Catalogue) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item": catalogue.ids,
            "title": catalogue.titles,
            "text": catalogue.texts,
            "language": catalogue.languages,
            "added": catalogue.added,
        }
    )


def _catalogue(table: pd.DataFrame) -> Catalogue:
    return Catalogue(
        tuple(table["item"]),
        tuple(table["title"]),
        tuple(table["text"]),
        tuple(table["language"]),
        table["added"].to_numpy(np.float64),
    )


def _events(log: Log) -> pd.DataFrame:
    return pd.DataFrame(
        {"user": log.users, "item": log.items, "weight": log.weights, "positive": log.positive, "time": log.times}
    )


def _log(table: pd.DataFrame) -> Log:
    return Log(
        table["user"].to_numpy(np.int32),
        table["item"].to_numpy(np.int32),
        table["weight"].to_numpy(np.float32),
        table["positive"].to_numpy(bool),
        table["time"].to_numpy(np.float64),
    )
