"""Two moons, by hand: a net of single numbers learns to tell two half circles apart.

    python examples/moons_by_hand.py

Each weight is a Value, a float that remembers what was made of it. A neuron is a sum of
products, a layer a list of neurons, a net a list of layers; the loss is that of a support
vector machine (Cortes and Vapnik 1995): 0 for a point on the right side by 1 or more, else what
is missing. It is after the demonstration of A. Karpathy's micrograd, and has its sizes.

A step makes some 65,000 nodes, and takes a good part of a second, for each node is a Python
object. Replayed by tg.jit, the same step is a tape of operations on floats: some 0.3 ms.

moons_by_hand.png shows the loss and what the net decides; neuron.svg the graph of one neuron,
with the number and the gradient of every node.
"""

from time import perf_counter

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite.optim import lr_scheduler


class Neuron:
    """y = relu(w1 x1 + w2 x2 + ... + b), or the same without relu."""

    def __init__(self, n_in, relu, generator):
        self.w = [tg.Value(generator.normal(0, (2 / n_in) ** 0.5)) for _ in range(n_in)]
        self.b = tg.Value(0.0)
        self.relu = relu

    def __call__(self, x):
        y = sum((w * x for w, x in zip(self.w, x, strict=True)), start=self.b)
        return y.relu() if self.relu else y

    def parameters(self):
        return [*self.w, self.b]


class Net:
    """Layers of neurons, then one neuron without relu, whose output is the score."""

    def __init__(self, sizes, generator):
        self.layers = [[Neuron(n_in, True, generator) for _ in range(n_out)]
                       for n_in, n_out in zip(sizes, sizes[1:])]
        self.last = Neuron(sizes[-1], False, generator)

    def __call__(self, x):
        for layer in self.layers:
            x = [neuron(x) for neuron in layer]
        return self.last(x)

    def parameters(self):
        neurons = [*[neuron for layer in self.layers for neuron in layer], self.last]
        return [p for neuron in neurons for p in neuron.parameters()]


def make_step(net, optimizer):
    """A function that learns from some points, and returns the loss."""

    def step(points, signs):
        optimizer.zero_grad()
        losses = [(1 - sign * net(point)).relu() for point, sign in zip(points, signs)]
        loss = sum(losses) / len(losses)
        loss = loss + 1e-4 * sum(p * p for p in net.parameters())  # small weights, wide margin
        loss.backward()
        optimizer.step()
        return loss

    return step


def train(sizes, seed, points, signs, steps, compiled):
    """A net, its loss before each step, and the seconds that each step took.

    Args:
        compiled: takes the step as a function, and returns what is called in its place.
    """
    net = Net(sizes, np.random.default_rng(seed))
    optimizer = tg.optim.Adam(net.parameters(), lr=0.1)
    scheduler = lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=steps)
    step = compiled(make_step(net, optimizer))
    losses, seconds = [], []
    for _ in ex.progress(range(steps), "step"):
        start = perf_counter()
        losses.append(float(step(points, signs)))
        seconds.append(perf_counter() - start)
        scheduler.step()
    return net, losses, seconds


def draw_neuron(path):
    """The graph of one neuron after a sweep: every node's number and gradient."""
    neuron = Neuron(2, True, np.random.default_rng(1))
    x = [tg.Value(1.0), tg.Value(0.5)]
    y = neuron(x)
    y.backward(retain_graph=True)
    names = dict(zip(["x1", "x2", "w1", "w2", "b", "y"], [*x, *neuron.w, neuron.b, y]))
    tg.draw(y, names=names, title="y = relu(w1 x1 + w2 x2 + b)").save(path)


def main():
    args = ex.options(__doc__)
    sizes, n, steps = ((2, 6), 20, 5) if args.quick else ((2, 16, 16), 100, 50)
    points, labels = tg.data.moons(n, noise=0.1, seed=args.seed)
    signs = [1.0 if label else -1.0 for label in labels]
    values = [[tg.Value(x, requires_grad=False) for x in point] for point in points.tolist()]
    ways = {"as it stands": lambda step: step, "jitted": tg.jit}
    rows = []
    for name, compiled in ways.items():
        net, losses, seconds = train(sizes, args.seed, values, signs, steps, compiled)
        rows.append([name, f"{sum(seconds):.2f} s", f"{1e3 * np.median(seconds):.3g} ms",
                     losses[0], losses[-1]])
    ex.table([("step", ""), (f"{steps} steps", ""), ("one, median", ""),
              ("first loss", ".4f"), ("last loss", ".4f")], rows)
    scores = np.array([float(net(point)) for point in values])
    right = int(np.sum(np.sign(scores) == signs))
    print(f"\n{len(net.parameters())} weights, {right} of {n} points right")

    figure = pic.new_figure(11, 4.8)
    left, right_half = figure.subfigures(1, 2, width_ratios=[1, 1.3])
    axes = pic.panel(left.subplots(), f"{right} of {n} points right", "step",
                     "mean hinge loss + 1e-4 |w|²")
    axes.plot(range(1, steps + 1), losses, color=pic.INK, linewidth=2)
    axes.set_ylim(bottom=0)
    tg.plot.decision_boundary(net, points, labels, ["upper moon", "lower moon"],
                              steps=20 if args.quick else 40, figure=right_half)
    pic.save(figure, args.out, "moons_by_hand")
    draw_neuron(args.out / "neuron.svg")
    print(f"the graph of a neuron: {args.out / 'neuron.svg'}")


if __name__ == "__main__":
    ex.run(main)
