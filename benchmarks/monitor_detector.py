"""The detector alone on synthetic streams: false alarms under a realistic null, power, tone without volume
and volume without tone, beside the rule most tools use.

400 topics in four volume classes, 15-minute buckets, weekday and hour profile, negative-binomial counts, beta-binomial
tone, slow drift of 25 %; six weeks to learn, eight to test; budget .2 false alerts per topic-week and signal.
"""

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import machine, report
from fieldtune_monitor.alerting import AlertConfig, Transition
from fieldtune_monitor.engine import begin, observe
from fieldtune_monitor.spikes import DetectorConfig

RATES = (0.3, 1.0, 3.0, 10.0)  # stories an hour
SHARE, SPREAD, CONCENTRATION, DRIFT, DRIFT_DAYS = 0.2, 0.15, 40.0, 0.25, 14.0
WEEK, LEARNING, WEEKS, EVENT = 672, 6, 14, 48
Array = NDArray[np.float64]


@dataclass
class World:
    """Counts [T, K] of documents and negatives, and the expected documents behind them."""

    documents: Array
    negatives: Array
    mean: Array


def world(topics: int, rng: np.random.Generator) -> World:
    """A stream without any surge."""
    steps = WEEKS * WEEK
    hour, day = np.arange(168) % 24, np.arange(168) // 24
    profile = np.where((hour >= 8) & (hour < 18), 1.0, np.where((hour >= 6) & (hour < 22), 0.45, 0.12))
    profile = profile * np.where(day < 5, 1.0, 0.4)
    profile /= profile.mean()
    keep = np.exp(-1 / (DRIFT_DAYS * 96))
    level, now = np.empty((steps, topics)), rng.normal(size=topics)
    for t in range(steps):
        now = keep * now + rng.normal(size=topics) * np.sqrt(1 - keep**2)
        level[t] = now
    rate = np.repeat(RATES, topics // len(RATES)) / 4
    mean = rate * profile[np.arange(steps) // 4 % 168][:, None] * np.exp(DRIFT * level - DRIFT**2 / 2)
    documents = rng.poisson(mean * rng.gamma(1 / SPREAD, SPREAD, mean.shape))
    tone = rng.beta(CONCENTRATION * SHARE, CONCENTRATION * (1 - SHARE), mean.shape)
    return World(documents.astype(float), rng.binomial(documents, tone).astype(float), mean)


def run(stream: World, budget: float) -> list[Transition]:
    """All transitions at a budget per topic-week and signal."""
    topics = stream.documents.shape[1]
    config, rules = DetectorConfig(budget=budget * topics * 2), AlertConfig()
    memory, found = begin(tuple(map(str, range(topics))), config), []
    for t in range(len(stream.documents)):
        counts = stream.documents[t], stream.negatives[t]
        memory, _, happened = observe(memory, t, t // 4 % 168, *counts, config, rules)
        found += [change for change in happened if change.state == "firing"]
    return found


def common_rule(negatives: Array) -> Array:
    """Alerts per topic of "24 h above the mean of seven days + 3 sd", at most one a day, in the test weeks. [K]"""
    days = np.add.accumulate(negatives)
    day = days[96:] - days[:-96]
    alerts, last = np.zeros(negatives.shape[1]), np.full(negatives.shape[1], -96)
    for t in range(LEARNING * WEEK, len(day)):
        past = day[t - 7 * 96 : t : 96]
        fires = (day[t] > past.mean(0) + 3 * past.std(0, ddof=1)) & (day[t] >= 3) & (t - last >= 96)
        alerts += fires
        last = np.where(fires, t, last)
    return alerts


def by_class(values: Array) -> dict[str, float]:
    """Mean per volume class."""
    return {f"{rate}/h": float(part.mean()) for rate, part in zip(RATES, np.split(values, len(RATES)), strict=True)}


def null(topics: int, rng: np.random.Generator, budget: float) -> dict[str, Any]:
    """Alarms per topic-week without any surge."""
    stream = world(topics, rng)
    started = time.perf_counter()
    found = [change for change in run(stream, budget) if change.bucket >= LEARNING * WEEK]
    seconds = time.perf_counter() - started
    result: dict[str, Any] = {"updates_per_second": stream.documents.size / seconds}
    for signal in ("count", "tone", "volume-driven"):
        alarms = np.zeros(topics)
        for change in found:
            alarms[change.topic] += change.signal == signal
        weekly = alarms / (WEEKS - LEARNING)
        result[signal] = {"all": float(weekly.mean()), **by_class(weekly)}
    weekly = common_rule(stream.negatives) / (WEEKS - LEARNING)
    return {**result, "rule_24h_over_7d_3sd": {"all": float(weekly.mean()), **by_class(weekly)}}


def power(topics: int, rng: np.random.Generator, budget: float, kind: str, factor: float) -> dict[str, Any]:
    """Events of 12 business hours, one a topic in each of four test weeks: found, median delay, info only."""
    stream, events = world(topics, rng), []
    for k in range(topics):
        for week in (7, 9, 11, 13):
            start = week * WEEK + int(rng.integers(0, 5)) * 96 + int(rng.integers(8, 12)) * 4
            events.append((k, start))
            plant(stream, k, slice(start, start + EVENT), kind, factor, rng)
    found: dict[int, list[Transition]] = {}
    for change in run(stream, budget):
        found.setdefault(change.topic, []).append(change)
    rows: list[tuple[float, float, float]] = []
    for k, start in events:
        hits = [change for change in found.get(k, []) if start <= change.bucket < start + EVENT + 8]
        told = [change.bucket - start + 1 for change in hits if change.told]
        rows.append((float(bool(told)), min(told, default=np.nan) / 4, float(any(not change.told for change in hits))))
    table = np.array(rows).reshape(len(RATES), -1, 3)
    return {
        f"{rate}/h": {
            "found": float(part[:, 0].mean()),
            "median_delay_hours": float(np.nanmedian(part[:, 1])) if part[:, 0].any() else None,
            "info_only": float(part[:, 2].mean()),
        }
        for rate, part in zip(RATES, table, strict=True)
    }


def plant(stream: World, k: int, span: slice, kind: str, factor: float, rng: np.random.Generator) -> None:
    """Add one event to a topic: more bad news, more news in the usual tone, or a darker tone."""
    noise = rng.gamma(1 / SPREAD, SPREAD, EVENT)
    if kind == "tone":
        p = min(SHARE * factor, 0.95)
        dark = rng.beta(CONCENTRATION * p, CONCENTRATION * (1 - p), EVENT)
        stream.negatives[span, k] = rng.binomial(stream.documents[span, k].astype(int), dark)
        return
    share = SHARE if kind == "negatives" else 1.0
    extra = rng.poisson(stream.mean[span, k] * share * (factor - 1) * noise)
    stream.documents[span, k] += extra
    stream.negatives[span, k] += extra if kind == "negatives" else rng.binomial(extra, SHARE)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=0.2, help="false alerts per topic-week and signal")
    parser.add_argument("--quick", action="store_true", help="40 topics")
    options = parser.parse_args()
    topics = 40 if options.quick else options.topics
    rng = np.random.default_rng(options.seed)
    events = [("negatives", 3.0), ("negatives", 5.0), ("negatives", 10.0), ("volume", 4.0), ("tone", 2.5)]
    report({
        "null": null(topics, rng, options.budget),
        "power": {f"{kind} x{factor:g}": power(topics, rng, options.budget, kind, factor) for kind, factor in events},
        "budget_per_topic_week_and_signal": options.budget, "topics": topics, "seed": options.seed, **machine(),
    })  # fmt: skip


if __name__ == "__main__":
    main()
