"""Curves over the epochs of a training. It imports NumPy, and matplotlib on first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .images import predictions
from .style import COLORS, GREY, INK, MARKERS, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["history", "training"]

# What the name of a curve may begin with.
_PARTS = ("train", "valid", "test")
_SKIPPED = ("epoch", "seconds")

_LABEL = 0.1  # the height of a text, as a share of its panel's

# Title, unit and the form of a number of some quantities.
_WORDS = {
    "loss": ("Loss", "mean per sample", "{:.2g}"),
    "accuracy": ("Accuracy", "right answers (%)", "{:.1f} %"),
    "lr": ("Learning rate", "learning rate", "{:.2g}"),
}


def training(curves: Any, images: Any, labels: Any, predicted: Any,
             units: Mapping[str, str] | None = None) -> Figure:
    """One picture of a whole run: `history` on the left, `predictions` on the right.

    Args:
        curves, units: as `history` takes them.
        images, labels, predicted: as `predictions` takes them.

    Raises:
        ValueError: if there is no curve to draw.
        ImportError: if matplotlib is not installed.
    """
    figure = new_figure(12, 6.2)
    halves: Any = figure.subfigures(1, 2, width_ratios=[1, 1.15], wspace=0.05)
    history(curves, units, figure=halves[0])
    predictions(images, labels, predicted, figure=halves[1])
    return figure


def history(curves: Any, units: Mapping[str, str] | None = None, figure: Any = None) -> Figure:
    """Curves over the epochs, a panel for each quantity.

    ``train_loss`` and ``valid_loss`` share a panel, as do all names that differ in "train_",
    "valid_" or "test_" only. A loss above 0 is drawn on a logarithmic scale, an accuracy in
    percent. A learning rate ``lr`` that stays the same is left out, ``epoch`` and ``seconds``
    always.

    Args:
        curves: a `History`, as `fit` returns it; or a dict of names and numbers, one for
            each epoch, of which None and nan leave a gap.
        units: what stands at the axis of a quantity: ``{"loss": "nats"}``.
        figure: an empty Figure or SubFigure to draw into; a new one if left out.

    Raises:
        ValueError: if there is no curve to draw.
        ImportError: if matplotlib is not installed.
    """
    names = curves.columns if hasattr(curves, "columns") else list(curves)
    panels = _panels({name: np.array(curves[name], dtype=float) for name in names})
    if not panels:
        raise ValueError("history expects a curve of one epoch or more; got none")
    figure = figure or new_figure(5.6, 0.6 + 2.8 * len(panels))
    all_axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
    for axes, (quantity, parts) in zip(all_axes, panels.items()):
        _panel(axes, quantity, parts, units or {})
    all_axes[-1].set_xlabel("epoch", color=GREY)
    all_axes[-1].locator_params(axis="x", integer=True, min_n_ticks=1)
    return figure


def _panels(curves: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """For each quantity its curves, by the part of the data that they tell of."""
    panels: dict[str, dict[str, np.ndarray]] = {}
    for name, y in curves.items():
        idle = name == "lr" and np.all(y == y[:1])
        if name in _SKIPPED or idle or not np.isfinite(y).any():
            continue
        part, _, quantity = name.partition("_")
        if part not in _PARTS or not quantity:
            part, quantity = "", name
        panels.setdefault(quantity, {})[part] = y
    return panels


def _panel(axes: Axes, quantity: str, parts: Mapping[str, np.ndarray],
           units: Mapping[str, str]) -> None:
    """The curves of one quantity, each with its name and last number at its end."""
    title, unit, form = _WORDS.get(quantity, (quantity, quantity, "{:.3g}"))
    if list(parts) == ["train"]:
        title = f"Training {title.lower()}"
    style(axes, title, units.get(quantity, unit))
    if quantity == "accuracy":
        parts = {part: 100 * y for part, y in parts.items()}
    elif quantity in _WORDS and all(np.nanmin(y) > 0 for y in parts.values()):
        axes.set_yscale("log")
    ends = []
    for at, (part, y) in enumerate(parts.items()):
        color = COLORS[at] if len(parts) > 1 else INK
        last = np.flatnonzero(np.isfinite(y))[-1]
        axes.plot(np.arange(1, len(y) + 1), y, color=color, linewidth=2, marker=MARKERS[at],
                  markevery=[last], clip_on=False)
        text = form.format(y[last])
        text = f"{part} {text}".strip() if len(parts) > 1 else text
        ends.append((last + 1, y[last], text, color))
    _label_ends(axes, ends)


def _label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """A text beside the end of each curve (x, y, text, color), none over another."""
    axes.autoscale_view()  # which is otherwise left for later
    ends = sorted(ends, key=lambda end: end[1])
    to_axes = axes.transScale + axes.transLimits
    wanted = np.array([to_axes.transform((x, y))[1] for x, y, *_ in ends])
    heights = wanted.copy()
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + _LABEL)
    heights += np.mean(wanted - heights)
    for (x, _, text, color), height in zip(ends, heights):
        axes.annotate(text, (x, height), xycoords=("data", "axes fraction"), xytext=(8, 0),
                      textcoords="offset points", color=color, verticalalignment="center",
                      annotation_clip=False)
