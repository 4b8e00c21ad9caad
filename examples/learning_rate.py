"""Learning rates: too small, right and too large; a test that finds one; schedules; warm-up.

    python examples/learning_rate.py

All of it on digits of 8x8 pixels, with a net of one hidden layer and batches of 32.
"""

import experiment as ex
import numpy as np
import pictures as pic

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.optim import SGD, Adam, lr_scheduler

EXTREMES = {"too small": 0.01, "right": 0.5, "too large": 3.0}
RATES = np.array([0.003, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0])
SCHEDULED = 1.0  # the rate that schedules start from: more than one would keep to the end
SCHEDULES = {    # for n updates
    "constant": lambda optimizer, n: lr_scheduler.ConstantLR(optimizer, 1.0, n),
    "step": lambda optimizer, n: lr_scheduler.StepLR(optimizer, n // 3, 0.2),
    "exponential": lambda optimizer, n: lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / n)),
    "1 / (1 + k t)": lambda optimizer, n: lr_scheduler.InverseTimeLR(optimizer, 20 / n),
    "cosine": lambda optimizer, n: lr_scheduler.CosineAnnealingLR(optimizer, n),
    "one cycle": lambda optimizer, n: lr_scheduler.OneCycleLR(
        optimizer, SCHEDULED, total_steps=n, cycle_momentum=False),
}
SHADES = ("#56B4E9", "#000000", "#0072B2", "#00426B", "#2E8BC8", "#767676")
DASHES = ("-", "-", "--", ":", "-.", "--")
EPOCH = 45       # updates that a pass over the examples has
WARM_RATE = 0.2  # a hundred times Adam's usual one


def train(updates, every, seed, sets, kind, rate, make_schedule=SCHEDULES["constant"]):
    """Train a new net, by a kind of optimizer.

    Returns:
        The training loss before the first update, after each so many, and at the end; the
        rate of each update; and the accuracy on test digits in percent.
    """
    (images, labels), (test_images, test_labels) = sets
    tg.manual_seed(seed)
    net = nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))
    optimizer = kind(net.parameters(), lr=rate)
    schedule = make_schedule(optimizer, updates)
    batches = tg.data.DataLoader(images, labels, batch_size=32, shuffle=True)
    losses, rates = [ex.loss_of(net, images, labels)], [optimizer.param_groups[0]["lr"]]
    for done, _ in ex.steps(net, optimizer, batches, updates):
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
        if done % every == 0 or done == updates:
            losses.append(ex.loss_of(net, images, labels))
    return losses, rates[:-1], 100 * tg.accuracy(net(test_images), test_labels)


def range_test(updates, seed, sets, low=1e-3, high=10.0):
    """Let the rate grow from update to update, a short run long, until the loss blows up.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3;
    its rate grows in a straight line, here by the same factor each time. The loss is that of
    all examples; on larger data take the batch's own, and smooth it.

    Returns:
        Rates, losses, and the rate to take: a third of that where the loss was lowest.
    """
    growth = (high / low) ** (1 / (updates - 1))
    losses, rates, _ = train(
        updates, 1, seed, sets, SGD, low,
        lambda optimizer, _: lr_scheduler.ExponentialLR(optimizer, growth))
    losses = losses[1:]  # after the update with each rate
    return rates, losses, rates[int(np.nanargmin(losses))] / 3


def main():
    chosen = ex.options(__doc__)
    sets = ex.digits()
    seeds = range(chosen.seed, chosen.seed + (1 if chosen.quick else 5))
    updates = (2 if chosen.quick else 10) * EPOCH
    jobs = {
        **{("rate", rate): (SGD, rate) for rate in RATES},
        **{("schedule", name): (SGD, SCHEDULED, make) for name, make in SCHEDULES.items()},
        ("warm-up", "no"): (Adam, WARM_RATE),
        ("warm-up", "yes"): (Adam, WARM_RATE, lambda optimizer, _: lr_scheduler.LinearLR(
            optimizer, 0.01, 1.0, EPOCH)),
    }
    runs = {}
    with np.errstate(all="ignore"):  # rates too large show in the loss
        for job, settings in ex.progress(jobs.items(), "job"):
            runs[job] = [train(updates, EPOCH // 3, seed, sets, *settings) for seed in seeds]
        test = range_test(60 if chosen.quick else 200, chosen.seed, sets)
    print_numbers(runs, jobs, *test)
    pic.save(draw(runs, *test), chosen.out, "learning_rate")


def print_numbers(runs, jobs, _, losses, suggested):
    rows = []
    for (what, name), results in runs.items():
        accuracy = ex.mean_and_deviation([accuracy for *_, accuracy in results])
        rows.append((what if what == "rate" else f"{what}: {name}", jobs[what, name][1],
                     curve(results)[1][-1], accuracy))
    print(f"median and mean over {len(results)} seeds, after {len(results[0][1])} updates\n")
    ex.table([("run", ""), ("rate", "g"), ("training loss", ".4f"), ("test accuracy (%)", "")],
             rows)
    print(f"\nrange test: loss lowest, {np.nanmin(losses):.3f}, at rate "
          f"{3 * suggested:.2g}; take a third of it, {suggested:.2g}")


# ---- the picture -----------------------------------------------------------------------


def curve(results, **look):
    """The median loss over the seeds, against passes over the examples."""
    losses = np.median([losses for losses, *_ in results], axis=0)
    return np.arange(len(losses)) / 3, losses, look


def draw(runs, tried, losses, suggested):
    figure, ((extremes, ranging, found), (rates, scheduled, warm)) = pic.panels(14, 8, 2, 3)
    passes, nats = "passes over the examples", "training loss (nats)"
    blue, yellow = pic.LOOKS["SGD"]["color"], pic.LOOKS["Adam"]["color"]
    pic.panel(extremes, "Too small, right, too large (SGD)", passes, nats)
    pic.named_lines(extremes, {
        f"{name}, {rate:g}": curve(runs["rate", rate], color=blue, linestyle=dash)
        for (name, rate), dash in zip(EXTREMES.items(), ("--", "-", ":"))})

    pic.panel(ranging, "Range test: the rate grows, the loss tells", "rate of the update", nats)
    ranging.plot(tried, losses, color=blue)
    pic.panel(found, "The rate that it finds is a good one", "rate, constant for the run",
              f"final {nats}")
    ends = [curve(runs["rate", rate])[1][-1] for rate in RATES]
    found.plot(RATES, ends, "o-", color=blue)
    for axes in (ranging, found):
        axes.set(xscale="log", ylim=(-0.1, 3.2))
        axes.axvline(suggested, color=pic.INK, linewidth=1, linestyle="--")
        pic.note(axes, f"take {suggested:.2g}", (suggested, 3), (-5, 0), color=pic.INK,
                 ha="right")

    pic.panel(rates, "Schedules", passes, "rate")
    pic.panel(scheduled, "Loss with each, and right test answers", passes, nats)
    pic.log_scale(scheduled, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
    rate_lines, loss_lines = {}, {}
    for name, shade, dash in zip(SCHEDULES, SHADES, DASHES):
        results = runs["schedule", name]
        look = dict(color=shade, linestyle=dash)
        y = results[0][1]
        rate_lines[name] = np.arange(len(y)) / EPOCH, y, look
        right = np.mean([accuracy for *_, accuracy in results])
        loss_lines[f"{name}: {right:.1f} %"] = curve(results, **look)
    pic.named_lines(rates, rate_lines)
    pic.named_lines(scheduled, loss_lines)

    pic.panel(warm, f"Warm-up (Adam, rate {WARM_RATE:g})", passes, nats, ylim=(0, 3.2))
    pic.named_lines(warm, {
        "without": curve(runs["warm-up", "no"], color=yellow, linestyle="--"),
        "with": curve(runs["warm-up", "yes"], color=yellow, linestyle="-")})
    return figure


if __name__ == "__main__":
    ex.run(main)
