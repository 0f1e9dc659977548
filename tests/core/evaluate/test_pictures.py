"""pictures: what is drawn is what was given; every figure becomes a PNG, with and without a Chinese font."""

import datetime as dt
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from fieldtune.evaluate import pictures
from fieldtune.evaluate.significance import Interval

RNG = np.random.default_rng(0)
SURE, RIGHT = RNG.random(200), RNG.random(200) < 0.7
START = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
TIMES = [START + dt.timedelta(hours=hour) for hour in range(48)]


def drawings() -> dict[str, Figure]:
    flat = np.full(48, 5.0)
    observed = np.where(np.arange(48) == 9, np.nan, flat)
    return {
        "reliability": pictures.reliability(SURE, RIGHT, title="可靠性"),
        "confusion": pictures.confusion([[3, 1], [0, 0]], ["卡丢失", "fees"]),
        "confusion of many": pictures.confusion(np.eye(50, dtype=int), [str(i) for i in range(50)]),
        "risk": pictures.risk_coverage({"微调": (SURE, RIGHT), "frozen": (SURE[::-1], RIGHT)}),
        "bars": pictures.bars({"微调": Interval(0.9, 0.88, 0.92), "n-grams": 0.8, "bad": -0.1}, "微调", "accuracy"),
        "series": pictures.series(TIMES, observed, flat, (flat - 2, flat + 2), [(TIMES[9], "存款")], "每小时"),
        "series of nothing": pictures.series([], []),
    }


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


@pytest.mark.parametrize("fonts", [None, ("DejaVu Sans",)])
def test_every_figure_becomes_a_png(fonts: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if fonts:
        monkeypatch.setattr(pictures, "_fonts", lambda: fonts)
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in drawings().values():
            assert pictures.png(figure, dpi=40).startswith(b"\x89PNG")
    assert dict(matplotlib.rcParams) == before


def test_what_is_drawn_is_what_was_given() -> None:
    drawn = drawings()
    assert {"卡丢失", "fees", "3", "1"} <= set(texts(drawn["confusion"]))
    assert {"0.900", "0.800", "-0.100"} <= set(texts(drawn["bars"]))
    assert {"1", "1  存款", "每小时"} <= set(texts(drawn["series"]))
    bars = drawn["bars"].axes[0].patches
    assert [round(bar.get_width(), 3) for bar in bars] == [0.9, 0.8, -0.1]
    heights = [patch.get_height() for patch in drawn["reliability"].axes[1].patches]
    assert sum(heights) == 200


def test_alerts_are_numbered_by_time() -> None:
    figure = pictures.series(TIMES, np.ones(48), alerts=[(TIMES[30], "later"), (TIMES[3], "sooner")])
    assert "1  sooner\n2  later" in texts(figure)


def test_same_input_same_bytes() -> None:
    first, second = (pictures.png(pictures.reliability(SURE, RIGHT), dpi=40) for _ in range(2))
    assert first == second


def test_nothing_lies_on_the_edge_of_a_picture() -> None:
    always = np.ones(50, dtype=bool)
    risk = pictures.risk_coverage({"model": (np.linspace(0.5, 1, 50), always)}).axes[0]
    (line,) = risk.lines
    assert np.all(np.asarray(line.get_ydata()) == 0) and risk.get_ylim()[0] < 0
    upper = pictures.reliability(np.linspace(0, 1, 50), always).axes[0]
    dots = next(one for one in upper.lines if one.get_marker() == "o")
    for ends, values in ((upper.get_xlim(), dots.get_xdata()), (upper.get_ylim(), dots.get_ydata())):
        assert ends[0] < 0 and ends[1] > 1 and ends[0] < np.min(values) and np.max(values) < ends[1]
