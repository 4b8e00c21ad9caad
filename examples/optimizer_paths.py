"""Walk down two surfaces with seven optimizers, and draw the paths that they take.

    python examples/optimizer_paths.py
    python examples/optimizer_paths.py --gif

The first surface is a ravine, x^2/20 + y^2: gradients point across it rather than along it, so
plain gradient descent goes from side to side. The second is Rosenbrock's bent valley. Only the
surfaces' formulas stand here; the gradients come from the engine.
"""

from typing import NamedTuple

import experiment as ex
import numpy as np

import tinygrad_lite as tg
from tinygrad_lite.optim import SGD, Adagrad, Adam, Momentum, RMSprop
from tinygrad_lite.tables import in_columns

METHODS = {  # SGD differs from GD by the noise in its gradients, not by its formula
    "GD": SGD,
    "SGD": SGD,
    "Momentum": Momentum,
    "Nesterov": lambda params, lr: Momentum(params, lr, nesterov=True),
    "AdaGrad": Adagrad,
    "RMSprop": lambda params, lr: RMSprop(params, lr, alpha=0.9),
    "Adam": Adam,
}


class Surface(NamedTuple):
    """A function of x and y, where to start on it, and what suits it."""

    height: object     # the function
    floor: object      # the y at which the valley is lowest, for each x
    start: tuple
    minimum: tuple
    steps: int
    noise: float       # standard deviation of what SGD's gradients are off by
    rates: tuple       # one for each method
    window: tuple      # x from, x to, y from, y to
    levels: np.ndarray


SURFACES = {
    "ravine": Surface(
        lambda x, y: x**2 / 20 + y**2, lambda x: 0 * x, (-7.0, 2.0), (0, 0), 30, 0.6,
        (0.95, 0.95, 0.1, 0.1, 1.5, 0.3, 0.3), (-8, 3, -2.5, 2.5), np.geomspace(0.02, 10, 12)),
    "rosenbrock": Surface(
        lambda x, y: (1 - x)**2 + 100 * (y - x**2)**2, lambda x: x**2, (-1.2, 1.0), (1, 1),
        2000, 5.0, (0.001, 0.001, 0.0005, 0.0005, 0.5, 0.01, 0.05), (-1.8, 1.8, -0.5, 2.0),
        np.geomspace(0.2, 1000, 12)),
}


def walk(surface, method, rate, steps, rng):
    """Where the weights x and y were before each step, and after the last: (steps + 1, 2)."""
    weights = x, y = [tg.Value(at) for at in surface.start]
    optimizer = METHODS[method](weights, lr=rate)
    noise = surface.noise if method == "SGD" else 0.0
    path = [surface.start]
    for _ in range(steps):
        # To SGD each example shows the surface tilted its own way; the mean of all is level.
        a, b = noise * rng.standard_normal(2)
        loss = surface.height(x, y) + a * x + b * y
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append((x.item(), y.item()))
    return np.array(path)


def zigzag(path):
    """How long a path is, over how far it leads: 1 for a straight one."""
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    return length / np.linalg.norm(path[-1] - path[0])


def terminal_step(rate, alpha, steps=300):
    """The length of momentum's last step on a slope of 1, where all gradients agree."""
    x = tg.Value(0.0)
    optimizer = Momentum([x], lr=rate, momentum=alpha)
    for _ in range(steps):
        before = x.item()
        optimizer.zero_grad()
        x.backward()
        optimizer.step()
    return before - x.item()


def print_numbers(surface, paths):
    rows = []
    for (method, path), rate in zip(paths.items(), surface.rates):
        x, y = path[-1]
        above = path[:, 1] > surface.floor(path[:, 0])
        rows.append((method, f"{rate:g}", f"{x:.4f}", f"{y:.4f}", f"{surface.height(x, y):.2e}",
                     f"{zigzag(path):.2f}", f"{np.count_nonzero(np.diff(above))}"))
    heads = "method", "rate", "x", "y", "loss", "length/distance", "times across the floor"
    print(in_columns(heads, rows, left=1))


# ---- pictures --------------------------------------------------------------------------


def draw_contours(axes, surface):
    left, right, bottom, top = surface.window
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(bottom, top, 200))
    axes.contour(x, y, surface.height(x, y), surface.levels, colors="#C8C8C8", linewidths=0.7)
    axes.plot(*surface.minimum, "+", color=ex.GREY)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def draw(surface, paths):
    """A panel for each path, one for the zigzag, and the losses of all beside them."""
    figure = ex.new_figure(15, 6.4)
    grid = figure.add_gridspec(2, 5, width_ratios=[1, 1, 1, 1, 1.9])
    for at, ((method, path), rate) in enumerate(zip(paths.items(), surface.rates)):
        axes = figure.add_subplot(grid[at // 4, at % 4])
        ex.panel(axes, f"{method}, rate {rate:g}", "x" if at > 2 else "", "" if at % 4 else "y")
        axes.tick_params(labelbottom=at > 2, labelleft=at % 4 == 0)
        draw_contours(axes, surface)
        axes.plot(*path.T, color=ex.LOOKS[method]["color"], linewidth=1.3, markersize=5,
                  marker="." if len(path) < 100 else "")
        axes.plot(*path[0], "o", color=ex.INK, markersize=5)
        axes.plot(*path[-1], ex.LOOKS[method]["marker"], color=ex.INK, markersize=6)
    axes = figure.add_subplot(grid[1, 3], ylim=(6.6, -0.6), yticks=[])
    ex.panel(axes, "Zigzag", "path length / distance", "")
    for at, (method, path) in enumerate(paths.items()):
        axes.barh(at, zigzag(path), color=ex.LOOKS[method]["color"])
        axes.text(zigzag(path), at, f" {method} {zigzag(path):.1f}", va="center", color=ex.GREY)
    axes.set_xlim(0, 1.8 * max(map(zigzag, paths.values())))
    axes = figure.add_subplot(grid[:, 4], yscale="log", xlim=(0, len(path) - 1))
    ex.panel(axes, "Loss against step", "step", "f(x, y)")
    ex.label_lines(axes, [axes.plot(surface.height(*path.T), label=method, linewidth=1.4,
                                    markevery=len(path) // 5, markersize=5,
                                    **ex.LOOKS[method])[0] for method, path in paths.items()])
    return figure


def animate(surface, paths, count, filename):
    """Write all paths at once as a GIF of up to so many frames."""
    from matplotlib.animation import PillowWriter

    figure = ex.new_figure(7, 4.2)
    axes = figure.subplots()
    ex.panel(axes, "", "x", "y")
    draw_contours(axes, surface)
    lines = [axes.plot([], [], label=method, markevery=[-1], **ex.LOOKS[method])[0]
             for method in paths]
    figure.legend(ncols=7, fontsize=8, frameon=False, loc="outside upper center")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, not for each frame
    last = len(next(iter(paths.values()))) - 1
    writer = PillowWriter(fps=8)
    with writer.saving(figure, filename, dpi=80):
        for step in ex.progress(np.unique(np.linspace(0, last, count).astype(int)), "frame"):
            for line, path in zip(lines, paths.values()):
                line.set_data(*path[:step + 1].T)
            writer.grab_frame()
    print(f"animation: {filename}")


def main():
    chosen = ex.options(__doc__, gif=dict(action="store_true", help="draw an animation, too"))
    rng = np.random.default_rng(chosen.seed)
    for name, surface in SURFACES.items():
        steps = min(surface.steps, 30) if chosen.quick else surface.steps
        paths = {}
        for method, rate in ex.progress(list(zip(METHODS, surface.rates)), "path"):
            paths[method] = walk(surface, method, rate, steps, rng)
        print(f"{name}, after {steps} steps\n")
        print_numbers(surface, paths)
        filename = "optimizer_paths" if name == "ravine" else f"optimizer_paths_{name}"
        print()
        ex.save(draw(surface, paths), chosen.out, filename)
        if chosen.gif:
            frames = 4 if chosen.quick else 61
            animate(surface, paths, frames, chosen.out / f"{filename}.gif")
        print()
    print("momentum on a slope of 1: its steps grow to rate / (1 - alpha)\n")
    rows = [(f"{alpha:g}", "0.1", f"{terminal_step(0.1, alpha):.4f}",
             f"{0.1 / (1 - alpha):.4f}") for alpha in (0.0, 0.5, 0.9)]
    print(in_columns(("alpha", "rate", "last step", "rate / (1 - alpha)"), rows))


if __name__ == "__main__":
    ex.run(main)
