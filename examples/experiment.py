"""What the scripts in this directory share: options, a look, a progress bar, data.

It does nothing itself; each of the others is read from top to bottom without it.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryFile

# Before NumPy is there: products as small as these gain nothing from threads of its BLAS, and
# where other programs run as well they may take ten times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import numpy as np

from tinygrad_lite import data
from tinygrad_lite.plot.style import COLORS, GREY, INK, PALE, new_figure

try:
    from tqdm import tqdm
except ImportError:  # an extra; without it the printed lines tell how far it is
    tqdm = None

__all__ = ["GREY", "INK", "PALE", "LOOKS", "digits", "endless", "label_line", "label_lines",
           "log_scale", "mean_and_deviation", "new_figure", "options", "panel", "progress",
           "run", "save", "say"]

# One look for each method, in every picture: a colour that the colour-blind can tell from the
# others (Okabe and Ito 2008), and a dash and a mark that are left of it in black and white.
_NAMES = ("SGD", "Momentum", "AdaGrad", "RMSprop", "Adam", "Nesterov", "AdamW", "GD")
_ORDER = (0, 1, 2, 3, 4, 5, 4, 7)
_DASHES = ("-", "--", "-.", ":", "-", "--", "-.", "-")
_MARKS = "os^DvPX*"
LOOKS = {
    name: dict(color=COLORS[color], linestyle=dash, marker=mark)
    for name, color, dash, mark in zip(_NAMES, _ORDER, _DASHES, _MARKS, strict=True)
}
LOOKS["Adadelta"] = dict(color=GREY, linestyle=(0, (6, 2)), marker="h")


class Parser(argparse.ArgumentParser):
    def error(self, message):
        """End with one line; argparse would print its usage as well."""
        self.exit(2, f"{self.prog}: {message}\n")


def options(doc, **more):
    """The command line of an experiment: --seed, --out, --quick, and what `more` adds.

    Args:
        doc: the script's docstring; its first line is the help text.
        more: for each further option the keyword arguments of ``add_argument``.
    """
    name = Path(sys.argv[0]).stem
    parser = Parser(description=doc.partition("\n")[0])
    add = parser.add_argument
    add("--seed", type=int, default=0, metavar="N",
        help="of all random numbers (default: %(default)s)")
    add("--out", type=Path, default=Path("build", name), metavar="DIRECTORY",
        help="where to put the pictures (default: %(default)s)")
    add("--quick", action="store_true", help="a short form that only shows that it runs")
    for option, settings in more.items():
        add(f"--{option}", **settings)
    chosen = parser.parse_args()
    if chosen.seed < 0:
        parser.error("--seed: expected 0 or more")
    try:
        chosen.out.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=chosen.out).close()  # rather fails now than after the work
    except OSError as error:
        parser.error(f"--out: {error.strerror}: {chosen.out}")
    return chosen


def run(main):
    """Run a script; Ctrl-C, a pipe closed by `head`, or a missing extra is no traceback."""
    try:
        try:
            main()
        finally:
            print(end="", flush=True)  # not later, where none would catch a closed pipe
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ImportError as error:
        sys.exit(str(error))


def progress(steps, unit, total=None):
    """The steps with a progress bar, if tqdm is there and a terminal shows it."""
    if tqdm is None:
        return steps
    return tqdm(steps, unit=unit, total=total, leave=False, disable=None)


def say(line):
    """Print a line; above the progress bar, if there is one."""
    (print if tqdm is None else tqdm.write)(line)
    sys.stdout.flush()


def digits(normalised=False):
    """Digits of 8x8 pixels, as (images, labels) to learn from and to test.

    Args:
        normalised: to mean 0 and mean square 1, over all pixels that are learnt from.
    """
    (images, labels), (test_images, test_labels) = data.digits("train"), data.digits("test")
    mean, std = (images.mean(), images.std()) if normalised else (0, 1)
    return ((images - mean) / std, labels), ((test_images - mean) / std, test_labels)


def endless(batches):
    """Batches of pass after pass."""
    while True:
        yield from batches


def mean_and_deviation(numbers, digits=2):
    """Both as a text, such as "98.17 +- 0.67"."""
    return f"{np.mean(numbers):.{digits}f} +- {np.std(numbers):.{digits}f}"


# ---- pictures --------------------------------------------------------------------------


def panel(axes, title, x, y):
    """Name a panel and its axes, and leave out what does not inform."""
    axes.set_title(title, loc="left", color=INK, fontsize=12)
    axes.set_xlabel(x, color=GREY)
    axes.set_ylabel(y, color=GREY)
    axes.grid(color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=GREY)
    axes.spines[:].set_visible(False)


def log_scale(axes, *ticks):
    """A logarithmic vertical axis with these ticks, written as plain numbers."""
    axes.set_yscale("log")
    axes.set_yticks(ticks, ticks)
    axes.minorticks_off()


def label_line(axes, line, text=None, dy=0):
    """Write a line's name at its last point, in its colour, instead of a legend.

    Args:
        text: the name; by default the line's own label.
        dy: points by which to move it up, where two names would meet.
    """
    x, y = np.asarray(line.get_xdata())[-1], np.asarray(line.get_ydata())[-1]
    axes.annotate(text or line.get_label(), (x, y), xytext=(6, dy), va="center",
                  textcoords="offset points", color=line.get_color(), fontsize=9,
                  annotation_clip=False)


def label_lines(axes, lines, gap=0.055):
    """Write several lines' names at their last points, moved up or down where two would meet.

    A line that goes on past the panel has its name where it leaves it.

    Args:
        gap: the least distance of two names, as a share of the panel's height.
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
