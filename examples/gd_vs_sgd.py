"""What differs between gradient descent and stochastic gradient descent? Measured on digits.

    python examples/gd_vs_sgd.py

The same net learns at the same rate from batches of 1 to all 1,437 examples; nothing else
differs. Its loss is drawn against updates, against examples seen and against seconds. Then
the net stands still, and the gradients of many batches are compared with that of all examples:
how far they point aside, and that this falls as 1 / sqrt(batch size).
"""

from time import perf_counter

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.tables import in_columns

RATE = 0.05  # small enough for single examples; larger batches would bear a larger one
FULL = 1437
LOOKS = {  # the larger the batch, the darker; all examples at once are GD
    1: dict(color="#8CCBF0", linestyle=":", marker="o"),
    8: dict(color="#3E9BD6", linestyle="-.", marker="s"),
    32: dict(color="#0072B2", linestyle="--", marker="^"),
    128: dict(color="#00426B", linestyle="-", marker="D"),
    FULL: pic.LOOKS["GD"],
}
NAMES = {batch: str(batch) for batch in LOOKS} | {1: "1 (SGD)", FULL: "all (GD)"}


def make_net():
    return nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))


def loss_of(net, images, labels):
    return nn.functional.cross_entropy(net(images), labels)


def train(batch, updates, passes, seed, train_set, test_set):
    """Train until both so many updates and so many passes over the examples are done.

    Returns:
        The net; and a row (updates, examples seen, seconds, loss, test accuracy) for each
        time that it was looked at. The clock stands still meanwhile.
    """
    tg.manual_seed(seed)
    net = make_net()
    optimizer = tg.optim.SGD(net.parameters(), lr=RATE)
    batches = tg.data.DataLoader(*train_set, batch_size=batch, shuffle=True)
    last = max(updates, passes * len(batches))
    looks = {*np.geomspace(1, last, 30).astype(int), updates, passes * len(batches), last}
    rows = []
    seen = seconds = 0
    for done, (images, labels) in zip(range(1, last + 1), ex.endless(batches)):
        start = perf_counter()
        optimizer.zero_grad()
        loss_of(net, images, labels).backward()
        optimizer.step()
        seconds += perf_counter() - start
        seen += len(labels)
        if done in looks:
            with tg.no_grad():
                rows.append((done, seen, seconds, loss_of(net, *train_set).item(),
                             100 * tg.accuracy(net(test_set[0]), test_set[1])))
    return net, np.array(rows)


def gradient(net, images, labels):
    """The gradient with respect to all weights, as one vector."""
    found = tg.grad(loss_of(net, images, labels), net.parameters())
    return np.concatenate([g.numpy().ravel() for g in found]).astype(float)


def spread(net, sizes, repeats, train_set, rng):
    """How far gradients of batches point aside of the whole gradient g, for each size.

    Returns:
        Two lists: the root mean square of the part across g, over the length of g; and the
        median angle with g, in degrees.
    """
    images, labels = train_set
    g = gradient(net, images, labels)
    across, angles = [], []
    for size in sizes:
        chosen = rng.integers(0, len(labels), (repeats, size))  # independent: with repetition
        sample = np.array([gradient(net, images[i], labels[i]) for i in chosen])
        along = sample @ g / (g @ g)
        aside = np.linalg.norm(sample - along[:, None] * g, axis=1) / np.linalg.norm(g)
        across.append(np.sqrt(np.mean(aside**2)))
        angles.append(np.degrees(np.median(np.arctan2(aside, along))))
    return across, angles


def print_runs(runs, updates, passes):
    """Print each batch size's loss and accuracy after equal updates, and equal examples."""
    rows = []
    for batch, curves in runs.items():
        equal_updates, equal_passes = when(curves, updates, passes)
        seconds = curves[:, -1, 2] / curves[:, -1, 0]
        low = np.median(curves, axis=0)
        low = low[low[:, 3] <= 0.5]
        rows.append((NAMES[batch], f"{1e6 * np.median(seconds):,.0f}",
                     f"{low[0, 2]:.3f}" if len(low) else "-", *(
            text for at in (equal_updates, equal_passes) for text in (
                f"{at[:, 3].mean():.3f}", ex.mean_and_deviation(at[:, 4])))))
    print(f"mean and standard deviation over {len(curves)} seeds\n")
    print(in_columns(("batch", "us/update", "s to loss 0.5", f"loss after {updates} updates",
                      "test accuracy (%)", f"loss after {passes} passes", "test accuracy (%)"),
                     rows, left=1))


def when(curves, updates, passes):
    """The rows of all seeds after so many updates, and after so many passes."""
    return (curves[:, curves[0, :, 0] == updates][:, 0],
            curves[:, curves[0, :, 1] == passes * FULL][:, 0])


def print_spreads(sizes, spreads):
    columns = [column for both in spreads.values() for column in both]
    rows = [(f"{size}", *(f"{column[i]:.2f}" for column in columns))
            for i, size in enumerate(sizes)]
    print("\nparts across the gradient of all examples, over its length, and angles with it\n")
    print(in_columns(("batch", *(f"{what} {state}" for state in spreads
                                 for what in ("across", "degrees"))), rows))
    print()
    for state, (across, _) in spreads.items():
        slope = np.polyfit(np.log(sizes), np.log(across), 1)[0]
        print(f"{state} training: the part across falls as batch^{slope:.3f}; theory says -0.5")


# ---- the picture -----------------------------------------------------------------------


def draw(runs, updates, passes, sizes, spreads):
    figure = pic.new_figure(14, 8)
    panels = figure.subplots(2, 3)
    for at, (axes, unit) in enumerate(zip(panels[0], ("updates", "examples seen", "seconds"))):
        pic.panel(axes, f"Loss against {unit}", unit, "" if at else "training loss (nats)")
        axes.set_xscale("log")
        pic.log_scale(axes, 0.1, 0.2, 0.5, 1, 2)
        lines = [axes.plot(*np.median(curves, 0)[:, [at, 3]].T, **LOOKS[batch],
                           label=NAMES[batch], markevery=6, markersize=4)[0]
                 for batch, curves in runs.items()]
        if at == 0:  # as far as all of them go, on a scale that shows that they go together
            shortest = min(curves[0, -1, 0] for curves in runs.values())
            axes.set(xscale="linear", xlim=(0, shortest), ylim=(0.25, 2.6))
        if at == 1:  # all end at about the same height
            for line in lines:
                axes.annotate(line.get_label(), line.get_xydata()[-1], (0, -12), ha="center",
                              textcoords="offset points", color=line.get_color(), fontsize=9)
        else:
            pic.label_lines(axes, lines)
    titles = "Gradients point aside as 1 / sqrt(batch)", "Angle with the gradient of all"
    units = "part across, over the gradient's length", "median angle (degrees)"
    fine = np.geomspace(sizes[0], sizes[-1])
    for at, axes in enumerate(panels[1, :2]):
        pic.panel(axes, titles[at], "batch size", units[at])
        axes.set(xscale="log", yscale="linear" if at else "log")
        for (state, measured), mark in zip(spreads.items(), "os"):
            theory = measured[0][0] / np.sqrt(fine)
            axes.plot(fine, np.degrees(np.arctan(theory)) if at else theory,
                      color=pic.LOOKS["SGD"]["color"], zorder=0)
            axes.plot(sizes, measured[at], mark, color=pic.INK, markersize=5)
            axes.annotate(f"{state} training", (sizes[-1], measured[at][-1]), (-9, -3),
                          textcoords="offset points", color=pic.GREY, fontsize=9, ha="right")
        axes.annotate("lines: from the first point\nby 1 / sqrt(batch)", (0.98, 0.88),
                      xycoords="axes fraction", color=pic.GREY, fontsize=9, ha="right")
    draw_accuracies(panels[1, 2], runs, updates, passes)
    return figure


def draw_accuracies(axes, runs, updates, passes):
    """A dot for each seed, a bar at their mean."""
    pic.panel(axes, "Test accuracy, a dot for each seed", "batch size", "right answers (%)")
    for at, (batch, curves) in enumerate(runs.items()):
        for rows, dx, face in zip(when(curves, updates, passes), (-0.15, 0.15),
                                  (LOOKS[batch]["color"], "none")):
            axes.plot(np.full(len(rows), at + dx), rows[:, 4], "o", markersize=5,
                      color=LOOKS[batch]["color"], markerfacecolor=face)
            axes.hlines(rows[:, 4].mean(), at + dx - 0.13, at + dx + 0.13, color=pic.INK)
    axes.set(ylim=(0, 104), xticks=range(len(runs)), xticklabels=NAMES.values())
    axes.annotate(f"full dots: after {updates} updates\nhollow dots: after {passes} passes\n"
                  "over the examples", (0.03, 0.05), xycoords="axes fraction", color=pic.GREY,
                  fontsize=9)


def main():
    chosen = ex.options(__doc__)
    train_set, test_set = ex.digits()
    updates, passes, seeds, repeats = (60, 1, 2, 40) if chosen.quick else (600, 5, 5, 100)
    runs = {batch: [] for batch in LOOKS}
    # The sizes take turns, so that whatever else the machine does slows all of them down.
    for seed, batch in ex.progress([(s, b) for s in range(seeds) for b in LOOKS], "run"):
        net, curve = train(batch, updates, passes, chosen.seed + seed, train_set, test_set)
        runs[batch].append(curve)
    runs = {batch: np.array(curves) for batch, curves in runs.items()}
    print_runs(runs, updates, passes)

    sizes = 4 ** np.arange(6)
    rng = np.random.default_rng(chosen.seed)
    tg.manual_seed(chosen.seed)
    nets = {"before": make_net(), "after": net}  # the last one trained, with all examples
    spreads = {state: spread(each, sizes, repeats, train_set, rng)
               for state, each in ex.progress(nets.items(), "net")}
    print_spreads(sizes, spreads)
    pic.save(draw(runs, updates, passes, sizes, spreads), chosen.out, "gd_vs_sgd")


if __name__ == "__main__":
    ex.run(main)
