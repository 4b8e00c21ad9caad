"""What differs between gradient descent and stochastic gradient descent? Measured on digits.

    python examples/gd_vs_sgd.py

The same net learns at the same rate from batches of 1 to all 1,437 examples; nothing else
differs. Its loss is drawn against updates, against examples seen and against seconds. Then
the net stands still, and the gradients of many batches are compared with that of all examples:
how far they point aside, and that this falls as 1 / sqrt(batch size).
"""

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite import nn

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
    looks = {*np.geomspace(1, last, 30).astype(int), updates, passes * len(batches)}
    return net, ex.watch(net, optimizer, batches, looks, train_set, test_set)


def spread(net, sizes, repeats, images, labels, rng):
    """How far gradients of batches point aside of the whole gradient g, for each size.

    Returns:
        Two lists: the root mean square of the part across g, over the length of g; and the
        median angle with g, in degrees.
    """
    g = ex.gradient_of(net, images, labels)
    across, angles = [], []
    for size in sizes:
        chosen = rng.integers(0, len(labels), (repeats, size))  # independent: with repetition
        sample = np.array([ex.gradient_of(net, images[i], labels[i]) for i in chosen])
        along = sample @ g / (g @ g)
        aside = np.linalg.norm(sample - along[:, None] * g, axis=1) / np.linalg.norm(g)
        across.append(np.sqrt(np.mean(aside**2)))
        angles.append(np.degrees(np.median(np.arctan2(aside, along))))
    return across, angles


def when(curves, updates, passes):
    """The rows of all seeds after so many updates, and after so many passes."""
    return (curves[:, curves[0, :, 0] == updates][:, 0],
            curves[:, curves[0, :, 1] == passes * FULL][:, 0])


def print_runs(runs, updates, passes):
    """Print each batch size's loss and accuracy after equal updates, and equal examples."""
    rows = []
    for batch, curves in runs.items():
        low = [row for row in np.median(curves, axis=0) if row[3] <= 0.5]
        first, second = [(at[:, 3].mean(), ex.mean_and_deviation(at[:, 4]))
                         for at in when(curves, updates, passes)]
        rows.append((NAMES[batch], 1e6 * np.median(curves[:, -1, 2] / curves[:, -1, 0]),
                     f"{low[0][2]:.3f}" if low else "-", *first, *second))
    print(f"mean and standard deviation over {len(curves)} seeds\n")
    ex.table([("batch", ""), ("us/update", ",.0f"), ("s to loss 0.5", ""),
              (f"loss after {updates} updates", ".3f"), ("test accuracy (%)", ""),
              (f"loss after {passes} passes", ".3f"), ("test accuracy (%)", "")], rows)


def print_spreads(sizes, spreads):
    print("\nparts across the gradient of all examples, over its length, and angles with it\n")
    ex.table([("batch", "d"), ("across before", ".2f"), ("degrees before", ".2f"),
              ("across after", ".2f"), ("degrees after", ".2f")],
             list(zip(sizes, *spreads["before"], *spreads["after"])), left=0)
    print()
    for state, (across, _) in spreads.items():
        slope = np.polyfit(np.log(sizes), np.log(across), 1)[0]
        print(f"{state} training: the part across falls as batch^{slope:.3f}; theory says -0.5")


# ---- the picture -----------------------------------------------------------------------


def draw_losses(panels, runs):
    """The median loss over the seeds against updates, against examples, against seconds."""
    for at, (axes, unit) in enumerate(zip(panels, ("updates", "examples seen", "seconds"))):
        pic.panel(axes, f"Loss against {unit}", unit, "" if at else "training loss (nats)",
                  xscale="log")
        pic.log_scale(axes, 0.1, 0.2, 0.5, 1, 2)
        if at == 0:  # as far as all of them go, on a scale that shows that they go together
            shortest = min(curves[0, -1, 0] for curves in runs.values())
            axes.set(xscale="linear", xlim=(0, shortest), ylim=(0.25, 2.6))
        lines = {NAMES[batch]: (*np.median(curves, axis=0)[:, [at, 3]].T, LOOKS[batch])
                 for batch, curves in runs.items()}
        # Against examples all end at about the same height.
        pic.named_lines(axes, lines, below=at == 1, markevery=6, markersize=4)


def draw_spreads(across, angles, sizes, spreads):
    """How far gradients of batches point aside, and what theory makes of the first of them."""
    pic.panel(across, "Gradients point aside as 1 / sqrt(batch)", "batch size",
              "part across, over the gradient's length", yscale="log")
    pic.panel(angles, "Angle with the gradient of all", "batch size", "median angle (degrees)")
    fine = np.geomspace(sizes[0], sizes[-1])
    for (state, (parts, degrees)), mark in zip(spreads.items(), "os"):
        theory, name = parts[0] / np.sqrt(fine), f"{state} training"
        pic.measured(across, sizes, parts, (fine, theory), name, mark)
        pic.measured(angles, sizes, degrees, (fine, np.degrees(np.arctan(theory))), name, mark)
    words = "lines: from the first point\nby 1 / sqrt(batch)"
    for axes in (across, angles):
        pic.note(axes, words, (0.98, 0.88), inside=True, ha="right")


def draw_accuracies(axes, runs, updates, passes):
    """A dot for each seed, a bar at their mean."""
    pic.panel(axes, "Test accuracy, a dot for each seed", "batch size", "right answers (%)",
              ylim=(0, 104), xticks=range(len(runs)), xticklabels=NAMES.values())
    for at, (batch, curves) in enumerate(runs.items()):
        for rows, dx in zip(when(curves, updates, passes), (-0.15, 0.15)):
            pic.dots(axes, at + dx, rows[:, 4], LOOKS[batch]["color"], hollow=dx > 0)
    pic.note(axes, f"full dots: after {updates} updates\nhollow dots: after {passes} passes\n"
             "over the examples", (0.03, 0.05), inside=True)


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
    spreads = {state: spread(each, sizes, repeats, *train_set, rng)
               for state, each in ex.progress(nets.items(), "net")}
    print_spreads(sizes, spreads)
    figure, (above, (across, angles, accuracies)) = pic.panels(14, 8, 2, 3)
    draw_losses(above, runs)
    draw_spreads(across, angles, sizes, spreads)
    draw_accuracies(accuracies, runs, updates, passes)
    pic.save(figure, chosen.out, "gd_vs_sgd")


if __name__ == "__main__":
    ex.run(main)
