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
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite.optim import SGD, Adagrad, Adam, Momentum, RMSprop

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
        above = path[:, 1] > surface.floor(path[:, 0])
        rows.append((method, rate, *path[-1], surface.height(*path[-1]), zigzag(path),
                     np.count_nonzero(np.diff(above))))
    ex.table([("method", ""), ("rate", "g"), ("x", ".4f"), ("y", ".4f"), ("loss", ".2e"),
              ("length/distance", ".2f"), ("times across the floor", "d")], rows)


# ---- pictures --------------------------------------------------------------------------


def draw(surface, paths):
    """A panel for each path, one for the zigzag, and the losses of all beside them."""
    figure = pic.new_figure(15, 6.4)
    grid = figure.add_gridspec(2, 5, width_ratios=[1, 1, 1, 1, 1.9])
    for at, ((method, path), rate) in enumerate(zip(paths.items(), surface.rates)):
        low, left = at > 2, at % 4 == 0  # what has no panel below it, or to its left
        axes = pic.panel(figure.add_subplot(grid[at // 4, at % 4]), f"{method}, rate {rate:g}",
                         "x" if low else "", "y" if left else "")
        axes.tick_params(labelbottom=low, labelleft=left)
        pic.contours(axes, surface.height, surface.minimum, surface.window, surface.levels)
        axes.plot(*path.T, color=pic.LOOKS[method]["color"], linewidth=1.3, markersize=5,
                  marker="." if len(path) < 100 else "")
        axes.plot(*path[0], "o", color=pic.INK, markersize=5)
        axes.plot(*path[-1], pic.LOOKS[method]["marker"], color=pic.INK, markersize=6)
    axes = pic.panel(figure.add_subplot(grid[1, 3]), "Zigzag", "path length / distance", "")
    pic.bars(axes, {method: zigzag(path) for method, path in paths.items()})
    axes = pic.panel(figure.add_subplot(grid[:, 4]), "Loss against step", "step", "f(x, y)",
                     yscale="log", xlim=(0, len(path) - 1))
    curves = {method: (range(len(path)), surface.height(*path.T), pic.LOOKS[method])
              for method, path in paths.items()}
    pic.named_lines(axes, curves, linewidth=1.4, markersize=5, markevery=len(path) // 5)
    return figure


def animate(surface, paths, frames, filename):
    axes = pic.panel(pic.new_figure(7, 4.2).subplots(), "", "x", "y")
    pic.contours(axes, surface.height, surface.minimum, surface.window, surface.levels)
    pic.animate(axes, paths, frames, filename)


def main():
    chosen = ex.options(__doc__, gif=dict(action="store_true", help="draw an animation, too"))
    rng = np.random.default_rng(chosen.seed)
    for name, surface in SURFACES.items():
        steps = min(surface.steps, 30) if chosen.quick else surface.steps
        methods = ex.progress(list(zip(METHODS, surface.rates)), "path")
        paths = {method: walk(surface, method, rate, steps, rng) for method, rate in methods}
        print(f"{name}, after {steps} steps\n")
        print_numbers(surface, paths)
        filename = "optimizer_paths" if name == "ravine" else f"optimizer_paths_{name}"
        print()
        pic.save(draw(surface, paths), chosen.out, filename)
        if chosen.gif:
            animate(surface, paths, 4 if chosen.quick else 61, chosen.out / f"{filename}.gif")
        print()
    print("momentum on a slope of 1: its steps grow to rate / (1 - alpha)\n")
    rows = [(alpha, 0.1, terminal_step(0.1, alpha), 0.1 / (1 - alpha))
            for alpha in (0.0, 0.5, 0.9)]
    ex.table([("alpha", "g"), ("rate", "g"), ("last step", ".4f"),
              ("rate / (1 - alpha)", ".4f")], rows, left=0)


if __name__ == "__main__":
    ex.run(main)
