"""The text sets of the few-label rows as tables text, label, on their protocols; and rows drawn from them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from benchmarks.common import data, text_of
from benchmarks.core_phrasebank import sentences

Pair = tuple[pd.DataFrame, pd.DataFrame]


def banking77() -> Pair:
    """Official train and test."""
    parts = [pd.read_csv(data("banking77") / f"{part}.csv.gz") for part in ("train", "test")]
    train, test = (part.rename(columns={"category": "label"})[["text", "label"]] for part in parts)
    return train, test


def trec() -> Pair:
    """Official train and test, the six coarse classes."""
    names = {"ABBR": "abbreviation", "DESC": "description", "ENTY": "entity", "HUM": "human", "LOC": "location",
             "NUM": "number"}  # fmt: skip
    train, test = (
        [line.split(" ", 1) for line in text_of(data("trec") / f"TREC.{part}.gz", "latin-1").strip().splitlines()]
        for part in ("train", "test")
    )
    frames = [pd.DataFrame([(text, names[tag.split(":")[0]]) for tag, text in part], columns=["text", "label"])
              for part in (train, test)]  # fmt: skip
    return frames[0], frames[1]


def phrasebank() -> Pair:
    """50-agree, duplicates dropped, stratified 80/20."""
    table = sentences("50").drop_duplicates("text").reset_index(drop=True)
    train, test = train_test_split(table, test_size=0.2, random_state=0, stratify=table["label"])
    return train.reset_index(drop=True), test.reset_index(drop=True)


def twitter_fin() -> Pair:
    """Official train, valid as test."""
    names = {0: "bearish", 1: "bullish", 2: "neutral"}
    parts = [pd.read_csv(data("twitter_fin_sentiment") / f"sent_{part}.csv.gz") for part in ("train", "valid")]
    train, test = (part.assign(label=part["label"].map(names))[["text", "label"]] for part in parts)
    return train, test


def bitext() -> Pair:
    """Instructions and their 27 intents, stratified 80/20."""
    table = pd.read_csv(data("bitext_support") / "train.csv.gz")
    table = table.rename(columns={"instruction": "text", "intent": "label"})[["text", "label"]].drop_duplicates("text")
    train, test = train_test_split(table, test_size=0.2, random_state=0, stratify=table["label"])
    return train.reset_index(drop=True), test.reset_index(drop=True)


SETS: dict[str, Callable[[], Pair]] = {
    "banking77": banking77, "trec": trec, "phrasebank": phrasebank, "twitter_fin": twitter_fin, "bitext": bitext,
}  # fmt: skip


def shots(table: pd.DataFrame, count: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``count`` rows of each class, and all the others."""
    rng = np.random.default_rng(seed)
    label = table["label"].to_numpy(dtype=str)
    drawn = np.concatenate([rng.permutation(np.flatnonzero(label == name))[:count] for name in sorted(set(label))])
    return table.iloc[drawn].reset_index(drop=True), table.drop(index=table.index[drawn]).reset_index(drop=True)
