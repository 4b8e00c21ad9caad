"""Compare all optimizers, each at its own best learning rate, over five seeds.

    python examples/compare_optimizers.py
    python examples/compare_optimizers.py --data path/to/mnist --jobs 4

On digits of 8x8 pixels; with --data on 10,000 of MNIST, of which 2,000 are for the test. The
rates are tried on a fifth of the training examples that is held out, never on the test.
Finished runs are kept in runs.jsonl in --out: started again, it goes on where it was stopped.
Remove that file to begin anew.
"""

from functools import cache, partial

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite import nn

optim = tg.optim
METHODS = {  # each with the middle of the rates that are tried
    "SGD": (optim.SGD, 0.3),
    "Momentum": (optim.Momentum, 0.03),
    "Nesterov": (partial(optim.Momentum, nesterov=True), 0.03),
    "AdaGrad": (optim.Adagrad, 0.03),
    "RMSprop": (optim.RMSprop, 0.003),
    "Adadelta": (optim.Adadelta, 1.0),
    "Adam": (optim.Adam, 0.003),
    "AdamW": (optim.AdamW, 0.003),
}
FACTORS = (1/10, 1/3, 1, 10/3, 10, 100/3)


# ---- a run, in a process of its own ----------------------------------------------------


@cache
def load(data):
    """((images, labels) to learn from, the same to test), of digits or a folder of MNIST."""
    return ex.digits() if data == "digits" else ex.mnist_test_digits(data)


def train(data, purpose, method, rate, seed, epochs):
    """The training loss after each epoch, and loss and accuracy on what was not learnt from."""
    (images, labels), test = load(data)
    if purpose == "search":
        held = len(images) // 5
        test = images[:held], labels[:held]
        images, labels = images[held:], labels[held:]
    tg.manual_seed(seed)
    net = nn.Sequential(nn.Linear(images.shape[1], 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = METHODS[method][0](net.parameters(), lr=rate)
    batches = tg.data.DataLoader(images, labels, batch_size=50, shuffle=True)
    curve = []
    with np.errstate(all="ignore"):  # a rate too large shows in the loss
        for done, _ in ex.steps(net, optimizer, batches, epochs * len(batches)):
            if done % len(batches) == 0:
                curve.append(ex.loss_of(net, images, labels))
        loss = ex.loss_of(net, *test)
        right = tg.accuracy(tg.predict(net, test[0]), test[1])
    return dict(curve=curve, loss=loss, accuracy=100 * right)


# ---- all of them -----------------------------------------------------------------------


def main():
    chosen = ex.options(
        __doc__,
        data=dict(type=ex.mnist_folder, metavar="DIRECTORY",
                  help="with MNIST's t10k files (default: digits of 8x8 pixels)"),
        jobs=dict(type=ex.positive, default=2, metavar="N",
                  help="processes that share the runs (default: %(default)s)"))
    data = chosen.data or "digits"
    epochs = 1 if chosen.quick else 20 if data == "digits" else 10
    seeds = range(chosen.seed, chosen.seed + (2 if chosen.quick else 5))
    first = 1000 + chosen.seed  # so that the search has seeds of its own
    searched = range(first, first + (1 if chosen.quick else 3))
    factors = FACTORS[1:4] if chosen.quick else FACTORS
    tried = [(method, factor * middle) for method, (_, middle) in METHODS.items()
             for factor in factors]

    def runs_of(purpose, method, rate, seeds):
        return [(data, purpose, method, rate, seed, epochs) for seed in seeds]

    with ex.Runs(train, chosen.out / "runs.jsonl", chosen.jobs) as runs:
        searches = runs.finish({pair: runs_of("search", *pair, searched) for pair in tried})
        found = {pair: mean_loss(results) for pair, results in searches.items()}
        best = ex.best_rates(found)
        results = runs.finish({method: runs_of("final", method, rate, seeds)
                               for method, rate in best.items()})
    print_numbers(results, best, found)
    name = "compare_optimizers" + ("" if data == "digits" else "_mnist")
    pic.save(draw(results, best, found), chosen.out, name)


def mean_loss(results):
    """Of some runs; without end if one of them has lost its numbers."""
    return np.nan_to_num(np.mean([result["loss"] for result in results]), nan=np.inf)


def print_numbers(results, best, found):
    rows = []
    for method, runs in results.items():
        rows.append((method, best[method], found[method, best[method]],
                     ex.mean_and_deviation([run["curve"][-1] for run in runs], 4),
                     ex.mean_and_deviation([run["accuracy"] for run in runs])))
    epochs = len(runs[0]["curve"])
    print(f"mean and standard deviation over {len(runs)} seeds, after {epochs} epochs\n")
    ex.table([("optimizer", ""), ("best rate", ".2g"), ("held-out loss", ".4f"),
              ("training loss", ""), ("test accuracy (%)", "")], rows)
    print()


# ---- the picture -----------------------------------------------------------------------


def draw(results, best, found):
    figure = pic.new_figure(15, 5.2)
    losses, search, accuracy = figure.subplots(1, 3, width_ratios=[1, 1.3, 1])
    pic.panel(losses, "Loss at the best rate, mean over seeds", "passes over the examples",
              "training loss (nats)", yscale="log")
    curves = {method: np.mean([run["curve"] for run in runs], axis=0)
              for method, runs in results.items()}
    pic.named_lines(losses, {method: (range(1, len(curve) + 1), curve, pic.LOOKS[method])
                             for method, curve in curves.items()}, markersize=4)

    # Rows as in the panel to the right: the loss found at each rate, the best in colour.
    pic.panel(search, "The search: loss on held-out examples (nats)", "rate", "", xscale="log")
    rows = {method: at for at, method in enumerate(results)}
    for method, at in rows.items():
        rates = [rate for of, rate in found if of == method]
        search.plot(rates, np.full(len(rates), at), color=pic.PALE, zorder=0)
    for (method, rate), loss in found.items():
        color = pic.LOOKS[method]["color"] if rate == best[method] else None
        pic.number(search, (rate, rows[method]), f"{loss:.2f}", color)

    pic.panel(accuracy, "Test accuracy, a dot for each seed", "right answers (%)", "")
    for method, at in rows.items():
        right = np.array([run["accuracy"] for run in results[method]])
        look = pic.LOOKS[method]
        apart = at + np.linspace(-0.1, 0.1, len(right))  # as equal ones would be one dot
        accuracy.plot(right, apart, look["marker"], color=look["color"], markersize=5)
        accuracy.errorbar(right.mean(), at + 0.28, xerr=right.std(), color=pic.INK, capsize=3,
                          marker="|", markersize=9)
    for axes in (search, accuracy):
        axes.set_yticks(range(len(results)), results)
        axes.set_ylim(len(results) - 0.4, -0.5)
    return figure


if __name__ == "__main__":
    ex.run(main)
