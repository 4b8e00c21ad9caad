"""Time tinygrad_lite beside its peers; ``make bench`` runs this file.

    python benchmarks/run.py [--quick] [--threads N] [--json FILE]

Everything in a row is measured in one run, in turns, with the same number of threads. A
peer that is not installed is left out, and a line says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from rows import Row

if TYPE_CHECKING:
    from tinygrad_lite.commands.timing import Summary

THREAD_VARIABLES = ("TINYGRAD_LITE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                    "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
IMPORT_GOAL = 1.25
MOONS_GOAL = 0.4
JITTED_MOONS_GOAL = 0.001
LAYER_GOAL = 1.0


class Effort(NamedTuple):
    """How long to measure: seconds for a row, and for all contestants of an update; the
    largest number of parameters of one; rounds of the moons and of the imports."""

    seconds: float
    update_seconds: float
    largest: int
    moons_warm_up: int
    moons_rounds: int
    import_rounds: int


FULL = Effort(seconds=4.0, update_seconds=2.0, largest=50_000_000,
              moons_warm_up=3, moons_rounds=7, import_rounds=30)
QUICK = Effort(seconds=0.3, update_seconds=0.2, largest=10_000_000,
               moons_warm_up=3, moons_rounds=3, import_rounds=5)


# ---- what is measured ------------------------------------------------------------------
# Modules that bring NumPy are imported late: NumPy reads its number of threads on loading.


def training_rows(effort: Effort, threads: int) -> Iterator[Row]:
    """Training steps, with PyTorch's eager ones."""
    import steps

    from tinygrad_lite.commands.updates import load_torch

    torch = load_torch(threads)
    for problem in steps.PROBLEMS:
        what = f"step of {problem.name}, batch {problem.batch}"
        yield row_of(what, steps.training_steps(problem, torch), effort, problem.goal)


def update_rows(effort: Effort, threads: int) -> Iterator[Row]:
    """The update alone: the backend in use, then the other ones and PyTorch's three."""
    import steps

    from tinygrad_lite.commands.timing import race
    from tinygrad_lite.commands.updates import load_torch

    torch = load_torch(threads)
    for problem in steps.PROBLEMS:
        racers = {name: steps.our_update(problem, name) for name in steps.backends()}
        if torch is not None:
            racers["PyTorch for-loop"] = steps.torch_update(problem, torch, foreach=False)
            racers["PyTorch foreach"] = steps.torch_update(problem, torch, foreach=True)
            racers["PyTorch fused"] = steps.torch_update(problem, torch, fused=True)
        own, *peers = racers
        ours, *theirs = race(list(racers.values()), effort.seconds)
        for peer, time in zip(peers, theirs, strict=True):
            yield Row(f"{problem.name} in {own}", ours, peer, time)


def layer_rows(effort: Effort, threads: int) -> Iterator[Row]:
    """A CNN's training step; then layers by themselves, those that this version has."""
    import layers

    import tinygrad_lite as tg
    from tinygrad_lite.commands.updates import load_torch

    torch = load_torch(threads)
    step = f"step of a CNN on 28x28, batch {layers.CNN_BATCH}"
    yield row_of(step, layers.cnn_steps(torch), effort, layers.CNN_GOAL)
    for layer in layers.LAYERS:
        if hasattr(tg.nn.functional, "embedding") or layer.name != "embedding":
            for size in layers.SIZES:
                racers = layers.contestants(layer, size, torch)
                yield row_of(f"{layer.name}, {size:,} numbers", racers, effort, LAYER_GOAL)


def row_of(what: str, racers: list, effort: Effort, goal: float) -> Row:
    """The row of ours and, if it is there, of PyTorch's."""
    from tinygrad_lite.commands.timing import race

    ours, *theirs = race(racers, effort.seconds)
    return Row(what, ours, "PyTorch eager", theirs[0], goal) if theirs else Row(what, ours)


def step_rows(effort: Effort, threads: int) -> Iterator[Row]:
    """The goals of a step: small nets, all optimizers and sizes, and many tensors."""
    import updates

    from tinygrad_lite.commands.updates import load_torch

    torch = load_torch(threads)
    yield from updates.rows(effort.update_seconds, effort.largest, torch)


def jitted_rows(effort: Effort, threads: int) -> Iterator[Row]:
    """Training steps in one call of C."""
    import jitted

    from tinygrad_lite.commands.updates import load_torch

    yield from jitted.rows(effort.seconds, load_torch(threads))


def moons_rows(effort: Effort, _threads: int) -> Iterator[Row]:
    """micrograd's demonstration, where micrograd is installed."""
    if find_spec("micrograd") is None:
        return
    import moons

    plain, jitted, theirs = moons.race(effort.moons_warm_up, effort.moons_rounds)
    yield Row("step of the moons demo", plain, "micrograd", theirs, MOONS_GOAL)
    yield Row("the same, jitted", jitted, "micrograd", theirs, JITTED_MOONS_GOAL)
    yield Row("the same, jitted", jitted, "without jit", plain)


def import_rows(effort: Effort, _threads: int) -> Iterator[Row]:
    """The import, and a process that does nothing else."""
    import imports

    ours, theirs = imports.race(["tinygrad_lite", "numpy"], effort.import_rounds)
    yield Row("import tinygrad_lite", ours[0], "import numpy", theirs[0], IMPORT_GOAL)
    yield Row("the whole process of that", ours[1], "the same", theirs[1], IMPORT_GOAL)


SECTIONS = {
    "Updates: optimizer.step() in C": step_rows,
    "Training: forward, backward, Adam": training_rows,
    "Training steps replayed by tg.jit": jitted_rows,
    "A CNN's training step; layers alone, forward and backward": layer_rows,
    "Scalars": moons_rows,
    "Import": import_rows,
    "Adam's update alone, with new gradients at each step": update_rows,
}


# ---- what is printed -------------------------------------------------------------------


def environment(threads: int) -> dict[str, Any]:
    """What a reader must know to read the times."""
    import tinygrad_lite as tg

    peers = {name: installed(name) for name in ("numpy", "torch", "jax", "micrograd")}
    return {"tinygrad_lite": tg.__version__, "backend": tg.get_backend(), **peers,
            "python": platform.python_version(), "machine": platform.machine(),
            "cores": os.cpu_count(), "threads": threads}


def installed(distribution: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def print_environment(facts: dict[str, Any]) -> None:
    """Say what is measured, where, and which peers are missing."""
    print(", ".join(f"{name} {fact}" for name, fact in facts.items() if fact is not None))
    for name in ("torch", "jax", "micrograd"):
        if facts[name] is None:
            print(f"{name} is not installed: what compares with it is left out")
    print("medians, with the quartiles in brackets; ratio: our time divided by theirs")


def print_heading(title: str) -> None:
    """Begin a section of the table."""
    print(f"\n{title}")
    print(line("", "tinygrad_lite", "peer", "", "ratio", "goal"))


def print_row(row: Row) -> None:
    """One line of the table, at once."""
    if row.theirs is None:
        print(line(row.what, show(row.ours)), flush=True)
        return
    goal = ""
    if row.goal is not None:
        goal = f"<= {show_ratio(row.goal)}  {'met' if row.met else 'NOT MET'}"
    print(line(row.what, show(row.ours), row.peer, show(row.theirs), show_ratio(row.ratio),
               goal), flush=True)


def show_ratio(ratio: float) -> str:
    """A ratio with two digits at least."""
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def line(what: str, ours: str, peer: str = "", theirs: str = "", ratio: str = "",
         goal: str = "") -> str:
    """The text in columns."""
    columns = f"{what:42} {ours:>22}  {peer:16} {theirs:>22} {ratio:>6}  {goal}"
    return columns.rstrip()


def show(time: Summary) -> str:
    """A time as ``253 us (248-261)``."""
    scale, unit = next((scale, unit) for scale, unit in ((1, "s"), (1e3, "ms"), (1e6, "us"))
                       if time.median * scale >= 1 or unit == "us")
    median, low, high = (digits(seconds * scale) for seconds in time)
    return f"{median} {unit} ({low}-{high})"


def digits(number: float) -> str:
    """Three significant digits, or more where more stand before the point."""
    before = len(str(int(number)))
    return f"{number:.{max(0, 3 - before)}f}"


def hold_to_cores(threads: int) -> None:
    """Let the process have as many cores as threads: JAX knows no other way to be told."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


# ---- the command -----------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """An error is one line and exit code 2, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def thread_count(text: str) -> int:
    """A number of threads from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up; got {text!r}")
    return int(text)


def new_file(text: str) -> Path:
    """A path that can be written, from the command line; tried before anything is measured."""
    path = Path(text)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {error.strerror}") from None
    return path


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = Parser(prog="run.py", description="Time tinygrad_lite beside its peers.")
    parser.add_argument("--quick", action="store_true",
                        help="measure only for a moment: rough figures in two minutes")
    parser.add_argument("--threads", type=thread_count, default=1, metavar="N",
                        help="threads for every contestant (default: 1, the steadiest)")
    parser.add_argument("--json", type=new_file, metavar="FILE",
                        help="write all figures, in seconds, to FILE as well")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure every section, print its rows as they come, and write the JSON file."""
    options = parse(sys.argv[1:])
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(options.threads)))
    hold_to_cores(options.threads)
    effort = QUICK if options.quick else FULL
    facts = environment(options.threads)
    print_environment(facts)
    rows: list[dict[str, Any]] = []
    goals: list[bool] = []
    for title, section in SECTIONS.items():
        print_heading(title)
        for row in section(effort, options.threads):
            print_row(row)
            rows.append({"section": title, **row.as_dict()})
            if row.met is not None:
                goals.append(row.met)
    print(f"\n{sum(goals)} of {len(goals)} goals met")
    if options.json:
        text = json.dumps({**facts, "rows": rows}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
