"""Train an MLP or a CNN on 10,000 MNIST digits: 8,000 to learn from, 2,000 to test.

    python examples/train_mnist.py --data path/to/mnist
    python examples/train_mnist.py --data path/to/mnist --net mlp --batch 32
    python examples/train_mnist.py --data path/to/mnist --download
    python examples/train_mnist.py --data path/to/mnist --best

The 10,000 are MNIST's own test digits; which of them are learnt from is fixed.
"""

import math
from pathlib import Path

import numpy as np
from experiment import Parser, run, say

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.optim import lr_scheduler

OPTIMIZERS = {  # each with a learning rate that suits it here
    "sgd": (tg.optim.SGD, 0.1),
    "momentum": (tg.optim.Momentum, 0.02),
    "adagrad": (tg.optim.Adagrad, 0.01),
    "rmsprop": (tg.optim.RMSprop, 0.001),
    "adam": (tg.optim.Adam, 0.001),
    "adamw": (tg.optim.AdamW, 0.001),
}
INITIALISERS = ["default", "xavier_normal", "xavier_uniform", "kaiming_normal",
                "kaiming_uniform", "orthogonal"]
SCHEDULES = ["none", "step", "cosine", "one-cycle"]
BEST = dict(net="cnn", optimizer="adam", lr=0.004, batch=50, schedule="one-cycle",
            batch_norm=True, dropout=0.3, shift=2)


# ---- the nets --------------------------------------------------------------------------


def hidden(n_in, n_out, options):
    """A dense layer, and what stands behind it."""
    norm = [nn.BatchNorm1d(n_out)] if options.batch_norm else []
    drop = [nn.Dropout(options.dropout)] if options.dropout else []
    return [nn.Linear(n_in, n_out), *norm, nn.ReLU(), *drop]


def make_mlp(options):
    """784 pixels, two hidden layers of 100, and a logit for each digit."""
    return nn.Sequential(nn.Flatten(), *hidden(784, 100, options), *hidden(100, 100, options),
                         nn.Linear(100, 10))


def make_cnn(options):
    """30 filters of 5x5 pixels, the largest of each 2x2, a hidden layer of 100, 10 logits."""
    norm = [nn.BatchNorm2d(30)] if options.batch_norm else []
    return nn.Sequential(nn.Conv2d(1, 30, 5), *norm, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         *hidden(30 * 12 * 12, 100, options), nn.Linear(100, 10))


NETS = {"mlp": make_mlp, "cnn": make_cnn}


def make_schedule(options, optimizer, batches):
    """The schedule of the rate, and how often it steps."""
    if options.schedule == "step":
        return lr_scheduler.StepLR(optimizer, max(1, options.epochs // 3), 0.3), "epoch"
    if options.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, options.epochs), "epoch"
    if options.schedule == "one-cycle":
        steps = options.epochs * len(batches)
        return lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=steps), "batch"
    return None, "epoch"


# ---- the data --------------------------------------------------------------------------


def load(options):
    """Training and test digits, images of shape (N, 1, 28, 28)."""
    images, labels = tg.data.mnist(options.data, split="test", flat=False,
                                   download=options.download)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order, None], labels[order]
    return (images[:8000], labels[:8000]), (images[8000:], labels[8000:])


def shifted(pixels):
    """Moves each image of a batch by up to so many pixels, anew in each pass."""
    return lambda images, labels: (tg.data.random_shift(images, pixels), labels)


# ---- the command line ------------------------------------------------------------------


def read_options():
    """The command line, checked; whatever is wrong with it ends the program here."""
    parser = Parser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, help="folder with MNIST's t10k files (default: the cache)")
    add("--download", action="store_true", help="download what is missing there")
    add("--net", choices=NETS, default="cnn", help="default: %(default)s")
    add("--epochs", type=int, default=10, metavar="N", help="default: %(default)s")
    add("--batch", type=int, default=100, metavar="N", help="default: %(default)s")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="default: %(default)s")
    add("--lr", type=float, metavar="RATE", help="learning rate (default: "
        + ", ".join(f"{lr} for {name}" for name, (_, lr) in OPTIMIZERS.items()) + ")")
    add("--init", choices=INITIALISERS, default="default", help="default: %(default)s")
    add("--schedule", choices=SCHEDULES, default="none", help="default: %(default)s")
    add("--batch-norm", action="store_true", help="normalise behind each hidden layer")
    add("--dropout", type=float, default=0.0, metavar="P", help="default: %(default)s")
    add("--shift", type=int, default=0, metavar="PIXELS",
        help="move training images by up to so many pixels (default: %(default)s)")
    add("--best", action="store_true", help="the best recipe: "
        + ", ".join(f"{name} {value}" for name, value in BEST.items()))
    add("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    if options.best:
        vars(options).update(BEST)
    usual_rate = OPTIMIZERS[options.optimizer][1]
    options.lr = usual_rate if options.lr is None else options.lr
    if not 0 < options.lr < math.inf:
        parser.error("--lr: expected a finite number above 0")
    for name, least in {"epochs": 1, "batch": 1, "shift": 0, "seed": 0}.items():
        if getattr(options, name) < least:
            parser.error(f"--{name}: expected {least} or more")
    if not 0 <= options.dropout < 1:
        parser.error("--dropout: expected at least 0 and below 1")
    return options, parser


def main():
    options, parser = read_options()
    try:
        train, test = load(options)
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        parser.error(" ".join(str(error).split()))
    tg.manual_seed(options.seed)
    net = NETS[options.net](options)
    if options.init != "default":
        nn.init.initialize(net, options.init)
    batches = tg.data.DataLoader(*train, batch_size=options.batch, shuffle=True,
                                 transform=shifted(options.shift) if options.shift else None)
    optimizer = OPTIMIZERS[options.optimizer][0](net.parameters(), lr=options.lr)
    schedule, each = make_schedule(options, optimizer, batches)
    print(tg.summary(net, train[0][:options.batch]))
    history = tg.fit(net, nn.CrossEntropyLoss(), optimizer, batches,
                     valid=tg.data.DataLoader(*test, batch_size=500), epochs=options.epochs,
                     scheduler=schedule, scheduler_each=each,
                     metrics={"accuracy": tg.accuracy}, callbacks=[report])
    print(f"\ntest accuracy {history['valid_accuracy'][-1]:.2%} after "
          f"{sum(history['seconds']):.1f} s")


def report(training):
    """A line for each epoch."""
    say("epoch {epoch:3}   loss {train_loss:.4f}   test {valid_accuracy:7.2%}   "
        "{seconds:.1f} s".format(**training.history[-1]))


if __name__ == "__main__":
    run(main)
