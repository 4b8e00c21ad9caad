"""Train a small net on handwritten digits; then time its steps, and its updates in C and not.

    make demo
    python examples/train_digits.py --hidden 64 --optimizer momentum --epochs 20
    python examples/train_digits.py --no-jit

The 360 test digits are only looked at, after each epoch: nothing is learnt or chosen by them.
"""

import copy
import math
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from experiment import Parser, progress, run, say

import tinygrad_lite as tg
from tinygrad_lite import kernels, nn

BATCH = 32
OPTIMIZERS = {  # each with a learning rate that suits it here
    "sgd": (tg.optim.SGD, 0.3),
    "momentum": (tg.optim.Momentum, 0.05),
    "adagrad": (tg.optim.Adagrad, 0.02),
    "adam": (tg.optim.Adam, 0.002),
}


# ---- the net, and how it learns --------------------------------------------------------


def make_net(hidden):
    """64 pixels in, hidden layers with a ReLU behind each, and out a logit for each digit."""
    sizes = [64, *hidden]
    layers = []
    for n_in, n_out in zip(sizes, hidden):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 10))


def make_step(net, optimizer):
    """A function that learns from one batch, and returns its loss."""
    def step(images, labels):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def train(net, step, epochs, train_set, test_set):
    """Train, with a line for each epoch; return its loss and both accuracies."""
    batches = tg.data.DataLoader(*train_set, batch_size=BATCH, shuffle=True)
    history = tg.History()
    for epoch in progress(range(1, epochs + 1), "epoch"):
        losses = [step(images, labels).item() for images, labels in batches]
        mean = sum(losses) / len(losses)
        if not math.isfinite(mean):
            sys.exit(f"the loss of epoch {epoch} is {mean}: try a smaller --lr")
        history.append({"train_loss": mean, "train_accuracy": accuracy(net, *train_set),
                        "test_accuracy": accuracy(net, *test_set)})
        say("epoch {:3}   loss {train_loss:.4f}   train {train_accuracy:7.2%}   "
            "test {test_accuracy:7.2%}".format(epoch, **history[-1]))
    return history


def predict(net, images):
    """For each image the digit with the largest logit."""
    with tg.no_grad():
        return net(images).numpy().argmax(axis=1)


def accuracy(net, images, labels):
    """The share of right predictions."""
    return float(np.mean(predict(net, images) == labels))


# ---- times -----------------------------------------------------------------------------


def print_times_of_a_step(net, make_optimizer, lr, images, labels):
    """Time a whole training step of copies of the net: replayed by tg.jit, and as it stands."""
    print("step           microseconds   ratio")
    first = None
    for name, wrap in (("jitted", tg.jit), ("not jitted", lambda step: step)):
        copied = copy.deepcopy(net)
        step = wrap(make_step(copied, make_optimizer(copied.parameters(), lr=lr)))
        time = microseconds(lambda step=step: step(images[:BATCH], labels[:BATCH]))
        first = first or time
        print(f"{name:14} {time:12,.1f} {time / first:7,.1f}")


def print_times_of_an_update(net, make_optimizer, lr):
    """Time the update of copies of the net, with its last gradients, on each backend."""
    print("backend   microseconds   ratio")
    first = None
    for backend in kernels.BACKENDS:
        if backend == "c" and kernels.why_not_c():
            print("c         not built; for why: python -m tinygrad_lite info")
            continue
        parameters = copy.deepcopy(net).parameters()
        optimizer = make_optimizer(parameters, lr=lr, backend=backend)
        time = microseconds(optimizer.step)
        first = first or time
        print(f"{backend:9} {time:12,.1f} {time / first:7,.1f}")


def microseconds(call, seconds=0.3):
    """The median time of a call, after some that warm up."""
    for _ in range(3):
        call()
    times = []
    end = perf_counter() + seconds
    while len(times) < 3 or perf_counter() < end:
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return 1e6 * median(times)


# ---- the command line ------------------------------------------------------------------


def sizes(text):
    """The numbers in a text such as 100,50."""
    return [int(size) for size in text.split(",")]


def read_options():
    """The command line, checked; whatever is wrong with it ends the program here."""
    parser = Parser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--epochs", type=int, default=30, metavar="N",
        help="how often to go through the training digits (default: %(default)s)")
    add("--lr", type=float, metavar="RATE", help="learning rate (default: "
        + ", ".join(f"{lr} for {name}" for name, (_, lr) in OPTIMIZERS.items()) + ")")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="default: %(default)s")
    add("--hidden", type=sizes, default="100,50", metavar="N[,N...]",
        help="sizes of the hidden layers, up to 1024 each (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="N",
        help="of all random numbers (default: %(default)s)")
    add("--backend", choices=kernels.BACKENDS, default=tg.get_backend(),
        help="what runs the numeric loops (default here: %(default)s)")
    add("--no-jit", dest="jit", action="store_false",
        help="run each step in Python, instead of replaying a recording of it")
    add("--out", type=Path, default=Path("build/train_digits"), metavar="DIRECTORY",
        help="where to put weights.npz and training.png (default: %(default)s)")
    options = parser.parse_args()
    options.make_optimizer, usual_rate = OPTIMIZERS[options.optimizer]
    options.lr = usual_rate if options.lr is None else options.lr
    if options.epochs < 1:
        parser.error("--epochs: expected 1 or more")
    if not 0 < options.lr < math.inf:
        parser.error("--lr: expected a finite number above 0")
    if not all(1 <= size <= 1024 for size in options.hidden):
        parser.error("--hidden: expected sizes from 1 to 1024")
    if options.seed < 0:
        parser.error("--seed: expected 0 or more")
    try:
        tg.set_backend(options.backend)
    except RuntimeError as error:
        parser.error(f"--backend: {error}")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name in ("weights.npz", "training.png"):
            check_writable(options.out / name)
    except OSError as error:
        parser.error(f"--out: {error.strerror}: {error.filename}")
    return options


def check_writable(path):
    """Raise OSError unless the file can be written; leave it as it is."""
    is_new = not path.exists()
    path.open("ab").close()
    if is_new:
        path.unlink()


def main():
    options = read_options()
    tg.manual_seed(options.seed)
    train_set = tg.data.digits("train")
    test_set = images, labels = tg.data.digits("test")
    net = make_net(options.hidden)
    optimizer = options.make_optimizer(net.parameters(), lr=options.lr)
    print(f"{net}\n{optimizer}\n")

    step = make_step(net, optimizer)
    start = perf_counter()
    with np.errstate(all="ignore"):  # a rate too large shows in the loss
        history = train(net, tg.jit(step) if options.jit else step, options.epochs, train_set,
                        test_set)
    seconds = perf_counter() - start
    predicted = predict(net, images)
    right = sum(predicted == labels)
    print(f"\ntest accuracy {right / len(labels):.2%}: {right} of {len(labels)} digits, after "
          f"{seconds:.1f} s of training\n")

    size = sum(p.size for p in net.parameters())
    print(f"one training step on {BATCH} digits, median:\n")
    print_times_of_a_step(net, options.make_optimizer, options.lr, *train_set)
    print(f"\none {options.optimizer} update of the {size:,} parameters, median:\n")
    print_times_of_an_update(net, options.make_optimizer, options.lr)

    np.savez(options.out / "weights.npz", **net.state_dict())
    print(f"\nweights: {options.out / 'weights.npz'}")
    try:
        figure = tg.plot.training(history, images.reshape(-1, 8, 8), labels, predicted,
                                  units={"loss": "mean cross-entropy (nats)"})
        figure.savefig(options.out / "training.png")
        print(f"picture: {options.out / 'training.png'}")
    except ImportError as error:
        print(f"no picture: {error}")


if __name__ == "__main__":
    run(main)
