"""Pictures of results: arrays in, a matplotlib Figure out.

Draws without pyplot, so there is no global state, no window and nothing to close. Knows no files; `png`
gives bytes.
"""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from fieldtune.evaluate import calibration
from fieldtune.evaluate.significance import Interval

P = ParamSpec("P")
OURS, RIVAL, WRONG, INK, FAINT = "#2563eb", "#94a3b8", "#dc2626", "#1e293b", "#e2e8f0"
_MORE = ("#2563eb", "#d97706", "#0d9488", "#9333ea", "#64748b", "#db2777")
_CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
)


@cache
def _fonts() -> tuple[str, ...]:
    """DejaVu (comes with matplotlib) first; for what it lacks the first Chinese font of this machine, if
    any."""
    present = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *[name for name in _CJK_FONTS if name in present][:1])


@contextmanager
def _style() -> Iterator[None]:
    style: Any = {
        "font.family": list(_fonts()),
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": RIVAL,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.unicode_minus": False,
        "xtick.color": INK,
        "ytick.color": INK,
        "figure.constrained_layout.use": True,
        "legend.frameon": False,
    }
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # Without a Chinese font a character becomes a box; a picture with boxes is better than none.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _picture(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in our style and lay out at once: tick labels take their font only when they are first laid
    out."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _style():
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()
        return figure

    return drawn


def png(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as a PNG file on white ground."""
    buffer = io.BytesIO()
    with _style():
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


@_picture
def reliability(confidence: ArrayLike, correct: ArrayLike, bins: int = 15, title: str = "") -> Figure:
    """How often rows of each confidence are right (dots at the mean confidence); below, how many there are.

    Args:
        confidence: float [n] in [0, 1]. correct: bool [n].
    """
    count, sure, right = calibration.reliability(confidence, correct, bins)
    error = calibration.expected_calibration_error(confidence, correct, bins)
    figure = Figure(figsize=(5, 5))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    middles, width = (np.arange(bins) + 0.5) / bins, 0.92 / bins
    filled = count > 0
    upper.plot([0, 1], [0, 1], color=RIVAL, linestyle="--", linewidth=1)
    upper.bar(middles[filled], right[filled], width, color=OURS, alpha=0.85)
    upper.plot(sure[filled], right[filled], "o", color=INK, markersize=3)
    upper.set(ylim=(-0.02, 1.02), xlim=(-0.02, 1.02), ylabel="share right", title=title or "Reliability")
    upper.text(0.03, 0.95, f"ECE {error:.1%}", transform=upper.transAxes, va="top", fontweight="bold")
    lower.bar(middles, count, width, color=RIVAL)
    lower.set(xlabel="confidence", ylabel="rows")
    return figure


@_picture
def confusion(counts: ArrayLike, classes: Sequence[str], title: str = "") -> Figure:
    """Shares of each true class (row) by predicted class (column), with counts where there is room.

    Args:
        counts: int [k, k], as `classification.confusion` gives it. Above 40 classes the names are left out.
    """
    table = np.asarray(counts)
    k = len(classes)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    side = min(max(3.4, 1.9 + 0.42 * k), 10)
    figure = Figure(figsize=(side + 0.6, side))
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true", title=title or "Confusion")
    names = [_short(name) for name in classes] if k <= 40 else []
    places = range(len(names))
    axes.set_xticks(places, names, rotation=45 if k <= 12 else 90, ha="right" if k <= 12 else "center")
    axes.set_yticks(places, names)
    axes.tick_params(length=0, labelsize=9 if k <= 20 else 7)
    axes.spines[:].set_visible(False)
    for row, column in np.argwhere(table) if k <= 15 else []:
        ink = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{table[row, column]:,}", ha="center", va="center", color=ink, fontsize=9)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, format=lambda share, _: f"{share:.0%}")
    bar.outline.set_visible(False)
    return figure


@_picture
def risk_coverage(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], title: str = "") -> Figure:
    """Share wrong among the answered, over the share answered; one curve per name.

    Args:
        curves: name -> (confidence float [n], correct bool [n]).
    """
    figure = Figure(figsize=(6.4, 4))
    axes = figure.subplots()
    highest = 0.01
    for place, (name, (confidence, correct)) in enumerate(curves.items()):
        coverage, risk = calibration.risk_coverage(confidence, correct)
        area = calibration.area_under_risk_coverage(confidence, correct)
        axes.step(coverage, risk, where="post", color=_MORE[place % 6], label=f"{name} (area {area:.3f})")
        # The first few rows jump between 0 and 1: they say nothing and would flatten the rest.
        highest = max(highest, *risk[coverage >= 0.1].tolist())
    # A margin below 0: without errors the line would lie on the axis.
    axes.set(xlim=(0, 1), ylim=(-0.04 * highest, 1.15 * highest), title=title or "Risk and coverage")
    axes.set(xlabel="share answered (coverage)", ylabel="share wrong among them (risk)")
    _percent(axes)
    axes.grid(color=FAINT, linewidth=0.8)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@_picture
def bars(figures: Mapping[str, Interval | float], ours: str, label: str, title: str = "") -> Figure:
    """One bar per rival, with its 95 % interval where there is one; `ours` stands out.

    Args:
        figures: name -> Interval or plain number, drawn from top to bottom. label: what is measured.
    """
    names = list(figures)
    means = [value.mean if isinstance(value, Interval) else value for value in figures.values()]
    ends = [value[1:] if isinstance(value, Interval) else (value, value) for value in figures.values()]
    figure = Figure(figsize=(6.4, 1.2 + 0.45 * len(names)))
    axes = figure.subplots()
    axes.barh(names, means, color=[OURS if name == ours else RIVAL for name in names], height=0.66)
    for place, (mean, (low, high)) in enumerate(zip(means, ends, strict=True)):
        if high > low:
            axes.plot([low, high], [place, place], color=INK, linewidth=1.4, marker="|", markersize=7)
        weight = "bold" if names[place] == ours else "normal"
        end, side, shift = (max(mean, high), "left", 6) if mean >= 0 else (min(mean, low), "right", -6)
        axes.annotate(
            f"{mean:.3f}",
            (end, place),
            xytext=(shift, 0),
            textcoords="offset points",
            va="center",
            ha=side,
            fontweight=weight,
        )
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(xlabel=label, title=title)
    return figure


@_picture
def series(
    times: Sequence[Any],
    observed: ArrayLike,
    expected: ArrayLike | None = None,
    band: tuple[ArrayLike, ArrayLike] | None = None,
    alerts: Sequence[tuple[Any, str]] = (),
    label: str = "",
    title: str = "",
) -> Figure:
    """A curve over time with its expectation, the band (low, high) of the usual, and marked alerts.

    Args:
        times: datetimes (or numbers) [n], ascending. observed, expected, band: float [n]; NaN leaves a gap.
        alerts: (time, short text); each gets a line and a numbered mark, explained below the picture.
    """
    alerts = sorted(alerts, key=lambda alert: alert[0])
    figure = Figure(figsize=(8, 3.4 + 0.17 * len(alerts)))
    axes = figure.subplots()
    values = np.asarray(observed, dtype=np.float64)
    if band is not None:
        low, high = (np.asarray(end, dtype=np.float64) for end in band)
        axes.fill_between(times, low, high, color=OURS, alpha=0.14, linewidth=0, label="usual range")
    if expected is not None:
        axes.plot(times, np.asarray(expected), color=OURS, linewidth=1, linestyle="--", label="expected")
    axes.plot(times, values, color=INK, linewidth=1.2, label="observed")
    top = _top(values, band)
    for number, (when, _) in enumerate(alerts, start=1):
        axes.axvline(when, color=WRONG, linewidth=1, alpha=0.8)
        mark = {"boxstyle": "circle,pad=0.25", "facecolor": WRONG, "edgecolor": "none"}
        axes.text(when, top * 1.1, str(number), color="white", fontsize=8, ha="center", va="center", bbox=mark)
    if len(times) and hasattr(times[0], "year"):
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        formatter = ConciseDateFormatter(locator)
        axes.xaxis.set_major_formatter(formatter)
    axes.set(ylim=(0, top * 1.2), ylabel=label)
    axes.set_title(title, pad=22)
    axes.margins(x=0.01)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=9, borderaxespad=0.2)
    if alerts:
        lines = [f"{number}  {text}" for number, (_, text) in enumerate(alerts, start=1)]
        figure.supxlabel("\n".join(lines), x=0.02, ha="left", fontsize=9, color=WRONG)
    return figure


def _top(values: NDArray[np.float64], band: tuple[ArrayLike, ArrayLike] | None) -> float:
    everything = values if band is None else np.concatenate([values, np.asarray(band[1], dtype=np.float64)])
    finite = everything[np.isfinite(everything)]
    return max(float(finite.max()), 1e-9) if len(finite) else 1.0


def _percent(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.1%}")


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
