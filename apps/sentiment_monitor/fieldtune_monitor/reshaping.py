"""Memory after a change of the configuration: other topics, or another model (pure).

A topic that stays keeps all it has learned; a new one starts learning; one that went is forgotten. A new model counts
other stories as negative, so the usual level of negatives is learned anew, while volumes and seasons are kept.
An incident whose topic is forgotten or learns anew ends here: nothing would ever resolve it.
"""

from dataclasses import replace

import numpy as np

from fieldtune_monitor import alerting
from fieldtune_monitor.baseline import Baseline
from fieldtune_monitor.engine import Memory, begin
from fieldtune_monitor.spikes import DetectorConfig, DetectorState, Recent

FAINT = 0.02  # weight left to the volumes of the old model's time, so that negatives since then can be told apart


Ends = tuple[alerting.Transition, ...]


def with_topics(memory: Memory, topics: tuple[str, ...], last: int, config: DetectorConfig) -> tuple[Memory, Ends]:
    """The same memory for another set of topics, in another order perhaps; and the incidents that end with a topic.

    Args:
        last: the last closed bucket. The topics of the transitions are numbers among the old topics.
    """
    old = memory.detector
    gone = (k for k, name in enumerate(old.topics) if name not in topics)
    _, ends = alerting.ended(memory.alerts, gone, last, "topic no longer watched")
    fresh = begin(topics, config)
    pairs = [(old.topics.index(name), k) for k, name in enumerate(topics) if name in old.topics]
    was, now = [a for a, _ in pairs], [b for _, b in pairs]

    def move(values: np.ndarray, empty: np.ndarray, axis: int = 0) -> np.ndarray:
        out = np.array(np.broadcast_to(empty, empty.shape))
        if axis == 0:
            out[now] = values[was]
        else:
            out[:, now] = values[:, was]
        return out

    base, bare = old.baseline, fresh.detector.baseline
    shared = {"season_mass", "season_time"}
    columns = {
        name: getattr(base, name) if name in shared else move(getattr(base, name), getattr(bare, name))
        for name in Baseline.__dataclass_fields__
    }
    state = DetectorState(
        topics,
        move(old.first, fresh.detector.first),
        old.last,
        -1,  # the profile is computed afresh with the next bucket
        Baseline(**columns),
        _recent(old.recent, len(topics), was, now),
        *(move(getattr(old, name), getattr(fresh.detector, name)) for name in ("log_count", "log_share", "log_volume")),
    )
    states = list(fresh.alerts.topics)
    for a, b in pairs:
        states[b] = memory.alerts.topics[a]
    alerts = alerting.AlertState(tuple(states), move(memory.alerts.reset, fresh.alerts.reset))
    return replace(memory, detector=state, alerts=alerts), ends


def _recent(recent: Recent, topics: int, was: list[int], now: list[int]) -> Recent:
    def widen(rows: np.ndarray) -> np.ndarray:
        out = np.zeros((len(rows), topics), dtype=rows.dtype)
        out[:, now] = rows[:, was]
        return out

    names = ("documents", "negatives", "expected", "variance", "usable")
    return replace(recent, **{name: widen(getattr(recent, name)) for name in names})


def with_model(memory: Memory, last: int, config: DetectorConfig) -> tuple[Memory, Ends]:
    """The same memory for another model: every topic learns its negatives for the learning time of a new topic; and the
    incidents that end with what the old model called usual. `last`: the last closed bucket.
    """
    state, base = memory.detector, memory.detector.baseline
    none = np.zeros_like(base.negative_mass)
    faint = ("volume_mass", "exposure", "long_volume", "long_exposure")
    emptied = ("negative_mass", "long_negative", "share_negative", "share_total", "negative_spread", "negative_weight")
    relearned = replace(base, **{name: getattr(base, name) * FAINT for name in faint}, **dict.fromkeys(emptied, none))
    ago = (config.first_learning - config.learning) // config.bucket
    first = np.full_like(state.first, state.last - max(ago, 0))
    recent = replace(state.recent, learned=np.ones_like(state.recent.learned))
    quiet = np.full_like(state.log_count, -np.inf)
    moved = replace(
        state, first=first, baseline=relearned, recent=recent, log_count=quiet, log_share=quiet, log_volume=quiet
    )
    alerts, ends = alerting.ended(memory.alerts, range(len(state.topics)), last, "the model changed")
    return replace(memory, detector=moved, alerts=alerts), ends
