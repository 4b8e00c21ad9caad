"""Compare all optimizers, each at its own best learning rate, over five seeds.

    python examples/compare_optimizers.py
    python examples/compare_optimizers.py --data path/to/mnist --jobs 4

On digits of 8x8 pixels; with --data on 10,000 of MNIST, of which 2,000 are for the test. The
rates are tried on a fifth of the training examples that is held out, never on the test.
Finished runs are kept in runs.jsonl in --out: started again, it goes on where it was stopped.
Remove that file to begin anew.
"""

import argparse
import json
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.tables import in_columns

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
    if data == "digits":
        return ex.digits()
    images, labels = tg.data.mnist(data, split="test")
    order = np.random.default_rng(0).permutation(len(images))
    learn, test = np.split(order, [len(order) * 4 // 5])
    return (images[learn], labels[learn]), (images[test], labels[test])


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
    curve = []
    with np.errstate(all="ignore"):  # a rate too large shows in the loss
        for _ in range(epochs):
            for batch in tg.data.DataLoader(images, labels, batch_size=50, shuffle=True):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(batch[0]), batch[1]).backward()
                optimizer.step()
            with tg.no_grad():
                curve.append(nn.functional.cross_entropy(net(images), labels).item())
        with tg.no_grad():
            output = net(test[0])
            loss = nn.functional.cross_entropy(output, test[1]).item()
    return dict(curve=curve, loss=loss, accuracy=100 * tg.accuracy(output, test[1]))


def begin():
    """What a process does first: one thread each, and Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tg.set_num_threads(1)


# ---- many runs, and what is kept of them -----------------------------------------------


def read_kept(path):
    """Results of finished runs, by what was run; a line that was cut short is left out."""
    kept = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        with suppress(ValueError):
            record = json.loads(line)
            kept[tuple(record.pop("run"))] = record
    return kept


def finish(runs, kept, path, pool):
    """Do those runs that are not among the kept results, and add each to them."""
    waiting = {pool.submit(train, *run): run for run in runs if run not in kept}
    with path.open("a") as file:
        file.write("\n")  # so that a line that was cut short ends here
        for future in ex.progress(as_completed(waiting), "run", len(waiting)):
            run = waiting[future]
            kept[run] = future.result()
            print(json.dumps(dict(run=run, **kept[run])), file=file, flush=True)


def main():
    chosen = ex.options(
        __doc__,
        data=dict(type=folder, metavar="DIRECTORY",
                  help="with MNIST's t10k files (default: digits of 8x8 pixels)"),
        jobs=dict(type=positive, default=2, metavar="N",
                  help="processes that share the runs (default: %(default)s)"))
    data = chosen.data or "digits"
    seeds = range(chosen.seed, chosen.seed + (2 if chosen.quick else 5))
    searched = range(1000, 1000 + (1 if chosen.quick else 3))  # seeds of the search
    epochs = 1 if chosen.quick else 20 if data == "digits" else 10
    factors = FACTORS[1:4] if chosen.quick else FACTORS
    path = chosen.out / "runs.jsonl"
    kept = read_kept(path)
    if kept:
        print(f"{len(kept)} finished runs found in {path}")
    search = {(method, factor * middle): [
                  (data, "search", method, factor * middle, chosen.seed + more, epochs)
                  for more in searched]
              for method, (_, middle) in METHODS.items() for factor in factors}
    # New processes, rather than copies of this one, as threads cannot be copied.
    pool = ProcessPoolExecutor(chosen.jobs, multiprocessing.get_context("spawn"), begin)
    try:
        finish(sum(search.values(), []), kept, path, pool)
        found = {tried: np.nan_to_num(np.mean([kept[run]["loss"] for run in runs]), nan=np.inf)
                 for tried, runs in search.items()}
        best = {method: min((rate for of, rate in found if of == method),
                            key=lambda rate: found[method, rate]) for method in METHODS}
        final = {method: [(data, "final", method, best[method], seed, epochs) for seed in seeds]
                 for method in METHODS}
        finish(sum(final.values(), []), kept, path, pool)
    finally:
        pool.shutdown(cancel_futures=True)
    results = {method: [kept[run] for run in runs] for method, runs in final.items()}
    print_numbers(results, best, found)
    name = "compare_optimizers" + ("" if data == "digits" else "_mnist")
    pic.save(draw(results, best, found), chosen.out, name)


def folder(text):
    """A folder with MNIST in it, as an absolute path."""
    try:
        tg.data.mnist(text, split="test")
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(" ".join(str(error).split())) from None
    return str(Path(text).resolve())


def positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return int(text)


def print_numbers(results, best, found):
    rows = []
    for method, runs in results.items():
        rows.append((method, f"{best[method]:.2g}", f"{found[method, best[method]]:.4f}",
                     ex.mean_and_deviation([run["curve"][-1] for run in runs], 4),
                     ex.mean_and_deviation([run["accuracy"] for run in runs])))
    epochs = len(runs[0]["curve"])
    print(f"mean and standard deviation over {len(runs)} seeds, after {epochs} epochs\n")
    print(in_columns(("optimizer", "best rate", "held-out loss", "training loss",
                      "test accuracy (%)"), rows, left=1))
    print()


# ---- the picture -----------------------------------------------------------------------


def draw(results, best, found):
    figure = pic.new_figure(15, 5.2)
    losses, search, accuracy = figure.subplots(1, 3, width_ratios=[1, 1.3, 1])
    pic.panel(losses, "Loss at the best rate, mean over seeds", "passes over the examples",
             "training loss (nats)")
    losses.set_yscale("log")
    lines = []
    for method, runs in results.items():
        curve = np.mean([run["curve"] for run in runs], axis=0)
        lines += losses.plot(np.arange(1, len(curve) + 1), curve, label=method, markersize=4,
                             **pic.LOOKS[method])
    pic.label_lines(losses, lines)

    # Rows as in the panel to the right: the loss found at each rate, the best in colour.
    pic.panel(search, "The search: loss on held-out examples (nats)", "rate", "")
    search.set_xscale("log")
    for at, method in enumerate(results):
        rates = [rate for of, rate in found if of == method]
        search.plot(rates, np.full(len(rates), at), color=pic.PALE, zorder=0)
        for rate in rates:
            look = dict(color=pic.GREY, bbox=dict(facecolor="white", linewidth=0, pad=1))
            if rate == best[method]:
                look = dict(color="white", fontweight="bold", bbox=dict(
                    boxstyle="round", facecolor=pic.LOOKS[method]["color"], linewidth=0))
            search.text(rate, at, f"{found[method, rate]:.2f}", ha="center", va="center",
                        fontsize=9, **look)

    pic.panel(accuracy, "Test accuracy, a dot for each seed", "right answers (%)", "")
    for at, (method, runs) in enumerate(results.items()):
        right = np.array([run["accuracy"] for run in runs])
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
