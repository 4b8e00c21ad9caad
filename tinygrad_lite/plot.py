"""plot: pictures of a training run, and of what the net makes of images.

It imports NumPy only; matplotlib, an extra, is loaded by the first picture. Every function
returns a matplotlib Figure: ``figure.savefig("picture.png")`` stores it, a notebook shows it.
No window is opened and no display is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["history", "predictions", "training"]

# Two colours that remain two in every form of colour blindness, from the palette of Okabe
# and Ito, "Color Universal Design" (2008).
BLUE = "#0072B2"
VERMILION = "#D55E00"
INK = "#222222"
GREY = "#767676"
PALE = "#E4E4E4"

# How far apart the images of the grid are, in widths and heights of an image: the room
# below each is for its caption.
WIDTH = 1.25
HEIGHT = 1.55


def training(loss: Sequence[float], train_accuracy: Sequence[float],
             test_accuracy: Sequence[float], images: Any, labels: Any,
             predicted: Any) -> Figure:
    """One picture of a whole run: `history` on the left, `predictions` on the right.

    Args:
        loss, train_accuracy, test_accuracy: as `history` takes them.
        images, labels, predicted: as `predictions` takes them.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure = _new_figure(12, 6.2)
    halves: Any = figure.subfigures(1, 2, width_ratios=[1, 1.15], wspace=0.05)
    history(loss, train_accuracy, test_accuracy, figure=halves[0])
    predictions(images, labels, predicted, figure=halves[1])
    return figure


def history(loss: Sequence[float], train_accuracy: Sequence[float],
            test_accuracy: Sequence[float], figure: Any = None) -> Figure:
    """Curves over the epochs: the training loss above, both accuracies below.

    Args:
        loss: the mean cross-entropy of each epoch, in nats; drawn on a logarithmic scale.
        train_accuracy: after each epoch, from 0 to 1.
        test_accuracy: likewise.
        figure: an empty Figure or SubFigure to draw into; a new one if left out.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure = figure or _new_figure(5.6, 6.2)
    above, below = figure.subplots(2, 1, sharex=True)
    epochs = np.arange(1, len(loss) + 1)

    _style(above, "Training loss", "mean cross-entropy (nats)")
    above.set_yscale("log")
    _curve(above, epochs, loss, INK, f"{loss[-1]:.2g}")

    _style(below, "Accuracy", "right answers (%)")
    train, test = 100 * np.array(train_accuracy), 100 * np.array(test_accuracy)
    higher, lower = ("bottom", "top") if train[-1] >= test[-1] else ("top", "bottom")
    _curve(below, epochs, train, BLUE, f"train {train[-1]:.1f} %", "s", higher)
    _curve(below, epochs, test, VERMILION, f"test {test[-1]:.1f} %", "o", lower)
    below.set_xlabel("epoch", color=GREY)
    below.locator_params(axis="x", integer=True, min_n_ticks=1)
    return figure


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
    figure = figure or _new_figure(6.4, 6.2)
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


# ---- how they look ---------------------------------------------------------------------


def _new_figure(width: float, height: float) -> Figure:
    """An empty Figure of a size in inches; ImportError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib, the extra 'plot': "
                          "pip install tinygrad_lite[plot]") from error
    figure = Figure((width, height), dpi=120, facecolor="white")
    figure.set_layout_engine("constrained", rect=(0.01, 0.015, 0.98, 0.97))
    return figure


def _style(axes: Axes, title: str, unit: str) -> None:
    """A title, the unit of the vertical axis, and nothing that does not inform."""
    axes.set_title(title, loc="left", color=INK, fontsize=13)
    axes.set_ylabel(unit, color=GREY)
    axes.grid(color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=GREY)
    axes.locator_params(axis="y", nbins=5, steps=[1, 2, 5, 10])
    axes.spines[:].set_visible(False)


def _curve(axes: Axes, x: Any, y: Any, color: str, label: str, marker: str = "o",
           align: str = "center") -> None:
    """A line with a mark at its end, and its label beside that in place of a legend."""
    axes.plot(x, y, color=color, linewidth=2, marker=marker, markevery=[-1], clip_on=False)
    axes.annotate(label, (x[-1], y[-1]), xytext=(8, 0), textcoords="offset points",
                  color=color, verticalalignment=align, annotation_clip=False)


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
