"""Loss shapes: each loss and its derivative, why one of them stalls, a real net's surface.

    python examples/loss_shapes.py

Where the derivative of the cross-entropy comes from. A net gives logits x, softmax makes
probabilities of them, and y is 1 for the true class t and 0 for the others:

1.  p_i = e^x_i / S, with S = sum over j of e^x_j
2.  L = -ln p_t = ln S - x_t                      the logarithm undoes the exponential
3.  d(ln S)/dx_i = (dS/dx_i) / S = e^x_i / S = p_i
4.  d(x_t)/dx_i = 1 if i is t, else 0, which is y_i
5.  dL/dx_i = p_i - y_i                           what it said, less what is true

For yes or no, p = 1 / (1 + e^-x) is the softmax of the logits x and 0, so dL/dx = p - y too.
Squared error behind the same sigmoid has no logarithm, so nothing undoes the exponential:

    L = (p - y)^2     dL/dx = 2 (p - y) p (1 - p)

The more wrong the net is, the nearer p (1 - p) is to 0: it stalls where it should hurry. All
this is checked below, against the engine's derivatives and, by gradcheck, finite differences.

loss_shapes.png shows the shapes; loss_surface.png the loss of a net with 2,410 weights over two
directions: those in which the path of the training reaches farthest (its principal components,
as Li et al. 2018, "Visualizing the loss landscape of neural nets", draw paths), and two random
ones, of which each unit's part is as long as the unit's weights (their filter normalisation).
"""

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.nn import functional as F


def squared_error(x):
    """(p - 1)^2 for a yes, with p = sigmoid(x)."""
    return (F.sigmoid(x) - 1) ** 2


def sigmoid_cross_entropy(x):
    """-ln p for a yes."""
    return F.binary_cross_entropy_with_logits(x, np.ones(x.shape), reduction="none")


def softmax_cross_entropy(x):
    """-ln p_0, where x is the logit of class 0 of ten, and the others are 0."""
    logits = tg.stack([x, *[x * 0] * 9], axis=1)
    return F.cross_entropy(logits, np.zeros(len(x), dtype=int), reduction="none")


def hinge(x):
    """max(0, 1 - x) for a yes."""
    return F.hinge_loss(x, np.ones(x.shape), reduction="none")


LOSSES = {  # what it is, how it is drawn, and where its name stands
    "squared error of a sigmoid": (squared_error, pic.COLORS[1], "--", "s", -8, 1.2),
    "cross-entropy, sigmoid": (sigmoid_cross_entropy, pic.COLORS[0], "-", "o", -8, 2.8),
    "cross-entropy, softmax of 10": (softmax_cross_entropy, pic.COLORS[2], "-.", "^", -6.6, 9),
    "hinge": (hinge, pic.COLORS[3], ":", "D", 0.2, -0.6),
}


def value_and_slope(loss, numbers):
    """A loss and its derivative at some logits, both from the engine."""
    x = tg.Tensor(numbers, dtype="float64", requires_grad=True)
    losses = loss(x)
    (slope,) = tg.grad(losses.sum(), x)
    return losses.numpy(), slope.numpy()


def check_derivation(generator):
    """p - y, and 2 (p - y) p (1 - p), against the engine and finite differences."""
    logits = tg.Tensor(generator.normal(0, 2, (5, 4)), requires_grad=True)
    target = generator.integers(0, 4, 5)
    x = tg.Tensor(generator.normal(0, 3, 9), requires_grad=True)
    p = F.sigmoid(x).numpy()
    checks = [(lambda x: F.cross_entropy(x, target, reduction="none"), logits,
               F.softmax(logits).numpy() - np.eye(4)[target]),
              (sigmoid_cross_entropy, x, p - 1),
              (squared_error, x, 2 * (p - 1) * p * (1 - p))]
    for loss, at, slope in checks:
        assert np.allclose(value_and_slope(loss, at.numpy())[1], slope)
        assert tg.gradcheck(loss, at)
    print("p - y agrees with the engine and with finite differences")


def descend(loss, starts, steps):
    """The probabilities that a yes gets, over steps of gradient descent on its logit alone.

    Returns:
        An array of shape (steps, starts).
    """
    x, seen = np.array(starts, dtype=float), []
    for _ in range(steps):
        seen.append(F.sigmoid(x))
        x = x - value_and_slope(loss, x)[1]  # a rate of 1
    return np.array(seen)


# ---- the surface of a real net ---------------------------------------------------------


def train(net, epochs, images, labels):
    """The weights at the start and after each step of SGD, of shape (steps + 1, weights)."""
    optimizer = tg.optim.SGD(net.parameters(), lr=0.3)
    batches = tg.data.DataLoader(images, labels, batch_size=100, shuffle=True)
    return ex.path_of(net, optimizer, batches, epochs * len(batches))


# ---- pictures --------------------------------------------------------------------------


def draw_losses(values, slopes):
    """The losses where yes is true, and their derivatives; what they are called is in one."""
    pic.panel(values, "The loss, where yes is true", "logit x", "loss", ylim=(-0.9, 11))
    pic.panel(slopes, "Its derivative", "logit x", "dL/dx")
    x, rows = np.linspace(-8, 4, 241), []
    for name, (loss, color, dash, mark, *place) in LOSSES.items():
        look = dict(color=color, linestyle=dash, marker=mark, markevery=40, markersize=4)
        y, slope = value_and_slope(loss, x)
        values.plot(x, y, **look)
        slopes.plot(x, slope, **look)
        pic.note(values, name.replace(", ", ",\n"), place, color=color)
        rows.append([name, *slope[::40]])
    ex.table([("dL/dx at x =", ""), *[(f"{number:g}", ".4f") for number in x[::40]]], rows)


def draw_descents(axes, steps):
    """How the probability of a yes rises from several starts, under two losses."""
    pic.panel(axes, "Descent from a wrong x", "step, at a rate of 1 (log scale)", "sigmoid(x)",
              xscale="log", ylim=(-0.05, 1.12))
    starts, names, needed = (-2, -4, -6, -8), list(LOSSES)[:2], []
    for name in names:
        loss, color, dash, *_ = LOSSES[name]
        ways = descend(loss, starts, steps)
        axes.plot(range(1, steps + 1), ways, color=color, linestyle=dash)
        needed.append([f"{1 + np.argmax(p > 0.9):,}" if p[-1] > 0.9 else f"over {steps:,}"
                       for p in ways.T])
    for start, p in zip(starts, descend(squared_error, starts, steps).T):
        at = 1 + np.argmin(np.abs(p - 0.8))
        pic.note(axes, f"{start}", (at, 0.76), (5, 0), color=pic.COLORS[1])
    pic.note(axes, "cross-entropy", (1, 1.05), color=pic.COLORS[0])
    pic.note(axes, "squared error, from x =", (45, 1.05), color=pic.COLORS[1])
    print()
    ex.table([("steps to p > 0.9 from x =", ""), *[(name, "") for name in names]],
             list(zip(starts, *needed)), left=0)


def main():
    args = ex.options(__doc__)
    generator = tg.manual_seed(args.seed)
    check_derivation(generator)
    figure, (values, slopes, descents) = pic.panels(14, 4.6, 1, 3)
    draw_losses(values, slopes)
    draw_descents(descents, 100 if args.quick else 2500)
    pic.save(figure, args.out, "loss_shapes")

    (images, labels), _ = ex.digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    path = train(net, 2 if args.quick else 20, images, labels)
    directions, shares = ex.principal_directions(path)
    random = [ex.random_direction(net, generator) for _ in range(2)]
    side = 9 if args.quick else 41
    flat = (path - path[-1]) @ directions.T
    xs, ys = ex.window(flat, side)
    around = np.linspace(-1, 1, side)

    figure, (left, right) = pic.panels(14, 4.6, 1, 2, width_ratios=[2.2, 1])
    pic.panel(left, "Loss in nats where the training went",
              *[f"principal direction {i + 1} ({share:.0%} of the path's spread)"
                for i, share in enumerate(shares)])
    pic.depths(left, xs, ys, ex.surface(net, path[-1], directions, xs, ys, images, labels))
    pic.way(left, flat, pic.COLORS[1])
    pic.panel(right, "and around its end", "random direction 1", "random direction 2",
              xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5])
    losses = ex.surface(net, path[-1], random, around, around, images, labels)
    pic.depths(right, around, around, losses)
    edge = np.concatenate([losses[[0, -1]].ravel(), losses[:, [0, -1]].ravel()])
    print()
    ex.table([("principal directions", ""), ("loss at the end", ".3f"),
              ("lowest in the random plane", ".3f"), ("at its edge", "")],
             [(" + ".join(f"{share:.1%}" for share in shares), losses[side // 2, side // 2],
               losses.min(), f"{edge.min():.2f} to {edge.max():.2f}")], left=0)
    pic.save(figure, args.out, "loss_surface")


if __name__ == "__main__":
    ex.run(main)
