"""`data check` on banking77 questions among which faults were planted: is each told with its row, and what is told besides.

A table of 3,000 train questions: copies, copies but for a few letters, empty texts, texts decoded with the wrong encoding,
wrong labels. A table of 1,000 test questions, in which some of the first stand again. A row that is told and was not planted
is a false alarm, unless all pairs compared find it nearly the same as another.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import fieldtune, report, workspace, write
from benchmarks.few_sets import banking77
from fieldtune.runtime import generator
from fieldtune.text.normalise import equality_key

ROWS, HELD_OUT, PLANTS = 3000, 1000, 50
WRONG = 0.05
NEAR, REALLY = 0.9, 0.7
"""Jaccard similarity of runs of five letters: of what is planted, and from which on a row told is no false alarm."""
SAME = ("duplicate", "near-duplicate", "leakage", "near-leakage")
LABEL = "likely-wrong-label"
Plants = dict[str, set[int]]


def main() -> None:
    """Print of each kind the share told, and the share of false alarms; of wrong labels apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=61)
    parser.add_argument("--quick", action="store_true", help="without the search for wrong labels")
    options = parser.parse_args()
    rng, (train, test) = generator(options.seed), banking77()
    train, test = (distinct(part, count, rng) for part, count in ((train, ROWS), (test, HELD_OUT)))
    table, plants = spoilt(train, rng)
    held_out, leaks = leaking(test, table.drop(index=sorted(set().union(*plants.values()))), rng)
    labels = [] if options.quick else ["--labels"]
    with workspace() as folder:
        rows, others = write(table, folder / "rows.csv"), write(held_out, folder / "held-out.csv")
        told = told_by(rows, *labels, home=folder)
        told_leaks = told_by(others, "--against", rows, home=folder)
        (folder / "western.csv").write_bytes(table.assign(text="café").to_csv(index=False).encode("cp1252"))
        fieldtune("data", "check", folder / "western.csv", home=folder, expect=1)
    found = {kind: share(own, told.get(kind, set())) for kind, own in plants.items() if kind != LABEL}
    found |= {kind: share(own, told_leaks.get(kind, set())) for kind, own in leaks.items()}
    near = {"rows": near_rows(table, table, earlier=True), "held_out": near_rows(held_out, table)}
    false = {"rows": alarms(told, plants, near["rows"]) / len(table),
             "held_out": alarms(told_leaks, leaks, near["held_out"]) / len(held_out)}  # fmt: skip
    wrong, doubted = plants[LABEL], told.get(LABEL, set())
    rest = len(table) - len(set().union(*plants.values()))
    labels_told = {"found": share(wrong, doubted), "false_alarms": len(doubted - set().union(*plants.values())) / rest}
    report({"least_found": min(found.values()), "most_false": max(false.values()), "found": found, "false": false,
            "planted": {kind: len(own) for kind, own in {**plants, **leaks}.items()},
            "wrong_labels": None if options.quick else labels_told, "rows": len(table), "held_out": len(held_out)})  # fmt: skip


def distinct(table: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows drawn at random, each text once."""
    table = table[~table["text"].map(equality_key).duplicated()]
    return table.iloc[rng.permutation(len(table))[:count]].reset_index(drop=True)


def spoilt(train: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, Plants]:
    """The table with its plants, in any order, and the rows of each kind from 0."""
    rows = [(text, label, "") for text, label in zip(train["text"], train["label"], strict=True)]
    names = sorted(set(train["label"]))
    for place in rng.permutation(len(rows))[: int(WRONG * len(rows))]:
        text, label, _ = rows[place]
        rows[place] = (text, str(rng.choice([name for name in names if name != label])), LABEL)
    right = [(text, label) for text, label, kind in rows if not kind]
    drawn = [right[place] for place in rng.permutation(len(right))]
    rows += [(f" {text.upper()}!", label, "duplicate") for text, label in drawn[:PLANTS]]
    close = [(changed(text, rng), label, text) for text, label in drawn[PLANTS:]]
    rows += [(new, label, "near-duplicate") for new, label, old in close if alike(new, old) >= NEAR][:PLANTS]
    rows += [(("  ", "\u200b", "\t")[place % 3], names[place], "empty-text") for place in range(PLANTS)]
    rows += [(misread(text, place), label, "misread-text") for place, (text, label) in enumerate(drawn[-PLANTS:])]
    # A copy comes after what it copies, and so it is the copy that is told.
    order = [*rng.permutation(len(train)).tolist(), *(len(train) + rng.permutation(len(rows) - len(train))).tolist()]
    made = [rows[place] for place in order]
    plants: Plants = {}
    for row, (_, _, kind) in enumerate(made):
        plants.setdefault(kind, set()).add(row)
    plants.pop("")
    return pd.DataFrame([row[:2] for row in made], columns=["text", "label"]), plants


def leaking(test: pd.DataFrame, train: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, Plants]:
    """The held-out table with rows of train among its own, and the rows of each kind from 0."""
    drawn = train.iloc[rng.permutation(len(train))]
    pairs = list(zip(drawn["text"], drawn["label"], strict=True))
    exact = [(text.lower(), label, "leakage") for text, label in pairs[:PLANTS]]
    close = [(changed(text, rng), label, text) for text, label in pairs[PLANTS:]]
    near = [(new, label, "near-leakage") for new, label, old in close if alike(new, old) >= NEAR][:PLANTS]
    rows = [(text, label, "") for text, label in zip(test["text"], test["label"], strict=True)] + exact + near
    rows = [rows[place] for place in rng.permutation(len(rows))]
    plants = {kind: {row for row, one in enumerate(rows) if one[2] == kind} for kind in ("leakage", "near-leakage")}
    return pd.DataFrame([row[:2] for row in rows], columns=["text", "label"]), plants


def changed(text: str, rng: np.random.Generator) -> str:
    """A letter doubled anywhere, or a word added."""
    at = int(rng.choice([place for place in range(1, len(text)) if text[place - 1].isalpha()]))
    return text[:at] + text[at - 1 :] if rng.random() < 0.5 else f"{text} thanks"


def misread(text: str, way: int) -> str:
    """Decoded as another encoding than it was written in."""
    text = f"{text} (It’s about £20, at the café)"
    return (
        text.encode("utf-8").decode("cp1252", "replace"),
        text.encode("utf-8").decode("latin-1"),
        text.encode("cp1252").decode("utf-8", "replace"),
    )[way % 3]


def told_by(file: Path, *options: object, home: Path) -> Plants:
    """Rows that `data check` tells, from 0, by kind; whitespace alone counts as empty."""
    told: Plants = {}
    findings: list[dict[str, Any]] = fieldtune("data", "check", file, *options, home=home)["findings"]
    for finding in findings:
        told.setdefault(finding["kind"], set()).update(row - 2 for row in finding["rows"])  # the header is row 1
    return told


def share(planted: set[int], told: set[int]) -> float:
    """Of the planted rows, those told."""
    return len(planted & told) / len(planted)


def alarms(told: Plants, plants: Plants, near: set[int]) -> int:
    """Rows told for what they are not."""
    false: set[int] = set()
    for kind in (*SAME, "empty-text", "missing-text", "misread-text"):
        false |= told.get(kind, set()) - plants.get(kind, set()) - (near if kind in SAME else set())
    return len(false)


def near_rows(table: pd.DataFrame, others: pd.DataFrame, earlier: bool = False) -> set[int]:
    """Rows that are nearly one of the others, or an earlier one of the same table, all pairs compared."""
    own, known = ([runs(text) for text in part["text"]] for part in (table, others))
    return {row for row, one in enumerate(own) if most(one, known[:row] if earlier else known) >= REALLY}


def most(one: frozenset[str], others: Sequence[frozenset[str]]) -> float:
    """The similarity to the most similar one."""
    long = [other for other in others if REALLY * len(one) <= len(other) <= len(one) / REALLY]
    return max((len(one & other) / len(one | other) for other in long), default=0.0)


def alike(one: str, other: str) -> float:
    """Jaccard similarity of two texts."""
    return len(runs(one) & runs(other)) / len(runs(one) | runs(other))


def runs(text: str) -> frozenset[str]:
    """The runs of five letters of a text."""
    key = equality_key(text)
    return frozenset(key[place : place + 5] for place in range(max(len(key) - 4, 1)))


if __name__ == "__main__":
    main()
