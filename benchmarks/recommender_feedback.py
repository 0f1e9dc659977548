"""Users of the sample shop go on buying; their purchases come back as feedback, honest or partly made up.

The shop is trained on the first part of its log. What its users really chose next is the feedback: kept as it is, it
must be promoted; with 30 % of the items replaced by dice it must be refused; a rollback must restore the same bytes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import fieldtune, report, workspace, write

SCRIPT = """
import sys
import pandas as pd
from fieldtune import feedback, registry
from fieldtune.runtime import now
with registry.open_home().begin() as connection:
    for row in pd.read_csv(sys.argv[1], dtype=str).to_dict("records"):
        payload = {"item": row["item"], "time": row["time"], "model": sys.argv[2]}
        one = feedback.Feedback("recommender", row["item"], "purchase", row["user"], payload=payload)
        feedback.record(connection, one, now())
"""
ASKED = 20


def choices(late: pd.DataFrame, early: pd.DataFrame, most: int) -> pd.DataFrame:
    """What users chose for the first time after the log ends: clicked or more, at most `most` rows, in order of time."""
    chosen = late[late["type"] != "view"].drop_duplicates(["user", "item"])
    known = chosen.merge(early[["user", "item"]].drop_duplicates(), on=["user", "item"], how="left", indicator=True)
    fresh = known[
        (known["_merge"] == "left_only") & known["user"].isin(early["user"]) & known["item"].isin(early["item"])
    ]
    return fresh[["user", "item", "time"]].head(most)


def noisy(rows: pd.DataFrame, share: float, items: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The same rows with a share of the items replaced by dice."""
    made_up = rng.random(len(rows)) < share
    return rows.assign(item=np.where(made_up, rng.choice(items, len(rows)), rows["item"])).drop_duplicates(
        ["user", "item"]
    )


def answers(model: Path, users: list[str], home: Path) -> list[Any]:
    """The lists of some users, without the id of the decision."""
    lists = [fieldtune("recommender", "recommend", "--model", model, "--user", user, home=home) for user in users]
    return [{key: value for key, value in one.items() if key != "decision"} for one in lists]


def told(rows: pd.DataFrame, file: Path, model: Path, home: Path) -> dict[str, Any]:
    """Record the rows and retrain."""
    write(rows, file)
    environment = {**os.environ, "FIELDTUNE_HOME": str(home)}
    subprocess.run([sys.executable, "-c", SCRIPT, str(file), str(model.resolve())], env=environment, check=True)
    return fieldtune("feedback", "retrain", "recommender", home=home)


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=3101)
    parser.add_argument("--kept", type=float, default=0.88, help="share of the log that is trained on")
    parser.add_argument("--rows", type=int, default=3000, help="feedback rows at most")
    parser.add_argument("--steps", type=int, default=60, help="of the text tower")
    parser.add_argument("--quick", action="store_true", help="frozen tower")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with workspace() as folder:
        command = [sys.executable, "-m", "fieldtune_sample", "--out", folder, "--seed", options.seed, "--part", "shop"]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
        shop, model, home, other = folder / "shop", folder / "model", folder / "home", folder / "home-noise"
        log = pd.read_csv(shop / "events.csv", dtype=str)
        early, late = log.iloc[: int(len(log) * options.kept)], log.iloc[int(len(log) * options.kept) :]
        fieldtune(
            "recommender", "train", "--events", write(early, folder / "early.csv"), "--items", shop / "items.csv",
            "--out", model, "--max-steps", 0 if options.quick else options.steps, "--seed", options.seed, home=home,
        )  # fmt: skip
        rows = choices(late, early, options.rows)
        users = list(dict.fromkeys(rows["user"]))[:ASKED]
        shutil.copytree(home, other)
        refused = told(noisy(rows, 0.3, early["item"].unique(), rng), folder / "noise.csv", model, other)
        before = answers(model, users, home)
        verdict = told(rows, folder / "rows.csv", model, home)
        changed = answers(model, users, home)
        scores = {row["name"]: row["score"] for row in verdict["standings"]}
        restored = None
        if verdict["promoted"]:
            fieldtune("models", "rollback", "recommender", home=home)
            restored = answers(model, users, home)
    report(
        {
            "promoted": verdict["promoted"],
            "before": scores.get("incumbent"),
            "after": max((score for name, score in scores.items() if name != "incumbent"), default=None),
            "reason": verdict["reason"],
            "refused_with_noise": not refused["promoted"],
            "noise_reason": refused["reason"],
            "lists_changed": sum(one["items"] != two["items"] for one, two in zip(before, changed, strict=True)),
            "rollback_identical": restored is not None and json.dumps(restored) == json.dumps(before),
            "rows": len(rows),
            "standings": verdict["standings"],
        }
    )


if __name__ == "__main__":
    main()
