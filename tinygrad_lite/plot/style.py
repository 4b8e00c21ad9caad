"""How pictures look: colours, sizes, and axes with nothing that does not inform.

It imports the standard library only; matplotlib, an extra, is loaded by the first picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that remain apart in every form of colour blindness, from the palette of Okabe and
# Ito, "Color Universal Design" (2008), and a mark for each, that remains in black and white.
BLUE = "#0072B2"
VERMILION = "#D55E00"
COLORS = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MARKERS = "os^DvPX*"
INK = "#222222"
GREY = "#767676"
PALE = "#E4E4E4"


def new_figure(width: float, height: float) -> Figure:
    """An empty Figure of a size in inches; ImportError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib, the extra 'plot': "
                          "pip install tinygrad_lite[plot]") from error
    figure = Figure((width, height), dpi=120, facecolor="white")
    figure.set_layout_engine("constrained", rect=(0.01, 0.015, 0.98, 0.97))
    return figure


def style(axes: Axes, title: str, unit: str) -> None:
    """A title, the unit of the vertical axis, and nothing that does not inform."""
    axes.set_title(title, loc="left", color=INK, fontsize=13)
    axes.set_ylabel(unit, color=GREY)
    axes.grid(color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=GREY)
    axes.locator_params(axis="y", nbins=5, steps=[1, 2, 5, 10])
    axes.spines[:].set_visible(False)
