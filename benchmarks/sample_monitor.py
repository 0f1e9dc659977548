"""The sample company's stream on fresh seeds: planted surges found, decoys ignored, alerts outside within the budget.

Models are trained once, on the training pool of another seed; every stream is replayed and backtested through the
command line; the first is replayed twice and must give the same bytes.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import fieldtune, interval, report, workspace

TRAINING_SEED = 1000
HOUR = pd.Timedelta(hours=1)


def company(folder: Path, seed: int) -> Path:
    """The news part of the company with this seed."""
    command = [sys.executable, "-m", "fieldtune_sample", "--out", folder, "--seed", seed, "--part", "news"]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "news"


def opened(alerts: Path) -> pd.DataFrame:
    """One row an incident: topic and the time it first fired."""
    lines = [json.loads(line) for line in alerts.read_text().splitlines()]
    rows = [
        (line["incident"], line["topic"], pd.Timestamp(line["time"])) for line in lines if line["state"] == "firing"
    ]
    frame = pd.DataFrame(rows, columns=["incident", "topic", "time"])
    return frame.sort_values("time").drop_duplicates("incident")


def inside(alerts: pd.DataFrame, topic: str, start: pd.Timestamp, end: pd.Timestamp, late: pd.Timedelta) -> pd.Series:
    """Which incidents opened in this window of this topic (of any topic when it is empty)."""
    mine = alerts["topic"] == topic if topic else pd.Series(True, index=alerts.index)
    return mine & (alerts["time"] >= start) & (alerts["time"] <= end + late)


def judge(news: Path, alerts_file: Path) -> dict[str, Any]:
    """Surges found, decoys that alerted, and incidents outside every planted surge."""
    alerts = opened(alerts_file)
    events = pd.read_csv(news / "events.csv", parse_dates=["time", "end"])
    decoys = pd.read_csv(news / "decoys.csv", parse_dates=["time", "end"], keep_default_na=False)
    planted = pd.Series(False, index=alerts.index)
    found = []
    for event in events.itertuples():
        hits = inside(alerts, event.topic, event.time, event.end, 6 * HOUR)
        planted |= hits
        found.append(bool(hits.any()))
    fooled = {
        decoy.kind: bool((inside(alerts, decoy.topic, decoy.time, decoy.end, 6 * HOUR) & ~planted).any())
        for decoy in decoys.itertuples()
    }
    return {"found": found, "decoys": fooled, "outside": int((~planted).sum())}


def weeks(backtest: dict[str, Any]) -> float:
    """How long a stream could alert: without the days of learning."""
    return float(backtest["topic_weeks"]) / int(backtest["topics"])


def main() -> None:
    """Print the share of surges found, of decoys that alerted, and outside alerts per week beside the budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default=",".join(map(str, range(1001, 1021))))
    parser.add_argument("--quick", action="store_true", help="two seeds")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")][: 2 if options.quick else None]
    results, same = [], True
    with workspace() as folder:
        training = company(folder / "training", TRAINING_SEED)
        home, model = folder / "home", folder / "model"
        trained = fieldtune("monitor", "train", "--data", training / "labelled.csv", "--out", model, home=home)
        for place, seed in enumerate(seeds):
            news = company(folder / f"company-{seed}", seed)
            config = news / "monitor.toml"
            config.write_text(config.read_text().replace('model = "model"', f"model = {json.dumps(str(model))}"))
            command = ("monitor", "replay", "--config", config, "--input", news / "stories.jsonl", "--alerts")
            fieldtune(*command, news / "alerts.jsonl", home=home)
            if place == 0:
                fieldtune(*command, news / "again.jsonl", home=home)
                same = (news / "alerts.jsonl").read_bytes() == (news / "again.jsonl").read_bytes()
            result = judge(news, news / "alerts.jsonl")
            backtest = fieldtune(
                "monitor", "backtest", "--alerts", news / "alerts.jsonl", "--events", news / "events.csv",
                "--config", config, "--input", news / "stories.jsonl", home=home,
            )  # fmt: skip
            results.append({"seed": seed, **result, "backtest": backtest})
            budget = tomllib.loads(config.read_text())["budget"]
            print(f"seed {seed}: {result}", file=sys.stderr, flush=True)
    found = [hit for result in results for hit in result["found"]]
    fooled = [hit for result in results for hit in result["decoys"].values()]
    outside = [result["outside"] / weeks(result["backtest"]) for result in results]
    rng = np.random.default_rng(0)
    report({
        "found": float(np.mean(found)), "found_interval": interval(found, rng),
        "decoys_alerting": float(np.mean(fooled)), "decoys_interval": interval(fooled, rng),
        "outside_per_week": float(np.mean(outside)), "outside_interval": interval(outside, rng), "budget_per_week": budget,
        "second_replay_identical": same, "seeds": len(seeds), "runs": results, "training": trained,
    })  # fmt: skip


if __name__ == "__main__":
    main()
