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
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import imports
import timing
from timing import Summary

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                    "VECLIB_MAXIMUM_THREADS")
IMPORT_GOAL = 1.25
MOONS_GOAL = 0.4
LAYER_GOAL = 1.0


class Effort(NamedTuple):
    """How long to measure: seconds for a row, rounds of the moons and of the imports."""

    seconds: float
    moons_warm_up: int
    moons_rounds: int
    import_rounds: int


FULL = Effort(seconds=4.0, moons_warm_up=2, moons_rounds=7, import_rounds=30)
QUICK = Effort(seconds=0.3, moons_warm_up=1, moons_rounds=3, import_rounds=5)


class Row(NamedTuple):
    """One line of the table: what was timed, us, and a peer if there is one."""

    what: str
    ours: Summary
    peer: str = ""
    theirs: Summary | None = None
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """Our median, divided by the peer's."""
        return self.ours.median / self.theirs.median if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio <= self.goal

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON has it; times are in seconds."""
        theirs = self.theirs._asdict() if self.theirs else None
        return {"what": self.what, "ours": self.ours._asdict(), "peer": self.peer,
                "theirs": theirs, "ratio": self.ratio, "goal": self.goal, "met": self.met}


# ---- what is measured ------------------------------------------------------------------
# Modules that bring NumPy are imported late: NumPy reads its number of threads on loading.


def training_rows(effort: Effort, threads: int) -> Iterator[Row]:
    """Training steps, with PyTorch's eager ones."""
    import steps

    torch = load_torch(threads)
    for problem in steps.PROBLEMS:
        what = f"step of {problem.name}, batch {problem.batch}"
        yield row_of(what, steps.training_steps(problem, torch), effort, problem.goal)


def update_rows(effort: Effort, threads: int) -> Iterator[Row]:
    """The update alone: the backend in use, then the other ones and PyTorch's three."""
    import steps

    torch = load_torch(threads)
    for problem in steps.PROBLEMS:
        racers = {name: steps.our_update(problem, name) for name in steps.backends()}
        if torch is not None:
            racers["PyTorch for-loop"] = steps.torch_update(problem, torch, foreach=False)
            racers["PyTorch foreach"] = steps.torch_update(problem, torch, foreach=True)
            racers["PyTorch fused"] = steps.torch_update(problem, torch, fused=True)
        own, *peers = racers
        ours, *theirs = timing.race(list(racers.values()), effort.seconds)
        for peer, time in zip(peers, theirs, strict=True):
            yield Row(f"{problem.name} in {own}", ours, peer, time)


def layer_rows(effort: Effort, threads: int) -> Iterator[Row]:
    """A CNN's training step; then layers by themselves, those that this version has."""
    import layers

    import tinygrad_lite as tg

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
    ours, *theirs = timing.race(racers, effort.seconds)
    return Row(what, ours, "PyTorch eager", theirs[0], goal) if theirs else Row(what, ours)


def moons_rows(effort: Effort, _threads: int) -> Iterator[Row]:
    """micrograd's demonstration, where micrograd is installed."""
    if find_spec("micrograd") is None:
        return
    import moons

    ours, theirs = moons.race(effort.moons_warm_up, effort.moons_rounds)
    yield Row("step of the moons demo", ours, "micrograd", theirs, MOONS_GOAL)


def import_rows(effort: Effort, _threads: int) -> Iterator[Row]:
    """The import, and a process that does nothing else."""
    ours, theirs = imports.race(["tinygrad_lite", "numpy"], effort.import_rounds)
    yield Row("import tinygrad_lite", ours[0], "import numpy", theirs[0], IMPORT_GOAL)
    yield Row("the whole process of that", ours[1], "the same", theirs[1], IMPORT_GOAL)


SECTIONS = {
    "Training: forward, backward, Adam": training_rows,
    "A CNN's training step; layers alone, forward and backward": layer_rows,
    "Scalars": moons_rows,
    "Import": import_rows,
    "Adam's update alone, with new gradients at each step": update_rows,
}


def load_torch(threads: int) -> Any:
    """PyTorch, held to so many threads; None where it is not installed."""
    if find_spec("torch") is None:
        return None
    torch = import_module("torch")
    torch.set_num_threads(threads)
    return torch


# ---- what is printed -------------------------------------------------------------------


def environment(threads: int) -> dict[str, Any]:
    """What a reader must know to read the times."""
    import tinygrad_lite as tg

    peers = {name: installed(name) for name in ("numpy", "torch", "micrograd")}
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
    for name in ("torch", "micrograd"):
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
    ratio = f"{row.ratio:.2f}" if row.ratio >= 0.1 else f"{row.ratio:.1g}"
    goal = ""
    if row.goal is not None:
        goal = f"<= {row.goal:.2f}  {'met' if row.met else 'NOT MET'}"
    print(line(row.what, show(row.ours), row.peer, show(row.theirs), ratio, goal), flush=True)


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
                        help="measure only for a moment: rough figures in half a minute")
    parser.add_argument("--threads", type=thread_count, default=1, metavar="N",
                        help="threads for every contestant (default: 1, the steadiest)")
    parser.add_argument("--json", type=new_file, metavar="FILE",
                        help="write all figures, in seconds, to FILE as well")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure every section, print its rows as they come, and write the JSON file."""
    options = parse(sys.argv[1:])
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(options.threads)))
    effort = QUICK if options.quick else FULL
    facts = environment(options.threads)
    print_environment(facts)
    rows: list[dict[str, Any]] = []
    for title, section in SECTIONS.items():
        print_heading(title)
        for row in section(effort, options.threads):
            print_row(row)
            rows.append({"section": title, **row.as_dict()})
    if options.json:
        text = json.dumps({**facts, "rows": rows}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
