"""How the experiments draw: one look for each method, named lines, and files that stay small.

It knows nothing of nets; each of the scripts is read from top to bottom without it.
"""

from __future__ import annotations

import numpy as np
from experiment import progress

from tinygrad_lite.plot.style import COLORS, GREY, INK, PALE, new_figure

__all__ = ["COLORS", "GREY", "INK", "PALE", "LOOKS", "animate", "bars", "contours", "depths",
           "dots", "log_scale", "measured", "named_lines", "new_figure", "note",
           "number", "panel", "panels", "save", "shadows", "way"]

# One look for each method, in every picture: a colour that the colour-blind can tell from the
# others (those of Okabe and Ito 2008, and a wine red), and a dash and a mark that are left of
# it in black and white.
_COLORS = {
    "SGD": COLORS[0], "Momentum": COLORS[1], "AdaGrad": COLORS[2], "RMSprop": COLORS[3],
    "Adam": COLORS[4], "Nesterov": COLORS[5], "AdamW": "#882255", "GD": COLORS[7],
    "Adadelta": GREY,
}
_DASHES = ("-", "--", "-.", ":", "-", "--", "-.", "-", (0, (6, 2)))
_MARKS = "os^DvPX*h"
LOOKS = {
    name: dict(color=color, linestyle=dash, marker=mark)
    for (name, color), dash, mark in zip(_COLORS.items(), _DASHES, _MARKS, strict=True)
}


# ---- axes and words --------------------------------------------------------------------


def panels(width, height, rows, columns, **more):
    """An empty figure of a size in inches, and its axes, in an array.

    Args:
        more: for `figure.subplots`, such as `width_ratios`.
    """
    figure = new_figure(width, height)
    return figure, figure.subplots(rows, columns, **more)


def panel(axes, title, x, y, **settings):
    """Name a panel and its axes, leave out what does not inform, and return the axes.

    Args:
        settings: for `axes.set`, such as a scale or limits.
    """
    axes.set_title(title, loc="left", color=INK, fontsize=12)
    axes.set_xlabel(x, color=GREY)
    axes.set_ylabel(y, color=GREY)
    axes.grid(color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=GREY)
    axes.spines[:].set_visible(False)
    axes.set(**settings)
    return axes


def log_scale(axes, *ticks):
    """A logarithmic vertical axis with these ticks, written as plain numbers."""
    axes.set_yscale("log")
    axes.set_yticks(ticks, ticks)
    axes.minorticks_off()


def note(axes, text, at, offset=(0, 0), inside=False, color=GREY, **more):
    """A few small words in a panel.

    Args:
        at: the point that they begin at.
        offset: points by which to move them from there.
        inside: whether `at` counts in shares of the panel, rather than on its axes.
        more: for `axes.annotate`.
    """
    axes.annotate(text, at, offset, xycoords="axes fraction" if inside else "data",
                  textcoords="offset points", color=color, fontsize=9, annotation_clip=False,
                  **more)


def number(axes, at, text, color=None):
    """A number in the middle of a point, or, if it has a colour, in a box of that colour."""
    box = dict(facecolor="white", linewidth=0, pad=1)
    look = dict(color=GREY)
    if color:
        box = dict(boxstyle="round", facecolor=color, linewidth=0)
        look = dict(color="white", fontweight="bold")
    axes.text(*at, text, bbox=box, ha="center", va="center", fontsize=9, **look)


# ---- what stands in a panel ------------------------------------------------------------


def named_lines(axes, curves, below=False, gap=0.055, **look):
    """Draw lines, each with its name at its end, in its colour, instead of a legend.

    Args:
        curves: for each name (x, y, how this line looks).
        below: whether the names stand below the lines' ends, rather than beside them.
        gap: the least distance of two names beside, as a share of the panel's height.
        look: how all of the lines look.
    """
    lines = [axes.plot(x, y, label=name, **own, **look)[0]
             for name, (x, y, own) in curves.items()]
    if not below:
        _name_beside(axes, lines, gap)
        return
    for line in lines:
        note(axes, line.get_label(), line.get_xydata()[-1], (0, -12), color=line.get_color(),
             ha="center")


def _name_beside(axes, lines, gap):
    """Names at the last points, moved up or down where two would meet.

    A line that goes on past the panel has its name where it leaves it.
    """
    axes.autoscale_view()  # which is otherwise left for later
    to_axes = axes.transScale + axes.transLimits
    ends = []
    for at, line in enumerate(lines):
        points = to_axes.transform(line.get_xydata())
        x, y = points[(points[:, 0] < 1.001) & np.isfinite(points[:, 1])][-1]
        ends.append((y, x, at))
    ends.sort()
    wanted = np.clip([y for y, *_ in ends], 0, 1)
    heights = np.maximum.accumulate(wanted - gap * np.arange(len(ends)))
    heights += gap * np.arange(len(ends))
    heights -= max(0, heights[-1] - 1)
    for (y, x, at), height in zip(ends, heights):
        color = lines[at].get_color()
        axes.annotate(lines[at].get_label(), (x, y), (x + 0.05, height), color=color,
                      xycoords="axes fraction", va="center", fontsize=9, annotation_clip=False,
                      bbox=dict(facecolor="white", linewidth=0, pad=1),
                      arrowprops=dict(arrowstyle="-", color=color, linewidth=0.6,
                                      relpos=(0, 0.5)))


def shadows(axes, named, edges, top):
    """Histograms on one another, each named beside the panel, with a line that leads there.

    Args:
        named: for each name an array of numbers; two at most.
        edges: of the bars.
        top: how high the highest bars are.
    """
    for k, (name, numbers) in enumerate(named.items()):
        counts, _ = np.histogram(numbers, bins=edges)
        heights = top * counts / counts.max()
        axes.stairs(heights, edges, fill=True, alpha=0.35, color=COLORS[k])
        axes.stairs(heights, edges, color=COLORS[k], linewidth=1.2, linestyle=["-", "--"][k])
        bar = int((0.5 + 0.36 * k) * len(counts))  # that the line leads to
        axes.annotate(name, (edges[bar], heights[bar]), xytext=(1.04, 0.8 - 0.4 * k),
                      textcoords="axes fraction", fontsize=9, color=COLORS[k], va="center",
                      annotation_clip=False, arrowprops=dict(arrowstyle="-", color=COLORS[k]))


def dots(axes, x, numbers, color, hollow=False):
    """A dot for each number, above one another, with a line at their mean."""
    axes.plot(np.full(len(numbers), x), numbers, "o", markersize=5, color=color,
              markerfacecolor="none" if hollow else color)
    axes.hlines(numbers.mean(), x - 0.13, x + 0.13, color=INK)


def measured(axes, x, numbers, theory, name, mark):
    """Marks for what was measured, their name at the last; a line for theory's (x, y).

    The horizontal axis is logarithmic.
    """
    axes.set_xscale("log")
    axes.plot(*theory, color=LOOKS["SGD"]["color"], zorder=0)
    axes.plot(x, numbers, mark, color=INK, markersize=5)
    note(axes, name, (x[-1], numbers[-1]), (-9, -3), ha="right")


def bars(axes, numbers):
    """A bar for each method, from the top down, with its name and its number beside it."""
    for at, (method, number) in enumerate(numbers.items()):
        axes.barh(at, number, color=LOOKS[method]["color"])
        axes.text(number, at, f" {method} {number:.1f}", va="center", color=GREY)
    axes.set(xlim=(0, 1.8 * max(numbers.values())), ylim=(len(numbers) - 0.4, -0.6), yticks=[])


def contours(axes, height, minimum, window, levels):
    """Thin lines of equal height, and a cross at the lowest point.

    Args:
        height: a function of x and y.
        window: x from, x to, y from, y to.
    """
    left, right, bottom, top = window
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(bottom, top, 200))
    axes.contour(x, y, height(x, y), levels, colors="#C8C8C8", linewidths=0.7)
    axes.plot(*minimum, "+", color=GREY)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def depths(axes, xs, ys, losses):
    """Filled contours of losses, of shape (ys, xs): the darker the lower."""
    levels = np.geomspace(losses.min() * 1.02, losses.max(), 12)
    axes.contourf(xs, ys, losses, levels=[0, *levels], cmap="Blues_r", alpha=0.6)
    lines = axes.contour(xs, ys, losses, levels=levels, colors=[INK], linewidths=0.6)
    axes.clabel(lines, fmt="%.2g", fontsize=8)
    axes.grid(visible=False)
    axes.set_aspect("equal")


def way(axes, path, color):
    """A path with its start and its end named."""
    axes.plot(*path.T, color=color, linewidth=2)
    for k, text in [(0, "start"), (-1, "end")]:
        axes.plot(*path[k], marker="os"[k], color=color, markeredgecolor="white")
        axes.annotate(text, path[k], xytext=(8, -12), textcoords="offset points")


# ---- files -----------------------------------------------------------------------------


def animate(axes, paths, count, filename):
    """Let the paths of all methods grow in a panel: a GIF of up to `count` frames."""
    from matplotlib.animation import PillowWriter

    figure = axes.figure
    lines = [axes.plot([], [], label=method, markevery=[-1], **LOOKS[method])[0]
             for method in paths]
    figure.legend(ncols=7, fontsize=8, frameon=False, loc="outside upper center")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, not for each frame
    last = len(next(iter(paths.values()))) - 1
    writer = PillowWriter(fps=8)
    with writer.saving(figure, filename, dpi=80):
        for step in progress(np.unique(np.linspace(0, last, count).astype(int)), "frame"):
            for line, path in zip(lines, paths.values()):
                line.set_data(*path[:step + 1].T)
            writer.grab_frame()
    print(f"animation: {filename}")


def save(figure, directory, name):
    """Write the picture as PNG and as SVG, and say where; the same run draws the same."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from PIL import Image  # which comes with matplotlib

    # Each drawn once; savefig would draw it twice, the first time to see how large it is.
    figure.set_dpi(110)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    figure.set_layout_engine("none")  # it is laid out by now, and that takes long
    full = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    small = full.quantize(128, Image.Quantize.FASTOCTREE)  # colours: a third of the size
    small.save(directory / f"{name}.png", optimize=True)
    with rc_context({"svg.hashsalt": name}):
        FigureCanvasSVG(figure).print_svg(directory / f"{name}.svg", metadata={"Date": None})
    print(f"pictures: {directory / name}.png and .svg")
