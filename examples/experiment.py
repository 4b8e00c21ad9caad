"""What the scripts in this directory share: options, a progress bar, data, training, processes.

It does nothing itself; each of the others is read from top to bottom without it. What draws is
in pictures.py.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter

# Before NumPy is there: products as small as these gain nothing from threads of its BLAS, and
# where other programs run as well they may take ten times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite.nn import functional as F
from tinygrad_lite.nn.utils import parameters_to_vector, vector_to_parameters
from tinygrad_lite.tables import in_columns

try:
    from tqdm import tqdm
except ImportError:  # an extra; without it the printed lines tell how far it is
    tqdm = None

__all__ = ["Parser", "Runs", "best_rates", "digits", "endless", "gradient_of", "loss_of",
           "mean_and_deviation", "mnist_folder", "mnist_test_digits", "options", "path_of",
           "positive", "principal_directions", "progress", "random_direction", "run", "say",
           "steps", "surface", "table", "watch", "window"]


class Parser(argparse.ArgumentParser):
    def error(self, message):
        """End with one line; argparse would print its usage as well."""
        self.exit(2, f"{self.prog}: {message}\n")


def options(doc, **more):
    """The command line of an experiment: --seed, --out, --quick, and what `more` adds.

    Args:
        doc: the script's docstring; its first line is the help text.
        more: for each further option the keyword arguments of ``add_argument``.
    """
    name = Path(sys.argv[0]).stem
    parser = Parser(description=doc.partition("\n")[0])
    add = parser.add_argument
    add("--seed", type=int, default=0, metavar="N",
        help="of all random numbers (default: %(default)s)")
    add("--out", type=Path, default=Path("build", name), metavar="DIRECTORY",
        help="where to put the pictures (default: %(default)s)")
    add("--quick", action="store_true", help="a short form that only shows that it runs")
    for option, settings in more.items():
        add(f"--{option}", **settings)
    chosen = parser.parse_args()
    if chosen.seed < 0:
        parser.error("--seed: expected 0 or more")
    try:
        chosen.out.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=chosen.out).close()  # rather fails now than after the work
    except OSError as error:
        parser.error(f"--out: {error.strerror}: {chosen.out}")
    return chosen


def positive(text):
    """The type of an option that is a number of things."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return int(text)


def mnist_folder(text):
    """The type of an option that is a folder with MNIST in it; an absolute path."""
    try:
        tg.data.mnist(text, split="test")
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(" ".join(str(error).split())) from None
    return str(Path(text).resolve())


def run(main):
    """Run a script; Ctrl-C, a pipe closed by `head`, or a missing extra is no traceback."""
    try:
        try:
            main()
        finally:
            print(end="", flush=True)  # not later, where none would catch a closed pipe
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ImportError as error:
        sys.exit(str(error))


def progress(steps, unit, total=None):
    """The steps with a progress bar, if tqdm is there and a terminal shows it."""
    if tqdm is None:
        return steps
    return tqdm(steps, unit=unit, total=total, leave=False, disable=None)


def say(line):
    """Print a line; above the progress bar, if there is one."""
    (print if tqdm is None else tqdm.write)(line)
    sys.stdout.flush()


def table(columns, rows, left=1):
    """Print rows of words and numbers.

    Args:
        columns: for each what stands above it, and the format of its cells.
        left: how many columns, the first ones, are aligned to the left.
    """
    header, formats = zip(*columns)
    print(in_columns(header, [list(map(format, row, formats)) for row in rows], left))


def mean_and_deviation(numbers, digits=2):
    """Both as a text, such as "98.17 +- 0.67"."""
    return f"{np.mean(numbers):.{digits}f} +- {np.std(numbers):.{digits}f}"


# ---- data and training -----------------------------------------------------------------


def digits(normalised=False):
    """Digits of 8x8 pixels, as (images, labels) to learn from and to test.

    Args:
        normalised: to mean 0 and mean square 1, over all pixels that are learnt from.
    """
    (images, labels), (test_images, test_labels) = map(tg.data.digits, ("train", "test"))
    mean, std = (images.mean(), images.std()) if normalised else (0, 1)
    return ((images - mean) / std, labels), ((test_images - mean) / std, test_labels)


def mnist_test_digits(folder):
    """The 10,000 digits that MNIST has for tests: 8,000 to learn from, 2,000 to test."""
    images, labels = tg.data.mnist(folder, split="test")
    order = np.random.default_rng(0).permutation(len(images))
    learn, test = np.split(order, [len(order) * 4 // 5])
    return (images[learn], labels[learn]), (images[test], labels[test])


def endless(batches):
    """Batches of pass after pass."""
    while True:
        yield from batches


def steps(net, optimizer, batches, count):
    """Train a net to tell classes apart, for so many updates, pass after pass.

    Yields after each how many updates are done, and how many seconds all of them took. The
    clock stands still while the caller looks at the net, or changes the rate.
    """
    seconds = 0
    for done, (inputs, labels) in zip(range(1, count + 1), endless(batches)):
        start = perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(net(inputs), labels).backward()
        optimizer.step()
        seconds += perf_counter() - start
        yield done, seconds


def loss_of(net, inputs, labels):
    """The mean cross-entropy in nats, as a number; nothing is recorded for gradients."""
    with tg.no_grad():
        return F.cross_entropy(net(inputs), labels).item()


def gradient_of(net, inputs, labels):
    """The gradient of that loss with respect to all weights, as one vector."""
    found = tg.grad(F.cross_entropy(net(inputs), labels), net.parameters())
    return np.concatenate([g.numpy().ravel() for g in found]).astype(float)


def watch(net, optimizer, batches, looks, train_set, test_set):
    """Train, and look at the net after certain numbers of updates, up to the largest of them.

    Returns:
        A row (updates, examples seen, seconds, loss on what is learnt from, right answers to
        the test in percent) for each time that it was looked at.
    """
    rows = []
    for done, seconds in steps(net, optimizer, batches, max(looks)):
        if done in looks:
            whole, more = divmod(done, len(batches))
            seen = whole * len(train_set[1]) + more * batches.batch_size
            rows.append((done, seen, seconds, loss_of(net, *train_set),
                         100 * tg.accuracy(tg.predict(net, test_set[0]), test_set[1])))
    return np.array(rows)


def best_rates(found):
    """For each method the rate at which found[method, rate], a loss, is lowest."""
    best = {}
    for (method, rate), loss in found.items():
        if method not in best or loss < found[method, best[method]]:
            best[method] = rate
    return best


# ---- the loss over two directions that all weights go in -------------------------------


def path_of(net, optimizer, batches, count):
    """Train; all weights at the start and after each step, of shape (count + 1, weights)."""
    path = [parameters_to_vector(net.parameters()).numpy()]
    for _ in steps(net, optimizer, batches, count):
        path.append(parameters_to_vector(net.parameters()).numpy())
    return np.array(path)


def principal_directions(path):
    """Two directions of length 1 in which the path reaches farthest, and their shares of it."""
    _, lengths, directions = np.linalg.svd(path - path.mean(axis=0), full_matrices=False)
    return directions[:2], (lengths ** 2 / np.sum(lengths ** 2))[:2]


def random_direction(net, generator):
    """A random direction, each unit's part as long as its weights; biases stay as they are."""
    parts = []
    for p in net.parameters():
        weights = p.numpy()
        part = np.zeros(weights.shape)
        if weights.ndim > 1:
            part = generator.normal(size=weights.shape)
            lengths = [np.linalg.norm(x, axis=1, keepdims=True) for x in (weights, part)]
            part *= lengths[0] / lengths[1]
        parts.append(part.ravel())
    return np.concatenate(parts)


def window(flat, side):
    """So many places on each axis, to beyond a flat path by a fifth of how wide it is."""
    margin = 0.2 * np.ptp(flat[:, 0])
    return np.linspace(flat.min(axis=0) - margin, flat.max(axis=0) + margin, side).T


def surface(net, center, directions, xs, ys, images, labels):
    """The loss at center + x * directions[0] + y * directions[1], of shape (ys, xs)."""
    losses = np.empty((len(ys), len(xs)))
    for i, j in progress(list(np.ndindex(losses.shape)), "point"):
        weights = center + xs[j] * directions[0] + ys[i] * directions[1]
        vector_to_parameters(weights.astype(np.float32), net.parameters())
        losses[i, j] = loss_of(net, images, labels)
    return losses


# ---- many runs in processes of their own -----------------------------------------------


class Runs:
    """Calls of a function, shared among processes; what they give is kept in a file.

    Started again, it goes on where it was stopped: what is in the file is not done anew.

    Args:
        function: called with the items of a run, a tuple of words and numbers; gives a dict
            that can be written as JSON. It is found by its name, so it has to have one.
        path: the file, with a line for each finished run.
        jobs: how many processes.
    """

    def __init__(self, function, path, jobs):
        self.function = function
        self.path = path
        self.kept = _read_kept(path)
        if self.kept:
            print(f"{len(self.kept)} finished runs found in {path}")
        # New processes, rather than copies of this one, as threads cannot be copied.
        spawn = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(jobs, spawn, initializer=_begin)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown(cancel_futures=True)

    def finish(self, groups):
        """Do those runs that are not kept yet.

        Args:
            groups: for each name a list of runs.

        Returns:
            For each name a list of what its runs gave.
        """
        runs = [run for group in groups.values() for run in group if run not in self.kept]
        # A process that is only just starting is deaf to Ctrl-C as well: it inherits that.
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
        waiting = {self.pool.submit(self.function, *run): run for run in runs}
        signal.signal(signal.SIGINT, heard)
        with self.path.open("a") as file:
            file.write("\n")  # so that a line that was cut short ends here
            for future in progress(as_completed(waiting), "run", len(waiting)):
                run = waiting[future]
                self.kept[run] = future.result()
                print(json.dumps(dict(run=run, **self.kept[run])), file=file, flush=True)
        return {name: [self.kept[run] for run in group] for name, group in groups.items()}


def _begin():
    """What a process does first: one thread each, and Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tg.set_num_threads(1)


def _read_kept(path):
    """What finished runs gave, by run; a line that was cut short is left out."""
    kept = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        with suppress(ValueError):
            record = json.loads(line)
            kept[tuple(record.pop("run"))] = record
    return kept
