"""The detector: likelihoods against scipy, false alarms against the budget, power, and what it must not call bad news."""

import numpy as np
import pytest
from scipy import stats

from fieldtune_monitor import alerting, engine, ratios, snapshot, spikes
from fieldtune_monitor.alerting import AlertConfig
from fieldtune_monitor.lines import alert_line

HOURS = np.arange(168)
PROFILE = np.where((HOURS % 24 >= 8) & (HOURS % 24 < 18), 1.0, 0.25) * np.where(HOURS // 24 < 5, 1.0, 0.4)
PROFILE = PROFILE / PROFILE.mean()


def world(seed, topics, weeks, rate, share=0.2, drift=0.25):
    """Hourly counts [T, K] with a weekly profile, negative-binomial volume, beta-binomial tone and slow drift."""
    rng = np.random.default_rng(seed)
    steps = weeks * 168
    keep = np.exp(-1 / (14 * 24))
    log_drift = np.zeros((steps, topics))
    now = rng.normal(size=topics)
    for t in range(steps):
        now = keep * now + rng.normal(size=topics) * np.sqrt(1 - keep**2)
        log_drift[t] = now
    mean = rate * PROFILE[np.arange(steps) % 168][:, None] * np.exp(drift * log_drift - drift**2 / 2)
    documents = rng.poisson(mean * rng.gamma(1 / 0.15, 0.15, mean.shape))
    negatives = rng.binomial(documents, rng.beta(40 * share, 40 * (1 - share), mean.shape))
    return documents.astype(float), negatives.astype(float), mean, rng


def run(documents, negatives, config, rules=None):
    """All transitions of a world."""
    rules = rules or AlertConfig()
    memory = engine.begin(tuple(map(str, range(documents.shape[1]))), config)
    found = []
    for t, (n, x) in enumerate(zip(documents, negatives, strict=True)):
        memory, _, happened = engine.observe(memory, t, t % 168, n, x, config, rules)
        found += happened
    return found, memory


def config(topics, budget_each=0.2, **more):
    return spikes.DetectorConfig(bucket=3600, budget=budget_each * topics * 2, **more)


def fired(found, since=0):
    return [change for change in found if change.state == "firing" and change.told and change.bucket >= since]


def test_count_ratio_is_the_ratio_of_two_negative_binomials():
    x, mean, v = np.array([0.0, 3, 11]), np.array([0.4, 2.0, 5.0]), np.array([0.2, 0.5, 1.0])
    found = ratios.count_ratio(x, mean, v, (2.5, 4.0), 1.3)
    for k in range(3):
        r = 1 / v[k]
        null = stats.nbinom.logpmf(x[k], r, r / (r + 1.3 * mean[k]))
        for place, m in enumerate((2.5, 4.0)):
            want = stats.nbinom.logpmf(x[k], r, r / (r + m * mean[k])) - null
            assert found[k, place] == pytest.approx(want, abs=1e-9)


def test_share_ratio_is_the_ratio_of_two_beta_binomials():
    found = ratios.share_ratio(np.array([4.0, 0.0]), np.array([6.0, 0.0]), np.array([0.2, 0.3]), np.array([80.0, 80.0]),
                               (4.0,), 1.25, 40.0)  # fmt: skip
    c = 1 / (1 / 40 + 1 / 80)

    def log_pmf(odds_times):
        odds = 0.25 * odds_times
        p = odds / (1 + odds)
        return stats.betabinom.logpmf(4, 6, c * p, c * (1 - p))

    assert found[0, 0] == pytest.approx(log_pmf(4.0) - log_pmf(1.25), abs=1e-9)
    assert found[1, 0] == 0.0


def test_mean_likelihood_ratio_is_one_at_the_edge_of_normal():
    counts = np.arange(400.0)
    r, mean = 1 / 0.3, np.full(400, 2.0)
    weights = stats.nbinom.pmf(counts, r, r / (r + 1.3 * 2.0))
    ratio = np.exp(ratios.count_ratio(counts, mean, np.full(400, 0.3), (2.5, 8.0), 1.3))
    assert (weights[:, None] * ratio).sum(0) == pytest.approx([1.0, 1.0], abs=1e-6)


@pytest.mark.parametrize("mean", [0.05, 1.0, 7.3, 120.0])
def test_interval_holds_the_quantiles_of_the_distribution(mean):
    low, high = ratios.interval(mean, mean + 0.4 * mean**2)
    r = 1 / 0.4
    assert (low, high) == tuple(stats.nbinom.ppf([0.05, 0.95], r, r / (r + mean)))


def lines_of(documents, negatives, settings, since):
    """A line for every topic and bucket from `since` on, as an alert would tell it. [T - since][K]"""
    memory, found = engine.begin(tuple(map(str, range(documents.shape[1]))), settings), []
    for t, (n, x) in enumerate(zip(documents, negatives, strict=True)):
        memory, verdict, _ = engine.observe(memory, t, t % 168, n, x, settings, AlertConfig())
        changes = (alerting.Transition(k, "firing", "count", 1, t, t, True) for k in range(documents.shape[1]))
        if t >= since:
            found.append([alert_line("r", "a", c, verdict, settings, opened=0, time=3600 * t) for c in changes])
    return found


def test_the_usual_band_of_an_alert_holds_nine_of_ten_usual_windows():
    """Six hours without any surge, of topics with few and with many stories."""
    documents, negatives, _, _ = world(11, 30, 12, np.repeat([3.0, 20.0], 15), drift=0.0)
    lines = lines_of(documents, negatives, config(30), 10 * 168)
    inside = np.array([[line.low <= line.observed <= line.high for line in row] for row in lines])
    above = np.array([[line.observed > line.high for line in row] for row in lines])
    for part in (slice(15), slice(15, 30)):
        assert 0.88 <= inside[:, part].mean() <= 0.965  # counts are whole numbers: a little above 0.9
        assert 0.02 <= above[:, part].mean() <= 0.08


@pytest.mark.parametrize(("topics", "share", "budget"), [(40, True, 1.0), (3, False, 0.1), (1, True, 7.0)])
def test_an_alert_at_the_threshold_is_as_rare_as_the_budget_says(topics, share, budget):
    settings = spikes.DetectorConfig(bucket=3600, budget=budget, share_signal=share)
    one, none = np.ones(topics), np.zeros(topics, dtype=bool)
    level = settings.log_threshold(topics)
    verdict = spikes.Verdict(level * one, 0 * one, one, level, share, none, none, one, none, one, one, one, one)
    change = alerting.Transition(0, "firing", "count", 1, 9, 9, True)
    line = alert_line("r", "a", change, verdict, settings, opened=0, time=0)
    assert line.weeks_between_false_alarms == pytest.approx(1 / budget, abs=1e-3)


def test_false_alarms_stay_within_half_the_budget_under_drift_and_a_learned_baseline():
    topics = 60
    documents, negatives, _, _ = world(1, topics, 14, np.tile([0.3, 1.0, 3.0, 10.0], topics // 4))
    found, _ = run(documents, negatives, config(topics))
    count = [c for c in fired(found, 6 * 168) if c.signal == "count"]
    tone = [c for c in fired(found, 6 * 168) if c.signal == "tone"]
    assert len(count) / (topics * 8) <= 0.10
    assert len(tone) / (topics * 8) <= 0.10


def test_a_smaller_budget_raises_the_threshold_in_proportion():
    one, tenth = config(10).log_threshold(10), config(10, budget_each=0.02).log_threshold(10)
    assert tenth - one == pytest.approx(np.log(10))
    assert np.exp(one) == pytest.approx(5 * 168)  # 0.2 a week and signal: every five weeks


def surges(kind, factor, rate, seed=3, topics=40):
    documents, negatives, mean, rng = world(seed, topics, 10, rate)
    starts = {}
    for k in range(topics):
        first = 7 * 168 + int(rng.integers(0, 5)) * 24 + 9
        starts[k] = first
        span = slice(first, first + 12)
        if kind == "tone":
            extra = rng.poisson(mean[span, k] * 0.2 * (factor - 1))
            negatives[span, k] += extra
        else:
            extra = rng.poisson(mean[span, k] * (factor - 1))
            negatives[span, k] += rng.binomial(extra, 0.2)
        documents[span, k] += extra
    found, _ = run(documents, negatives, config(topics))
    told = {
        k: [c.bucket - starts[k] for c in fired(found) if c.topic == k and 0 <= c.bucket - starts[k] < 14]
        for k in starts
    }
    quiet = {c.topic for c in found if not c.told and 0 <= c.bucket - starts[c.topic] < 14}
    return told, quiet


def test_a_fivefold_surge_of_bad_news_is_found_within_hours():
    told, _ = surges("tone", 5, 3.0)
    delays = [min(delay) for delay in told.values() if delay]
    assert len(delays) >= 0.95 * 40
    assert np.median(delays) + 1 <= 4


def test_four_times_the_volume_in_the_usual_tone_is_info_and_no_alert():
    told, quiet = surges("volume", 4, 3.0)
    assert sum(bool(delays) for delays in told.values()) <= 0.1 * 40
    assert len(quiet) >= 0.85 * 40


def test_a_new_normal_is_one_incident_and_is_learned():
    documents, negatives, _, rng = world(5, 8, 12, 3.0, drift=0.0)
    documents[7 * 168 :, 0] += rng.poisson(3.0 * PROFILE[np.arange(5 * 168) % 168] * 2)
    negatives[7 * 168 :, 0] = rng.binomial(documents[7 * 168 :, 0].astype(int), 0.5)
    found, _ = run(documents, negatives, config(8))
    mine = [c for c in found if c.topic == 0 and c.bucket >= 7 * 168]
    assert mine[0].state == "firing"
    closed = next(c for c in mine if c.state == "resolved" and c.note == "new normal")
    assert closed.bucket - mine[0].bucket <= 8 * 24
    assert len(fired([c for c in mine if c.bucket > closed.bucket])) <= 1


def test_the_baseline_learns_nothing_while_a_surge_lasts():
    documents, negatives, _, _ = world(6, 4, 8, 3.0)
    _, memory = run(documents, negatives, config(4))
    held = spikes.Bucket(8 * 168, 0, np.full(4, 50.0), np.full(4, 40.0), 1.0, np.full(4, True), np.full(4, False),
                         np.full(4, False))  # fmt: skip
    before, after = memory.detector, spikes.step(memory.detector, held, config(4))[0]
    assert (before.baseline.negative_mass == after.baseline.negative_mass).all()


def test_learning_topics_never_alert():
    documents, negatives, _, _ = world(7, 6, 1, 5.0)
    found, _ = run(documents, negatives * 0 + documents, config(6))
    assert not found


def test_memory_survives_as_text_bit_for_bit():
    documents, negatives, _, _ = world(8, 5, 4, 2.0)
    _, half = run(documents[:400], negatives[:400], config(5))
    _, whole = run(documents, negatives, config(5))
    again = snapshot.load(snapshot.dump(half))
    for t in range(400, len(documents)):
        again, _, _ = engine.observe(again, t, t % 168, documents[t], negatives[t], config(5), AlertConfig())
    assert snapshot.dump(again) == snapshot.dump(whole)


def test_silence_of_all_sources_is_no_data_and_resolves_nothing():
    documents, negatives, _, _ = world(9, 4, 5, 1.0)
    _, memory = run(documents, negatives, config(4))
    nothing = engine.Tally(np.zeros(4), np.zeros(4), 0)
    verdicts = []
    for t in range(len(documents) + 10, len(documents) + 40):
        memory, verdict, happened = engine.advance(memory, t, t % 168, nothing, config(4), AlertConfig())
        verdicts.append(verdict)
        assert not happened
    assert verdicts[-1] is None
    assert not memory.detector.recent.usable[-1].any()


def test_identifiers_are_the_same_for_the_same_history():
    assert alerting.incident_id("surge", "tea", "2026-01-01T00:00:00Z", 1) == alerting.incident_id(
        "surge", "tea", "2026-01-01T00:00:00Z", 1
    )
    assert alerting.notice_key("a", "tone", "firing") != alerting.notice_key("a", "tone", "resolved")


def test_what_a_step_found_can_be_read_off_the_state():
    documents, negatives, _, _ = world(3, 4, 3, 3.0)
    memory, settings = engine.begin(tuple("abcd"), config(4)), config(4)
    for t, (n, x) in enumerate(zip(documents, negatives, strict=True)):
        memory, verdict, _ = engine.observe(memory, t, t % 168, n, x, settings, AlertConfig())
    again = spikes.standing(snapshot.load(snapshot.dump(memory)).detector, settings)
    for name in spikes.Verdict.__dataclass_fields__:
        if name != "learning":
            np.testing.assert_array_equal(getattr(again, name), getattr(verdict, name), err_msg=name)
