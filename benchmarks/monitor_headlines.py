"""Dated headlines, Dec 2017 - Jul 2020: replay with the given topics, backtest on the given events, and the placebo.

Daily buckets, 56 days to learn. Tone models are trained on PhraseBank (50-agree) and finance tweets, never on these
headlines; topics are the given patterns. The placebo replays the same days permuted within weekdays.
"""

import argparse
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common import data, fieldtune, machine, report, text_of, workspace, write


def headlines() -> pd.DataFrame:
    """time (date), title, source; empty rows out, line breaks folded."""
    folder, frames = data("headlines_2018_2020"), []
    for source in ("guardian", "cnbc"):
        table = pd.read_csv(io.StringIO(text_of(folder / f"{source}_headlines.csv.gz")), dtype=str).dropna(
            subset=["Headlines", "Time"]
        )
        stamp = table["Time"].str.extract(r"(\d{1,2} \w+ \d{4})", expand=False).str.replace("Sept ", "Sep ")
        time = pd.to_datetime(stamp, format="mixed", dayfirst=True, errors="coerce").dt.strftime("%Y-%m-%d")
        title = table["Headlines"].str.split().str.join(" ")
        frames.append(pd.DataFrame({"time": time, "title": title, "source": source}))
    both = pd.concat(frames).dropna().drop_duplicates(["time", "title"])
    return both.sort_values(["time", "source", "title"])


def labelled() -> pd.DataFrame:
    """title, sentiment, language: PhraseBank 50-agree and finance tweets (train)."""
    lines = text_of(data("financial_phrasebank") / "Sentences_50Agree.txt.gz", "latin-1").splitlines()
    bank = pd.DataFrame([line.strip().rsplit("@", 1) for line in lines if "@" in line], columns=["title", "sentiment"])
    folder = data("twitter_fin_sentiment")
    file = next(folder.glob("sent_train.csv*"))
    posts = pd.read_csv(file, dtype=str).rename(columns={"text": "title"})
    posts["sentiment"] = posts["label"].map({"0": "negative", "1": "positive", "2": "neutral"})
    rows = pd.concat([bank, posts[["title", "sentiment"]]]).drop_duplicates("title")
    return rows.assign(language="en")


def configuration(model: Path, budget: float) -> str:
    """TOML with the given patterns as topics; JSON strings are valid TOML."""
    topics = pd.read_csv(data("headlines_2018_2020") / "topics.csv")
    parts = [f'budget = {budget}\nbucket = "1d"\nwarmup = "56d"\ntimezone = "UTC"\nmodel = {json.dumps(str(model))}\n']
    for row in topics.itertuples():
        parts.append(f"[[topics]]\nname = {json.dumps(row.topic)}\nkeywords = [{json.dumps(f'/{row.pattern}/')}]\n")
    return "\n".join(parts)


def negatives_of(store: Path) -> pd.DataFrame:
    """topic, day, negatives: what the monitor counted."""
    with sqlite3.connect(store / "fieldtune.db") as connection:
        rows = connection.execute("SELECT topic, time, negatives FROM buckets").fetchall()
    table = pd.DataFrame(rows, columns=["topic", "day", "negatives"])
    return table.assign(day=pd.to_datetime(table["day"]).dt.tz_localize(None))


def outcomes(alerts: Path, store: Path) -> dict[str, Any]:
    """Events with an incident open or opened within two days, and on the same day; of all, and of the eligible ones,
    which have at least four negative headlines in three days."""
    events = pd.read_csv(data("headlines_2018_2020") / "events.csv", parse_dates=["time"])
    counted = negatives_of(store)
    spans: dict[str, list[tuple[str, pd.Timestamp, pd.Timestamp]]] = {}
    found: dict[str, dict[str, Any]] = {}
    for text in alerts.read_text().splitlines():
        line = json.loads(text)
        entry = found.setdefault(line["incident"], {"topic": line["topic"]})
        entry[line["state"]] = pd.Timestamp(line["time"]).tz_localize(None)
    for entry in found.values():
        if "firing" in entry:
            last = entry.get("resolved", entry["firing"])
            spans.setdefault(entry["topic"], []).append((entry["topic"], entry["firing"], last))
    hits = []
    for event in events.itertuples():
        mine = spans.get(event.topic, [])
        within = [s for _, s, e in mine if s <= event.time + pd.Timedelta(days=2) and e >= event.time]
        days = (counted["topic"] == event.topic) & counted["day"].between(event.time, event.time + pd.Timedelta(days=2))
        eligible = counted.loc[days, "negatives"].sum() >= 4
        same_day = any(s <= event.time for s in within)
        hits.append((f"{event.topic} {event.time.date()}", bool(within), same_day, bool(eligible)))
    fit = [hit for hit in hits if hit[3]]
    return {
        "events": len(hits), "within_two_days": sum(hit[1] for hit in hits), "same_day": sum(hit[2] for hit in hits),
        "eligible": len(fit), "eligible_within_two_days": sum(hit[1] for hit in fit),
        "eligible_same_day": sum(hit[2] for hit in fit), "missed": [hit[0] for hit in hits if not hit[1]],
    }  # fmt: skip


def main() -> None:
    """Print found, same day, alerts per topic-week and the placebo, per budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budgets", default="0.2,0.1,0.05", help="false alerts per topic-week and signal")
    parser.add_argument("--placebo", type=int, default=3)
    parser.add_argument("--methods", default="linear,head,full")
    parser.add_argument("--max-steps", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="one budget, one placebo, n-grams")
    options = parser.parse_args()
    budgets = [float(budget) for budget in options.budgets.split(",")][: 1 if options.quick else None]
    methods, placebo = ("linear", 1) if options.quick else (options.methods, options.placebo)
    topics = len(pd.read_csv(data("headlines_2018_2020") / "topics.csv"))
    with workspace() as folder:
        home, stories, model = folder / "home", folder / "stories.jsonl", folder / "model"
        table = headlines()
        table.to_json(stories, orient="records", lines=True, force_ascii=False)
        trained = fieldtune(
            "monitor", "train", "--data", write(labelled(), folder / "labelled.csv"), "--out", model,
            "--methods", methods, "--max-steps", options.max_steps, home=home,
        )  # fmt: skip
        results = {}
        for place, budget in enumerate(budgets):
            config, alerts = folder / f"{place}.toml", folder / f"{place}.jsonl"
            config.write_text(configuration(model, budget * topics * 2))
            store = folder / f"store-{place}"
            summary = fieldtune(
                "monitor",
                "replay",
                "--config",
                config,
                "--input",
                stories,
                "--alerts",
                alerts,
                "--store",
                store,
                home=home,
            )
            backtest = fieldtune(
                "monitor", "backtest", "--alerts", alerts, "--events", data("headlines_2018_2020") / "events.csv",
                "--config", config, "--input", stories, "--placebo", placebo if place == 0 else 0, home=home,
            )  # fmt: skip
            results[str(budget)] = {
                **outcomes(alerts, store), "alerts": summary["alerts"], "stories": summary["stories"],
                "alerts_per_topic_week": backtest["alerts"] / backtest["topic_weeks"], "backtest": backtest,
            }  # fmt: skip
        first = results[str(budgets[0])]
        report({**first, "budgets": results, "headlines": len(table), "training": trained["slots"], **machine()})


if __name__ == "__main__":
    main()
