"""Vanishing gradients: what is left of the gradient in each layer of a net of 20 layers.

    python examples/vanishing_gradients.py

On its way back through a layer z = W h, h' = f(z) the gradient is multiplied by f'(z), then by
the transpose of W. With initial values that keep the spread of the numbers (Xavier's, He's), W
leaves the mean square of the gradient as it is, and f' decides:

- sigmoid: f' = p (1 - p) is at most 1/4, so that 20 layers leave (1/4) ** 20, or 1e-12;
- tanh: f' is 1 at 0 and smaller elsewhere, and Xavier's weights hold z near 0: a slow decay,
  which batch norm, by spreading z again, turns round;
- ReLU: f' is 1 for half of the units and 0 for the others; He's weights make up for the half.

Larger weights are no help. They carry z to where f' is almost 0, the unit is saturated, and it
learns no more; below, the weights of standard deviation 1 show it.

What helps is a way round (the residual link h + f(z): He et al. 2016, "Deep residual learning")
or a norm that holds z where f' is large (Ioffe and Szegedy 2015, "Batch normalization").
Neither is free. A residual link adds up, with ReLU to twice the mean square a layer and more;
batch norm alone makes the gradient grow, with ReLU by sqrt(pi / (pi - 1)) = 1.21 a layer (Yang
et al. 2019, "A mean field theory of batch normalization"). The two together hold.
"""

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.nn import functional as F

DEPTH, WIDTH = 20, 64  # as wide as a digit has pixels, so that every layer is of one shape
ACTIVATIONS = {"sigmoid": F.sigmoid, "tanh": F.tanh, "ReLU": F.relu}
SCHEMES = {"sigmoid": "Xavier", "tanh": "Xavier", "ReLU": "He"}  # which suits it
VARIANTS = {  # (residual, norm), and how it is drawn
    "plain": ((False, False), dict(color=pic.INK, linestyle="-", marker="o")),
    "residual": ((True, False), dict(color=pic.COLORS[0], linestyle="--", marker="s")),
    "batch norm": ((False, True), dict(color=pic.COLORS[1], linestyle="-.", marker="^")),
    "both": ((True, True), dict(color=pic.COLORS[2], linestyle=":", marker="D")),
}


class Block(nn.Module):
    """f(norm(W h + b)), or h + f(norm(W h + b)); the norm may be left out."""

    def __init__(self, activation, residual, norm):
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.BatchNorm1d(WIDTH) if norm else nn.Identity()
        self.activation = ACTIVATIONS[activation]
        self.residual = residual

    def forward(self, h):
        y = self.activation(self.norm(self.linear(h)))
        return h + y if self.residual else y


def make_net(activation, residual, norm, depth=DEPTH):
    """So many blocks, then a logit for each digit, with the initial values that suit f."""
    blocks = [Block(activation, residual, norm) for _ in range(depth)]
    scheme = f"{SCHEMES[activation].lower()}_normal"
    return nn.init.initialize(nn.Sequential(*blocks, nn.Linear(WIDTH, 10)), scheme)


def gradient_norms(net, images, labels):
    """|dL/dW| of each block, from the first to the last."""
    F.cross_entropy(net(images), labels).backward()
    return np.array([np.linalg.norm(block.linear.weight.grad) for block in list(net)[:-1]])


def accuracy_after(net, epochs, train_set, test_set):
    """The share of test digits that are right after some epochs of Adam."""
    optimizer = tg.optim.Adam(net.parameters(), lr=0.001)
    batches = tg.data.DataLoader(*train_set, batch_size=100, shuffle=True)
    tg.fit(net, nn.CrossEntropyLoss(), optimizer, batches, epochs=epochs, progress=False)
    images, labels = test_set
    return tg.accuracy(tg.predict(net, images), labels)


def slopes(activation, std, images):
    """z and f'(z) in the second layer of a plain net; std None for initial values that suit."""
    net = make_net(activation, False, False, depth=2)
    if std:
        nn.init.initialize(net, lambda weight: nn.init.normal_(weight, 0.0, std))
    first, second = list(net)[:2]
    z = second.linear(first(images)).detach().requires_grad_()
    (slope,) = tg.grad(second.activation(z).sum(), z)
    return z.numpy().ravel(), slope.numpy().ravel()


# ---- pictures --------------------------------------------------------------------------


def draw_norms(axes, activation, norms, accuracies):
    """A line for each variant, from the last layer back to the first, as the sweep goes."""
    powers = np.log10([norms[activation, variant] for variant in VARIANTS])
    pic.panel(axes, f"{activation}: gradient by layer",
              f"layer, from the last ({DEPTH}) to the first", "norm of dL/dW (log scale)",
              yscale="log", xlim=(DEPTH + 0.5, 0.5), xticks=[20, 15, 10, 5, 1],
              ylim=(0.95 * 10 ** np.floor(powers.min()), 10 ** np.ceil(powers.max())))
    axes.minorticks_off()
    layers = np.arange(DEPTH, 0, -1)
    curves = {f"{variant}: {accuracies[activation, variant]:.0%}":
              (layers, norms[activation, variant][::-1], look)
              for variant, (_, look) in VARIANTS.items()}
    pic.named_lines(axes, curves, markersize=4, markevery=2)
    if activation == "sigmoid":
        quarters = norms[activation, "plain"][-1] * 0.25 ** (DEPTH - layers)
        axes.plot(layers, quarters, color=pic.GREY, linewidth=5, alpha=0.3)
        pic.note(axes, "1/4 a layer", (11.5, quarters[9]), ha="right", va="top")
        pic.note(axes, "in percent: test digits\nright after training", (0.02, 0.03),
                 inside=True)


def draw_saturation(axes, activation, seen):
    """f' as the engine has it, and how the z of a layer are spread below it."""
    pic.panel(axes, f"{activation}: units under its slope f'", "z of the second layer",
              "f'(z); bars: how many units")
    z = tg.Tensor(np.linspace(-12, 12, 481), requires_grad=True)
    (slope,) = tg.grad(ACTIVATIONS[activation](z).sum(), z)
    axes.plot(z.numpy(), slope.numpy(), color=pic.INK, linewidth=2)
    word = "off" if activation == "ReLU" else "saturated"
    texts = {f"{name}:\n{share:.0%} {word}": z for name, (z, share) in seen.items()}
    pic.shadows(axes, texts, np.linspace(-12, 12, 49), 0.75 * slope.numpy().max())


def main():
    args = ex.options(__doc__)
    tg.manual_seed(args.seed)
    seeds, epochs = (1, 1) if args.quick else (3, 10)
    train_set, test_set = ex.digits(normalised=True)
    images, labels = batch = [each[:200] for each in train_set]

    norms, accuracies, rows = {}, {}, []
    pairs = [(activation, variant) for activation in ACTIVATIONS for variant in VARIANTS]
    for pair in ex.progress(pairs, "net"):
        activation, variant = pair
        nets = [make_net(activation, *VARIANTS[variant][0]) for _ in range(seeds)]
        logs = [np.log(gradient_norms(net, *batch)) for net in nets]
        norms[pair] = np.exp(np.mean(logs, axis=0))
        learnt = batch if args.quick else train_set
        accuracies[pair] = np.mean([accuracy_after(net, epochs, learnt, test_set)
                                    for net in nets])
        first, last = norms[pair][[0, -1]]
        rows.append([*pair, last, first, (first / last) ** (1 / (DEPTH - 1)), accuracies[pair]])
    ex.table([("activation", ""), ("net", ""), (f"|dL/dW| of layer {DEPTH}", ".2g"),
              ("of layer 1", ".2g"), ("factor a layer", ".2f"),
              (f"right after {epochs} epochs", ".1%")], rows, left=2)

    figure, axes = pic.panels(14, 8, 2, 3)
    rows = []
    for column, activation in zip(axes.T, ACTIVATIONS):
        draw_norms(column[0], activation, norms, accuracies)
        seen = {}
        for name, weight_std in {SCHEMES[activation]: None, "std 1": 1.0}.items():
            z, slope = slopes(activation, weight_std, images)
            saturated = np.mean(slope < 0.1 * (0.25 if activation == "sigmoid" else 1))
            if z.std() < 10:  # else the panel would show a small part of them
                seen[name] = z, saturated
            rows.append([activation, name, z.std(), slope.mean(), saturated])
        draw_saturation(column[1], activation, seen)
    print()
    ex.table([("activation", ""), ("weights", ""), ("spread of z", ".2f"), ("mean f'", ".3f"),
              ("saturated", ".1%")], rows, left=2)
    pic.save(figure, args.out, "vanishing_gradients")


if __name__ == "__main__":
    ex.run(main)
