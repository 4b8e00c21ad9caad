"""Initial values: how their spread decides what a net of five hidden layers can learn.

    python examples/initial_values.py

A layer z = W h + b adds up n products. If the weights are independent, with mean 0 and standard
deviation s, the mean square of z is n s ** 2 times that of h. So each layer multiplies the
numbers by s sqrt(n), and with 100 units by 10 for s = 1, by 0.1 for s = 0.01: after five layers
by 100,000, or nothing is left. Two choices keep the spread:

- Xavier, s = sqrt(2 / (n_in + n_out)), or sqrt(1 / n) between layers of one size, for functions
  that are like the identity near 0, such as tanh (Glorot and Bengio 2010, "Understanding the
  difficulty of training deep feedforward neural networks");
- He, s = sqrt(2 / n), for ReLU, which halves the mean square (He et al. 2015, "Delving deep
  into rectifiers").

The same products, backwards, multiply the gradient, so that what keeps the one keeps the other.
Batch norm divides by the spread that is there, whatever the weights made of it.

initial_values.png shows the outputs of each layer, initial_values_training.png the gradients
and what becomes of the training, without and with batch norm.
"""

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.nn import functional as F

DEPTH, WIDTH = 5, 100
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "ReLU": nn.ReLU}
SCHEMES = {  # how a weight is filled, and how it is drawn
    "std 1": (lambda w: nn.init.normal_(w, 0.0, 1.0),
              dict(color=pic.COLORS[1], linestyle="--", marker="s")),
    "std 0.01": (lambda w: nn.init.normal_(w, 0.0, 0.01),
                 dict(color=pic.COLORS[3], linestyle=":", marker="^")),
    "Xavier": ("xavier_normal", dict(color=pic.COLORS[0], linestyle="-", marker="o")),
    "He": ("he_normal", dict(color=pic.COLORS[2], linestyle="-.", marker="D")),
}


def make_net(activation, scheme, norm=False, sizes=(64, *[WIDTH] * DEPTH)):
    """Hidden layers, and a logit for each digit."""
    layers = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        layers += [nn.Linear(n_in, n_out), *[nn.BatchNorm1d(n_out)] * norm, activation()]
    net = nn.Sequential(*layers, nn.Linear(sizes[-1], 10))
    return nn.init.initialize(net, SCHEMES[scheme][0])


def outputs(net, images):
    """What each activation gives, an array for each hidden layer."""
    found, h = [], images
    with tg.no_grad():
        for layer in net:
            h = layer(h)
            if isinstance(layer, tuple(ACTIVATIONS.values())):
                found.append(h.numpy())
    return found


def gradient_sizes(net, images, labels):
    """The root of the mean square of dL/dW, for each hidden layer."""
    F.cross_entropy(net(images), labels).backward()
    layers = [layer for layer in net if isinstance(layer, nn.Linear)][:-1]
    return [float(np.sqrt(np.mean(layer.weight.grad.numpy() ** 2))) for layer in layers]


def train(net, epochs, train_set):
    """The loss of each epoch; they end where the loss is no number any more."""
    optimizer = tg.optim.SGD(net.parameters(), lr=0.1)
    batches = tg.data.DataLoader(*train_set, batch_size=100, shuffle=True)
    history = tg.History()
    try:
        with np.errstate(all="ignore"):
            tg.fit(net, nn.CrossEntropyLoss(), optimizer, batches, epochs=epochs,
                   history=history, progress=False)
    except FloatingPointError:
        pass  # that numbers overflow is what the picture is about
    return history["train_loss"] if len(history) else []


# ---- pictures --------------------------------------------------------------------------


def draw_outputs(axes, activation, scheme, layers):
    """A histogram for each layer, one below the other, with its spread beside it."""
    part = ", where above 0" if activation == "ReLU" else ""  # half of ReLU's are 0
    low, high = {"sigmoid": (0, 1), "tanh": (-1, 1), "ReLU": (0, 4)}[activation]
    pic.panel(axes, f"{activation}, {scheme}", f"output of a unit{part}", "hidden layer",
              xlim=(low, high), ylim=(DEPTH + 0.1, 0), yticks=range(1, DEPTH + 1))
    pic.note(axes, "std", (high, 0), (5, 0), va="top")
    for i, h in enumerate(layers, start=1):
        counts, edges = np.histogram(h[h > 0] if part else h, bins=np.linspace(low, high, 61))
        top = i - 0.85 * counts / max(counts.max(), 1)
        axes.stairs(top, edges, baseline=i, fill=True, color=SCHEMES[scheme][1]["color"])
        std = f"{h.std():.2g}" if h.std() < 10 else f"{h.std():,.0f}"
        pic.note(axes, std, (high, i), (5, 0))


def draw_lines(axes, title, x, y, curves):
    """A line for each scheme, on a logarithmic scale; one without numbers is only named."""
    pic.panel(axes, title, x, f"{y}, log scale", yscale="log")
    axes.minorticks_off()
    if x == "epoch":
        axes.set_ylim(2e-3, 20)  # the same for all, so that one sees what batch norm does
    lines = {}
    for scheme, numbers in curves.items():
        look = SCHEMES[scheme][1]
        if len(numbers):
            often = dict(markevery=max(len(numbers) // 5, 1))
            lines[scheme] = range(1, len(numbers) + 1), numbers, look | often
        else:
            pic.note(axes, f"{scheme}: overflows in the first epoch", (0.03, 0.05), inside=True,
                     color=look["color"])
    pic.named_lines(axes, lines, gap=0.1, markersize=4)


def main():
    args = ex.options(__doc__)
    tg.manual_seed(args.seed)
    epochs = 1 if args.quick else 20
    (images, labels), (test_images, test_labels) = ex.digits(normalised=True)
    if args.quick:
        images, labels = images[:300], labels[:300]

    shapes, grid = pic.panels(13, 10, 4, 3)
    curves, rows = {}, []
    pairs = [(activation, scheme) for activation in ACTIVATIONS for scheme in SCHEMES]
    for axes, (activation, scheme) in zip(grid.T.flat, ex.progress(pairs, "net")):
        kind = ACTIVATIONS[activation]
        layers = outputs(make_net(kind, scheme), images)
        draw_outputs(axes, activation, scheme, layers)
        sizes = gradient_sizes(make_net(kind, scheme), images, labels)
        curves[0, activation, scheme] = sizes
        row = [activation, scheme, layers[0].std(), layers[-1].std(), sizes[0], sizes[-1]]
        for norm in (False, True):
            net = make_net(kind, scheme, norm)
            curves[1 + norm, activation, scheme] = train(net, epochs, (images, labels))
            row.append(tg.accuracy(tg.predict(net, test_images), test_labels))
        rows.append(row)
    ex.table([("activation", ""), ("weights", ""), ("std, layer 1", ".2g"),
              (f"layer {DEPTH}", ".2g"), ("gradient, layer 1", ".2g"),
              (f"layer {DEPTH}", ".2g"), ("test digits right", ".1%"),
              ("with batch norm", ".1%")], rows, left=2)

    training, grid = pic.panels(13, 10, 3, 3)
    names = "gradients at the start", "training", "training with batch norm"
    for r, (name, row) in enumerate(zip(names, grid)):
        x, y = ("epoch", "loss in nats") if r else ("hidden layer", "rms of dL/dW")
        for axes, activation in zip(row, ACTIVATIONS):
            draw_lines(axes, f"{activation}: {name}", x, y,
                       {scheme: curves[r, activation, scheme] for scheme in SCHEMES})
    pic.save(shapes, args.out, "initial_values")
    pic.save(training, args.out, "initial_values_training")


if __name__ == "__main__":
    ex.run(main)
