"""Images, and what a net makes of them. It imports NumPy, and matplotlib on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .style import GREY, INK, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["predictions"]

# How far apart the images of the grid are, in widths and heights of an image: the room
# below each is for its caption.
WIDTH = 1.25
HEIGHT = 1.55


def predictions(images: Any, labels: Any, predicted: Any, rows: int = 6, columns: int = 8,
                figure: Any = None) -> Figure:
    """A grid of test images, each with the predicted class below it; errors come first.

    An error has a coloured frame, a cross, and both classes below it.

    Args:
        images: of shape (N, height, width); from 0 (paper) to its maximum (ink).
        labels: the N true classes.
        predicted: the N predicted classes.
        rows, columns: how many images are shown, at most.
        figure: an empty Figure or SubFigure to draw into; a new one if left out.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure = figure or new_figure(6.4, 6.2)
    axes = figure.subplots()
    axes.set_axis_off()
    right = np.equal(labels, predicted)
    errors_first = np.argsort(right, kind="stable")[:rows * columns]
    for place, i in enumerate(errors_first):
        row, column = divmod(place, columns)
        box = (column * WIDTH, column * WIDTH + 1, row * HEIGHT + 1, row * HEIGHT)
        axes.imshow(images[i], cmap="gray_r", vmin=0, extent=box)
        if right[i]:
            _caption(axes, box, f"{predicted[i]}", GREY)
        else:
            _caption(axes, box, f"{predicted[i]}, not {labels[i]}", VERMILION)
            _mark_error(axes, box)
    axes.set(xlim=(-0.05, columns * WIDTH), ylim=(rows * HEIGHT, -0.2))
    axes.set_title(f"What the net reads: {np.count_nonzero(~right)} of {len(right)} test "
                   "images wrong", loc="left", color=INK, fontsize=13)
    return figure


def _caption(axes: Axes, box: tuple, text: str, color: str) -> None:
    """Text below a box (left, right, bottom, top)."""
    left, right, bottom, _ = box
    axes.text((left + right) / 2, bottom + 0.06, text, color=color, fontsize=10,
              horizontalalignment="center", verticalalignment="top")


def _mark_error(axes: Axes, box: tuple) -> None:
    """A frame around a box, and a cross on its corner."""
    left, right, bottom, top = box
    axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top],
              color=VERMILION, linewidth=2.5)
    axes.plot(right, top, marker="X", markersize=11, color=VERMILION,
              markeredgecolor="white")
