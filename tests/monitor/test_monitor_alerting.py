"""The life cycle on hand-made verdicts: floors, hysteresis, cooldown, info and escalation."""

from dataclasses import replace

import numpy as np

from fieldtune_monitor import alerting
from fieldtune_monitor.alerting import AlertConfig
from fieldtune_monitor.spikes import DetectorConfig, Verdict

DETECTOR = DetectorConfig(bucket=3600)
RULES = AlertConfig()
A = 5.0


def verdict(count=0.0, share=0.0, volume=0.0, observed=5, calm=False, learning=False):
    """One topic's verdict; statistics in ln R, threshold 5."""
    one = np.array
    return Verdict(
        one([count]), one([share]), one([volume]), A, True, one([learning]), one([calm]), one([float(observed)]),
        one([observed >= 3]), one([1.0]), one([1.2]), one([1.0]), one([0.2]),
    )  # fmt: skip


def drive(*verdicts, state=None, first=100):
    state, found = state or alerting.start(1), []
    for bucket, given in enumerate(verdicts, first):
        state, happened = alerting.step(state, given, bucket, 1.0, DETECTOR, RULES)
        found += happened
    return state, found


CALM = verdict(calm=True)


def test_a_topic_learns_then_waits_then_fires_then_resolves():
    state, found = drive(verdict(learning=True), verdict(), verdict(count=3.0))
    assert state.topics[0].phase == "pending"
    assert alerting.holding(state, 103, DETECTOR).all()
    assert not alerting.holding(state, 140, DETECTOR).any()
    state, found = drive(verdict(count=6.0), CALM, CALM, CALM, CALM, CALM, state=state, first=103)
    assert [(c.state, c.signal) for c in found] == [("firing", "count"), ("resolved", "count")]
    assert state.reset.all()
    assert state.topics[0].phase == "resolved"


def test_too_few_stories_never_fire():
    state, found = drive(verdict(), verdict(count=9.0, share=9.0, observed=2))
    assert not found
    assert state.topics[0].phase == "pending"


def test_one_bucket_above_normal_keeps_it_firing():
    steps = [verdict(), verdict(count=6.0), CALM, CALM, CALM, verdict(count=6.0), CALM, CALM]
    state, found = drive(*steps)
    assert [c.state for c in found] == ["firing"]
    assert state.topics[0].phase == "firing"


LOUD = verdict(count=6.0)


def test_within_the_cooldown_a_short_return_is_the_same_incident_and_only_recorded():
    state, _ = drive(verdict(), LOUD, *[CALM] * 5)
    state, more = drive(LOUD, *[CALM] * 5, state=state, first=107)
    assert [(c.state, c.recorded, c.told, c.silent) for c in more] == [
        ("reopened", "firing", False, True), ("lapsed", "resolved", False, True)
    ]  # fmt: skip
    assert state.topics[0].sequence == 1
    state, _ = drive(*[CALM] * 20, state=state, first=113)
    state, later = drive(LOUD, state=state, first=140)
    assert (later[0].state, later[0].sequence, later[0].reopened) == ("firing", 2, -1)


def test_a_return_within_the_cooldown_that_lasts_is_told_as_is_its_end_each_time_under_a_key_of_its_own():
    state, found = drive(verdict(), LOUD, *[CALM] * 5)
    for first in (107, 117):
        state, more = drive(*[LOUD] * 4, *[CALM] * 5, state=state, first=first)
        assert [(c.state, c.told, c.bucket) for c in more] == [
            ("reopened", False, first), ("firing", True, first + 2), ("resolved", True, first + 8)
        ]  # fmt: skip
        found += more
    assert {(c.sequence, c.opened) for c in found} == {(1, 101)}
    keys = [alerting.notice_key("i", c.signal, c.state, c.reopened) for c in found if c.told]
    assert len(set(keys)) == len(keys) == 6


def test_a_return_that_is_bad_news_where_it_was_volume_before_is_told_at_once():
    volume = verdict(count=6.0, volume=6.0, share=0.1)
    state, _ = drive(verdict(), volume, *[CALM] * 5)
    _, more = drive(verdict(count=6.0, volume=6.0, share=4.0), state=state, first=107)
    assert [(c.state, c.told) for c in more] == [("firing", True)]
    _, more = drive(*[volume] * 3, *[CALM] * 5, state=state, first=107)
    assert [(c.state, c.told, c.silent) for c in more] == [
        ("reopened", False, True), ("firing", False, False), ("resolved", False, False)
    ]  # fmt: skip


def test_a_return_not_yet_told_ends_without_a_word_when_its_measure_goes():
    state, _ = drive(verdict(), LOUD, *[CALM] * 5)
    state, _ = drive(LOUD, state=state, first=107)
    assert [(c.state, c.told) for c in alerting.ended(state, [0], 107, "why")[1]] == [("lapsed", False)]


def test_volume_in_the_usual_tone_is_not_told_until_the_tone_backs_it():
    state, found = drive(verdict(), verdict(count=6.0, volume=6.0, share=0.1))
    assert [(c.signal, c.told) for c in found] == [("volume-driven", False)]
    state, more = drive(verdict(count=7.0, volume=7.0, share=4.0), state=state, first=110)
    assert [(c.state, c.signal, c.told, c.sequence) for c in more] == [("firing", "count", True, 1)]


def test_a_darker_tone_without_more_stories_is_tone():
    _, found = drive(verdict(), verdict(share=6.0))
    assert found[0].signal == "tone"


def test_few_sources_open_no_count_alert_and_resolve_nothing():
    state, _ = alerting.step(alerting.start(1), verdict(), 1, 1.0, DETECTOR, RULES)
    state, found = alerting.step(state, verdict(count=9.0), 2, 0.3, DETECTOR, RULES)
    assert not found
    state, found = alerting.step(state, verdict(share=9.0), 3, 0.3, DETECTOR, RULES)
    assert found
    for bucket in range(4, 20):
        state, found = alerting.step(state, CALM, bucket, 0.3, DETECTOR, RULES)
        assert not found


def test_the_reset_of_a_closed_incident_lasts_one_bucket():
    state, _ = drive(verdict(), verdict(count=6.0), *[CALM] * 5)
    assert state.reset.all()
    state, _ = drive(CALM, state=state, first=107)
    assert not state.reset.any()


def test_an_incident_whose_measure_is_gone_ends_with_a_note_and_only_once():
    state, _ = drive(verdict(), verdict(count=6.0))
    calm, none = alerting.ended(alerting.start(2), range(2), 110, "why")
    assert (calm.topics, none) == (alerting.start(2).topics, ())
    state, found = alerting.ended(state, [0], 110, "why")
    assert [(c.state, c.sequence, c.opened, c.bucket, c.told, c.note) for c in found] == [
        ("resolved", 1, 101, 110, True, "why")
    ]
    assert alerting.ended(state, [0], 110, "why")[1] == ()
    volume, _ = drive(verdict(), verdict(count=6.0, volume=6.0, share=0.1))
    assert not alerting.ended(volume, [0], 110, "why")[1][0].told


def test_after_three_days_it_becomes_the_new_normal_and_learns_anew():
    state, _ = drive(verdict(), verdict(count=6.0))
    state = replace(state)
    loud = [verdict(count=8.0)] * 80
    state, found = drive(*loud, state=state, first=102)
    assert alerting.renewing(state, 182, DETECTOR, RULES).all()
    state, found = drive(*[CALM] * 5, state=state, first=182)
    assert found[0].note == "new normal"
    state, more = drive(verdict(count=9.0), state=state, first=190)
    assert not more
    assert state.topics[0].phase == "learning"
