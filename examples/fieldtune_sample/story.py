"""The report of the demo: figures in, one page with pictures out; every figure stands beside its rival.

Knows what the figures mean, not how they came about; computes nothing but differences and shares.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fieldtune.evaluate import pictures
from fieldtune.evaluate.report import Report
from fieldtune.evaluate.significance import Interval

Figures = Mapping[str, Any]
HEADLINES = {
    "chatbot": "answerable questions answered with the right source",
    "monitor": "tone of later stories read rightly",
    "recommender": "nDCG@10 of lists against what visitors chose last",
}


def write(figures: Figures, out: Path) -> Path:
    """Write report.html, .md and .json (the page's blocks, and all figures) into `out`; returns the path of the page."""
    report = Report("fieldtune on Tidewater, the sample company")
    report.paragraph(
        "Tidewater (潮汐) is an online bank and shop of our own invention. Its records were written to the folder "
        f"company with seed {figures['seed']}; from them fieldtune made the three applications below. Nobody told the "
        "applications the truth that these figures are measured with."
    )
    report.table(_summary(figures), "In one table")
    _chatbot(report, figures["chatbot"])
    _monitor(report, figures["monitor"])
    _recommender(report, figures["recommender"])
    _loop(report, figures["loop"])
    report.heading("How long it took")
    report.table([{"step": name, "seconds": spent} for name, spent in figures["seconds"].items()])
    path = report.write(out)
    blocks = json.loads((out / "report.json").read_text(encoding="utf-8"))
    (out / "report.json.part").write_text(
        json.dumps({**blocks, "figures": figures}, ensure_ascii=False), encoding="utf-8"
    )
    (out / "report.json.part").replace(out / "report.json")
    return path


def _summary(figures: Figures) -> list[dict[str, Any]]:
    bot, stream, shop = figures["chatbot"], figures["monitor"], figures["recommender"]["figures"]
    alerted = sum(row["alerted"] for row in stream["decoys"])
    answers, always = bot["figures"], "answering always"
    told: list[tuple[str, str, Any, str, Any]] = [
        ("chatbot", "reciprocal rank of the right source", answers["mrr@10"], "words alone", bot["words_alone_mrr@10"]),
        ("chatbot", HEADLINES["chatbot"], answers["correct_first"], always, answers["recall@1"]),
        ("chatbot", "unanswerable questions answered (less is better)", answers["unanswerable_answered"], always, 1.0),
        ("monitor", "planted surges found", stream["found_share"], "surges on other days", stream["found_by_chance"]),
        ("monitor", "decoys that raised an alert (less is better)", alerted, "an alert on each", len(stream["decoys"])),
        ("recommender", "nDCG@10", shop["ndcg@10"], "recent popularity", _rival(shop, "recent_popularity")),
        ("recommender", "nDCG@10", shop["ndcg@10"], "the twin without text", _rival(shop, "without_text")),
        *(
            (name, f"after feedback: {HEADLINES[name]}", turn["after"], "before feedback", turn["before"])
            for name, turn in figures["loop"].items()
        ),
    ]
    names = ("application", "figure", "ours", "rival", "rival's figure")
    return [dict(zip(names, row, strict=True)) for row in told]


def _chatbot(report: Report, bot: Figures) -> None:
    report.heading("Chatbot: answers with sources, or says that a person should answer")
    built = bot["built"]
    report.paragraph(
        f"Built from {built['documents']} articles, {built['faq']} FAQ entries and {built['mined_pairs']} question-answer "
        f"pairs mined from past dialogues. {_sentence(built['reason'])}"
    )
    report.table(bot["asked"], "Some questions in words the bot never saw, in the order they come, right or wrong")
    scores = _scores(built)
    report.picture(
        pictures.bars(scores, built["winner"], "reciprocal rank of the right source on held-out questions"),
        "Which version ships: words alone, with the frozen encoder, with the encoder fine-tuned on the company's questions",
    )
    keys = ("correct_first", "coverage", "answered_wrong", "unanswerable_answered", "recall@1", "mrr@10", "n")
    tables = {"all": bot["figures"], **bot["figures"]["languages"]}
    report.table(
        [{"language": name, **{key: table.get(key) for key in keys}} for name, table in tables.items()],
        "Test questions; their wordings come from a pool that no training text was made from",
    )


def _monitor(report: Report, stream: Figures) -> None:
    report.heading("Monitor: alerts when negative opinion surges, and only then")
    replayed, backtest = stream["replayed"], stream["backtest"]
    report.paragraph(
        f"{replayed['rows']:,} stories read, {replayed['copies']:,} of them copies that do not count, {replayed['broken']} "
        f"lines broken. {backtest['found']} of {backtest['events']} planted surges found, {stream['outside']} alerts "
        f"outside of them in {backtest['topic_weeks'] / max(backtest['topics'], 1):.0f} weeks."
    )
    for chart in stream["charts"]:
        report.picture(_series(chart), _caption(chart))
    report.table(stream["surges"], "Every planted surge")
    report.table(
        stream["decoys"], "Every decoy: volume without tone, one story copied 25 times, a slow drift, an outage"
    )
    slots = stream["trained"]["slots"]
    report.table(
        [{"model": name, "ships": slot["method"], **slot["validation_accuracy"]} for name, slot in slots.items()],
        "Accuracy on wordings that training never saw: the bag of character n-grams (linear), the frozen encoder with a "
        "head, and the fine-tuned encoder; the best of each row ships",
    )


def _series(chart: Figures) -> Any:
    times = [datetime.fromisoformat(time) for time in chart["time"]]
    alerts = [(datetime.fromisoformat(time), f"alert on {time[:16]} UTC") for time in chart["alerts"]]
    return pictures.series(
        times, chart["negatives"], chart["expected"], (chart["low"], chart["high"]), alerts,
        label="negative stories in 6 hours", title=chart["topic"],
    )  # fmt: skip


def _caption(chart: Figures) -> str:
    span = f"{chart['from'][:16].replace('T', ' ')} to {chart['to'][:16].replace('T', ' ')} UTC"
    if chart["kind"] == "surge":
        return f"A planted surge, {span}: negative stories, what was expected, the usual range, and the alert"
    told = "no alert" if not chart["alerts"] else "alerts are marked"
    return f"A decoy, {span}: five times as many stories in the usual mix of tones; {told}"


def _recommender(report: Report, part: Figures) -> None:
    report.heading("Recommender: lists from texts and behaviour")
    figures, lists = part["figures"], part["lists"]
    report.paragraph(
        f"Measured on events after the time cut, {figures['n_users']} users, whole catalogue. {_sentence(part['trained']['reason'])}"
    )
    ours = f"ours ({figures['answers_with'].replace('_', ' ')})"
    rivals = sorted(figures["rivals"].items(), key=lambda pair: -pair[1]["ndcg@10"])
    report.picture(
        pictures.bars(
            {ours: figures["ndcg@10"], **{name.replace("_", " "): row["ndcg@10"] for name, row in rivals}},
            ours,
            "nDCG@10",
        ),
        "Every rival, fitted on the same events",
    )
    report.table(
        [
            {"rival": name.replace("_", " "), "nDCG@10": row["ndcg@10"], "recall@10": row["recall@10"],
             "our gain in nDCG@10, 95 %": Interval(**row["gain"]) if row.get("gain") else None}
            for name, row in rivals
        ],
        "Our gain over each, with its paired interval",
    )  # fmt: skip
    report.paragraph(
        f"One visitor, {lists['user']}, who in truth likes {', '.join(lists['interests'])}, and chose of late: "
        + "; ".join(lists["history"])
        + f". Of the lists of {lists['users']} visitors {lists['in_interests']['with text']:.0%} lie in their true "
        f"interests with text, {lists['in_interests']['without text']:.0%} without."
    )
    places = range(max(len(lists["with text"]), len(lists["without text"])))
    report.table(
        [
            {"place": place + 1, **_side(lists["with text"], place, "with text"),
             **_side(lists["without text"], place, "without text")}
            for place in places
        ],
        "The same visitor's list with text and without (✓: in their true interests)",
    )  # fmt: skip


def _side(rows: list[Figures], place: int, name: str) -> dict[str, str]:
    if place >= len(rows):
        return {name: ""}
    return {name: ("✓ " if rows[place]["in true interests"] else "") + str(rows[place]["title"])}


def _loop(report: Report, loops: Figures) -> None:
    report.heading("Feedback: what users say makes it better, or is refused")
    report.paragraph(
        "Simulated users who know the truth spoke through the functions of the three pages. First careless ones, 30 % of "
        "whose statements are random; their words were erased again. Then honest ones. Every figure was taken on rows "
        "that no feedback touched."
    )
    report.table(
        [
            {"application": name, "figure": HEADLINES[name], "before": turn["before"], "after": turn["after"],
             "promoted": turn["promoted"], "careless users refused": turn["refused_with_noise"],
             "rollback gives the same bytes": turn["rollback_identical"]}
            for name, turn in loops.items()
        ]
    )  # fmt: skip
    better = [name for name, turn in loops.items() if turn["promoted"]] or list(loops)
    for name in better[:1]:
        turn = loops[name]
        report.picture(
            pictures.bars(
                {"before feedback": turn["before"], "after feedback": turn["after"]}, "after feedback", HEADLINES[name]
            ),
            f"The {name} before and after the feedback of its users",
        )
    asked = loops["chatbot"]
    report.table(
        [
            {"the chatbot's questions": label, "right source first, before": asked["figures_before"][kind]["correct_first"],
             "after": asked["figures_after"][kind]["correct_first"]}
            for kind, label in (("new", "never asked by anybody"), ("again", "asked before, typed by somebody else"))
        ],
        "Customers ask common questions again and again: that is where their corrections help most",
    )  # fmt: skip
    report.table(
        [
            {"application": name, "users": kind, "said": ", ".join(f"{count} x {what}" for what, count in turn[kind]["said"].items()),
             "promoted": turn[kind]["promoted"], "why": turn[kind]["reason"]}
            for name, turn in loops.items()
            for kind in ("careless", "honest")
        ],
        "Why each was promoted or refused",
    )  # fmt: skip


def _scores(verdict: Figures) -> dict[str, float]:
    return {row["name"]: row["score"] for row in verdict["standings"]}


def _rival(figures: Figures, name: str) -> float | None:
    """A rival's figure; our own when the rival is what ships."""
    if figures["answers_with"] == name:
        return float(figures["ndcg@10"])
    found: float | None = figures["rivals"].get(name, {}).get("ndcg@10")
    return found


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:] + "."
