"""The picture of ``bench``: an optimizer's step over the sizes, and how near each comes to
the limit of the machine. matplotlib is imported by tinygrad_lite/plot, inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plot.style import BLUE, GREY, INK, PALE, VERMILION, new_figure, style
from .updates import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["picture"]

GREEN = "#009E73"   # the third of Okabe and Ito's colours here

# Of each contestant: its label, colour, mark and dashes, so that it can be told without colour.
STYLES: dict[str, tuple[str, str, str, str]] = {
    "python": ("Python", GREEN, "^", "-"),
    "numpy": ("NumPy", BLUE, "s", "-"),
    "c": ("C", VERMILION, "o", "-"),
    "torch for-loop": ("torch for-loop", GREY, "v", ":"),
    "torch foreach": ("torch foreach", GREY, "D", "--"),
    "torch fused": ("torch fused", INK, "P", "-."),
}
APART = 0.05   # of the height of the axes: the least distance of two labels


def picture(results: Sequence[Result]) -> Figure:
    """Left: Adam's step over the sizes (or another's, if Adam was not measured).
    Right: the share of the machine's limit that each optimizer reaches in C, at the largest
    size; left out where C was not measured.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if there are no results.
    """
    if not results:
        raise ValueError("expected results to draw; got none")
    figure = new_figure(11, 5.2)
    names = [result.case.variant.name for result in results]
    shown = "Adam" if "Adam" in names else names[0]
    with_share = [result for result in results if result.share is not None]
    left, *right = figure.subplots(1, 2 if with_share else 1, squeeze=False,
                                   width_ratios=[1.5, 1] if with_share else None)[0]
    draw_times(left, [result for result in results if result.case.variant.name == shown])
    if right:
        draw_shares(right[0], with_share)
    return figure


def draw_times(axes: Axes, results: Sequence[Result]) -> None:
    """Microseconds per step against the number of parameters, a curve for each contestant."""
    results = sorted(results, key=lambda result: result.case.parameters)
    sizes = np.array([result.case.parameters for result in results])
    _style_log(axes, f"A step of {results[0].case.variant.name}", "microseconds per step")
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel(f"parameters, {results[0].case.dtype}", color=GREY)
    labels = []
    for name, (label, color, mark, dashes) in STYLES.items():
        if name not in results[0].times:
            continue
        low, times, high = 1e6 * np.array(
            [[t.low, t.median, t.high] for t in (result.times[name] for result in results)]).T
        axes.plot(sizes, times, color=color, marker=mark, linestyle=dashes, linewidth=2,
                  markersize=6)
        axes.fill_between(sizes, low, high, color=color, alpha=0.15, linewidth=0)
        labels.append((times[-1], label, color))
    if results[0].best:
        limit = 1e6 * np.array([result.best.median for result in results if result.best])
        axes.plot(sizes, limit, color=INK, linewidth=1, zorder=1)
        labels.append((limit[-1], "memory's limit", INK))
    _label_ends(axes, sizes[-1], labels)


def draw_shares(axes: Axes, results: Sequence[Result]) -> None:
    """The share of the limit in C for each optimizer, at the largest size."""
    largest = max(result.case.parameters for result in results)
    results = [result for result in results if result.case.parameters == largest]
    style(axes, "C at the limit of the memory", "")
    axes.set_xlabel(f"% of the best plain loop's GB/s, {largest:,} parameters", color=GREY)
    names = [result.case.variant.name for result in results]
    shares = [100 * (result.share or 0) for result in results]
    axes.hlines(names, 0, shares, color=PALE, linewidth=6)
    axes.axvline(100, color=INK, linewidth=1)
    axes.plot(shares, names, linestyle="", color=VERMILION, marker="o", markersize=8)
    for result, share in zip(results, shares):
        axes.annotate(f"{share:.0f} %, {result.speed(result.times['c']):.0f} GB/s",
                      (max(share, 100), result.case.variant.name), xytext=(10, 0),
                      textcoords="offset points", color=VERMILION,
                      verticalalignment="center", annotation_clip=False)
    axes.invert_yaxis()
    axes.margins(y=0.08)
    axes.set_xlim(0, max(105, *shares))
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(visible=False, axis="y")


def _style_log(axes: Axes, title: str, unit: str) -> None:
    """Like `plot.style.style`, with two logarithmic scales."""
    axes.set(xscale="log", yscale="log")
    axes.set_title(title, loc="left", color=INK, fontsize=13)
    axes.set_ylabel(unit, color=GREY)
    axes.grid(color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=GREY)
    axes.spines[:].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda number, _: f"{number:,.10g}")


def _label_ends(axes: Axes, x: float, labels: list[tuple[Any, str, str]]) -> None:
    """Labels beside the ends of curves, in their order, apart by `APART`, and lines to them."""
    axes.autoscale_view()   # else the limits are not known yet
    to_axes = axes.transScale + axes.transLimits   # from data to shares of the axes
    place = -1.0
    for y, label, color in sorted(labels):
        place = max(place + APART, float(to_axes.transform((x, y))[1]))
        axes.annotate(label, (x, y), xytext=(1.06, place), textcoords="axes fraction",
                      color=color, verticalalignment="center", annotation_clip=False,
                      arrowprops=dict(arrowstyle="-", color=color, linewidth=0.7,
                                      relpos=(0, 0.5), shrinkA=2, shrinkB=6))
