"""``bench``: every optimizer's step in C, in NumPy and in plain Python, side by side.

docs/timing.md says how to read the table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from .. import kernels
from .info import facts
from .timing import Summary
from .updates import FORMS, SLICE, VARIANTS, Case, Result, Variant, load_torch, measure

__all__ = ["HELP", "add_arguments", "run"]

HELP = "time each optimizer's step in C, NumPy and Python, and the machine's own limit"
ABOUT = """
Times are medians of optimizer.step() on gradients that are there; all contestants take turns.
GB/s counts the bytes that C really moves: what it reads once, what it updates twice. The limit
is the best that three plain loops in C reach with as many threads, over as many bytes:
a *= s, a += s * b and a = b + s * c. Plain Python is timed on a slice, and its time scaled.
"""

SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
PICTURES = (".pdf", ".png", ".svg")
MOST_MEMORY = 6e9   # bytes; what needs more is left out, lest the system ends the process


class Effort(NamedTuple):
    """How long to measure a case: seconds in all, and before anything counts, for each."""

    seconds: float
    warm_up: float


FULL = Effort(3.0, 0.04)
QUICK = Effort(0.2, 0.01)


# ---- options ---------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.epilog = ABOUT
    names = [option_name(variant) for variant in VARIANTS]
    add = parser.add_argument
    add("--optimizers", type=variant_named, nargs="+", default=VARIANTS, metavar="NAME",
        help=f"some of {', '.join(names)} (default: all)")
    add("--sizes", type=count, nargs="+", default=SIZES, metavar="N",
        help="numbers of parameters (default: 1000 to 10000000 in powers of ten)")
    add("--tensors", type=count, default=1, metavar="N",
        help="share the parameters between so many tensors (default: 1)")
    add("--dtype", choices=["float32", "float64"], default="float32",
        help="of the parameters (default: float32)")
    add("--threads", type=count, default=kernels.get_num_threads(), metavar="N",
        help="for C and PyTorch; NumPy has one here (default: the cores for this process)")
    add("--repeats", type=count, metavar="N",
        help="time just so many blocks of each contestant, however long they take")
    add("--quick", action="store_true", help="rough figures, in half a minute or so")
    add("--peers", action="store_true", help="PyTorch as well: for-loop, foreach and fused")
    add("--json", type=new_file, metavar="FILE", help="write all figures there, in seconds")
    add("--plot", type=new_picture, metavar="FILE.png",
        help="draw them; needs matplotlib, the extra 'plot'")
    parser.set_defaults(refuse=parser.error)


def option_name(variant: Variant) -> str:
    """What the command line calls it: sgd-momentum."""
    return variant.name.lower().replace(" ", "-")


def variant_named(text: str) -> Variant:
    """An optimizer from the command line."""
    known = {option_name(variant): variant for variant in VARIANTS}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(
            f"unknown optimizer {text!r}; choose from {', '.join(known)}")
    return known[text.lower()]


def count(text: str) -> int:
    """A number from the command line, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up; got {text!r}")
    return int(text)


def new_file(text: str) -> Path:
    """A path that can be written; tried, and left as it was, before anything is measured."""
    path = Path(text)
    existed = path.exists()
    try:
        path.open("ab").close()
        if not existed:
            path.unlink()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text!r}: {error.strerror}") from None
    return path


def new_picture(text: str) -> Path:
    """The same for a picture."""
    if Path(text).suffix not in PICTURES:
        raise argparse.ArgumentTypeError(
            f"expected a name that ends with {', '.join(PICTURES)}; got {text!r}")
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("pictures need matplotlib, the extra 'plot': "
                                         "pip install tinygrad_lite[plot]")
    return new_file(text)


# ---- the command -----------------------------------------------------------------------


def run(options: argparse.Namespace) -> None:
    """Measure every optimizer and size, print a row of each, and write what was asked for."""
    if min(options.sizes) < options.tensors:
        options.refuse(f"argument --tensors: {options.tensors} tensors cannot share "
                       f"{min(options.sizes)} parameters")
    before = kernels.get_num_threads()
    kernels.set_num_threads(options.threads)
    try:
        torch = load_torch(options.threads) if options.peers else None
        conditions = conditions_of(options, torch)
        results = print_table(options, torch, conditions)
    finally:
        kernels.set_num_threads(before)
    if options.json:
        rows = [as_dict(result) for result in results]
        text = json.dumps({**conditions, "rows": rows}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.plot:
        from .bench_plot import picture

        picture(results).savefig(options.plot)


def conditions_of(options: argparse.Namespace, torch: Any) -> dict[str, Any]:
    """Under which conditions the figures were taken."""
    known = {name: fact for name, fact in facts().items() if name not in ("advice", "backend")}
    return {**known, "threads": options.threads, "dtype": options.dtype,
            "tensors": options.tensors, "torch": version("torch") if torch else None}


def print_table(options: argparse.Namespace, torch: Any,
                conditions: dict[str, Any]) -> list[Result]:
    """Measure, and print a row as soon as it is known; then one about the peers, if wanted."""
    cases, say = with_progress([Case(variant, size, options.dtype, options.tensors)
                                for variant in options.optimizers for size in options.sizes])
    for line in introduction(options, torch, conditions):
        say(line)
    say("\n" + heading(COLUMNS))
    effort = QUICK if options.quick else FULL
    results = []
    for case in cases:
        if refusal := too_large(case, peers=torch is not None):
            say(f"{case.variant.name:>12}  {case.parameters:>11,}  {refusal}")
            continue
        results.append(measure(case, *effort, options.repeats, torch))
        say(row(COLUMNS, results[-1]))
    if torch is not None:
        say("\n" + "\n".join([heading(PEERS), *(row(PEERS, result) for result in results)]))
    return results


def introduction(options: argparse.Namespace, torch: Any,
                 conditions: dict[str, Any]) -> Iterator[str]:
    """The lines above the table."""
    versions = [f"{name} {conditions[name]}" for name in ("tinygrad_lite", "NumPy", "torch")
                if conditions[name]]
    yield (f"{', '.join(versions)}; {options.dtype}, tensors: {options.tensors}, "
           f"threads: {options.threads}, instruction set: {conditions['instruction set']}")
    if reason := kernels.why_not_c():
        yield f"C is left out: {reason}"
    if options.peers and torch is None:
        yield "PyTorch is left out: it is not installed; pip install torch"
    yield "us: microseconds per step, a median ± half the distance between the quartiles"
    if max(options.sizes) > SLICE:
        yield f"~ plain Python was timed on {SLICE:,} parameters, and its time scaled up"


def too_large(case: Case, peers: bool) -> str:
    """Why a case is left out, if it needs more memory than there is."""
    needed = case.memory(peers)
    most = min(MOST_MEMORY, 0.8 * free_memory())
    if needed <= most:
        return ""
    return f"left out: it needs {needed / 1e9:.1f} GB of memory; {most / 1e9:.1f} may be taken"


def free_memory() -> float:
    """Bytes that a process can have without swapping, where the system tells."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        return 1024 * float(text.split("MemAvailable:")[1].split()[0])
    except (OSError, IndexError):
        return float("inf")


def with_progress(cases: list[Case]) -> tuple[Iterable[Case], Callable[[str], None]]:
    """The cases, with a bar if tqdm is there and a terminal shows it; and how to print."""
    try:
        from tqdm import tqdm
    except ImportError:  # an extra; without it the rows tell how far it is
        return cases, partial(print, flush=True)
    return tqdm(cases, unit="case", leave=False, disable=None), tqdm.write


# ---- the table -------------------------------------------------------------------------


class Column(NamedTuple):
    """A column of the table: its heading, its width, and the text of a row."""

    title: str
    width: int
    cell: Callable[[Result], str]


def heading(columns: list[Column]) -> str:
    """The line above them."""
    return "  ".join(column.title.rjust(column.width) for column in columns)


def row(columns: list[Column], result: Result) -> str:
    """A line of the table."""
    return "  ".join(column.cell(result).rjust(column.width) for column in columns)


def spread(name: str) -> Callable[[Result], str]:
    """Cells with a contestant's time: ``253 ±3%``."""
    def cell(result: Result) -> str:
        time = result.times.get(name)
        if time is None:
            return "-"
        half = (time.high - time.low) / 2
        return f"{digits(1e6 * time.median)} ±{100 * half / time.median:.0f}%"
    return cell


def scaled_time(result: Result) -> str:
    """Plain Python's time, marked where it was scaled."""
    text = digits(1e6 * result.times["python"].median)
    return f"~{text}" if result.case.parameters > SLICE else text


def ratio(name: str) -> Callable[[Result], str]:
    """Cells with how many times longer than C a contestant takes."""
    def cell(result: Result) -> str:
        times = result.ratio(name)
        return "-" if times is None else digits(times, 2)
    return cell


def speed(result: Result) -> str:
    """GB/s in C."""
    return digits(result.speed(result.times["c"]), 2) if "c" in result.times else "-"


def limit(result: Result) -> str:
    """GB/s of the best loop."""
    return digits(result.speed(result.best), 2) if result.best else "-"


def share(result: Result) -> str:
    """C's part of that."""
    return "-" if result.share is None else f"{100 * result.share:.0f}%"


def digits(number: float, significant: int = 3) -> str:
    """So many digits, or more where more stand before the point; with commas."""
    rounded = float(f"{number:.{significant}g}") if number < 10 ** significant else number
    before = len(str(int(rounded)))
    return f"{rounded:,.{max(0, significant - before)}f}"


CASE = [
    Column("optimizer", 12, lambda result: result.case.variant.name),
    Column("parameters", 11, lambda result: f"{result.case.parameters:,}"),
    Column("C, us", 14, spread("c")),
]
COLUMNS = [
    *CASE,
    Column("NumPy, us", 16, spread("numpy")),
    Column("Python, us", 11, scaled_time),
    Column("NumPy/C", 7, ratio("numpy")),
    Column("Python/C", 8, ratio("python")),
    Column("GB/s", 4, speed),
    Column("limit", 5, limit),
    Column("share", 5, share),
]
PEERS = CASE + [column for name in FORMS for column in
                (Column(f"{name}, us", 18, spread(name)), Column("/C", 5, ratio(name)))]


# ---- JSON ------------------------------------------------------------------------------


def as_dict(result: Result) -> dict[str, Any]:
    """A result as JSON has it; times are in seconds."""
    def plain(times: dict[str, Summary]) -> dict[str, dict[str, float]]:
        return {name: time._asdict() for name, time in times.items()}

    case = result.case
    return {
        "optimizer": case.variant.name,
        "parameters": case.parameters,
        "bytes moved": case.moved,
        "seconds": plain(result.times),
        "Python timed on": case.slice().parameters,
        "times as long as C": {name: result.ratio(name) for name in result.times},
        "GB/s": {name: result.speed(time) for name, time in result.times.items()},
        "seconds for the bytes in a loop": plain(result.limits),
        "GB/s of the loops": {name: result.speed(time)
                              for name, time in result.limits.items()},
        "share of the limit": result.share,
    }
