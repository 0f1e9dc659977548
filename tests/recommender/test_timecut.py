"""Cuts: stable, and the past never contains an equal time."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fieldtune.errors import InputError
from fieldtune_recommender import timecut
from fieldtune_recommender.records import Log


def log_at(times: list[float]) -> Log:
    n = len(times)
    zeros = np.zeros(n, np.int32)
    return Log(zeros, zeros, np.ones(n, np.float32), np.ones(n, bool), np.array(sorted(times), np.float64))


def test_equal_times_keep_their_order() -> None:
    assert timecut.stable_order(np.array([2.0, 1.0, 2.0, 1.0])).tolist() == [1, 3, 0, 2]


@given(st.lists(st.integers(0, 3), min_size=30, max_size=80))
def test_windows_partition_the_log(steps: list[int]) -> None:
    times = np.cumsum(steps)
    assume(times[0] < times[int(0.7 * len(times))] < times[int(0.8 * len(times))])
    log = log_at(times.astype(float).tolist())
    cuts = timecut.windows(log)
    past = timecut.before(log, cuts.test)
    future = timecut.between(log, cuts.test, np.inf)
    assert len(past) + len(future) == len(log)
    assert past.times.max() < cuts.test <= future.times.min()
    assert log.times[0] < cuts.ranker < cuts.test


def test_row_order_gives_exact_shares() -> None:
    cuts = timecut.windows(log_at(list(map(float, range(1000)))))
    assert (cuts.ranker, cuts.test) == (700.0, 800.0)


@pytest.mark.parametrize("times", [[], [1.0] * 50, [float(n) for n in range(5)]])
def test_nothing_to_hold_out_is_said(times: list[float]) -> None:
    with pytest.raises(InputError, match="expected"):
        timecut.windows(log_at(times))


def test_a_complaint_names_days_where_times_are_days() -> None:
    day = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
    with pytest.raises(InputError, match=r"50 events between 2026-01-05T00:00:00Z and 2026-01-05T00:00:00Z"):
        timecut.windows(log_at([day] * 50))
    with pytest.raises(InputError, match="50 events between 7 and 7"):
        timecut.windows(log_at([7.0] * 50))
