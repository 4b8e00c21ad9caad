"""The experiments as a user runs them: pictures, printed numbers, wrong options, a stop."""

import contextlib
import importlib
import io
import json
import math
import os
import re
import runpy
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

# For each script its pictures, and words of what it prints.
SCRIPTS = {
    "optimizer_paths": (["optimizer_paths", "optimizer_paths_rosenbrock"],
                        ["length/distance", "rate / (1 - alpha)"]),
    "gd_vs_sgd": (["gd_vs_sgd"], ["us/update", "parts across"]),
    "loss_shapes": (["loss_shapes", "loss_surface"],
                    ["p - y agrees", "dL/dx at x", "steps to p > 0.9", "principal directions"]),
    "initial_values": (["initial_values", "initial_values_training"], ["gradient, layer 1"]),
    "vanishing_gradients": (["vanishing_gradients"], ["factor a layer", "saturated"]),
    "learning_rate": (["learning_rate"], ["warm-up: yes", "range test"]),
    "compare_optimizers": (["compare_optimizers"], ["best rate", "held-out loss"]),
    "moons_by_hand": (["moons_by_hand"], ["last loss", "points right"]),
}
MORE = {"optimizer_paths": ("--gif",)}


def command(name, *options):
    return [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, options)]


def environment(*paths):
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*paths, ROOT]))}


def run(name, *options, path=()):
    """A script in a process of its own."""
    return subprocess.run(command(name, *options), env=environment(*path), text=True,
                          capture_output=True)


def run_here(name, *options):
    """A script in this process, which has the libraries already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        patch.setattr(sys, "argv", command(name, *options)[1:])
        runpy.run_path(sys.argv[0], run_name="__main__")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A function that gives the folder and the output of a script's short form, run once."""

    @cache
    def finished(name):
        out = tmp_path_factory.mktemp(name) / "new" / "directory"
        options = "--quick", "--out", out, *MORE.get(name, ())
        if name == "compare_optimizers":  # its processes have to find it by its name
            done = run(name, *options)
            assert (done.returncode, done.stderr) == (0, "")
            return out, done.stdout
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            run_here(name, *options)
        return out, printed.getvalue()

    return finished


def rows(text, *firsts):
    """The cells of the printed lines that begin with one of the words, by that word."""
    lines = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines())
    return {cells[0]: cells[1:] for cells in lines if cells[0] in firsts}


# ---- what each writes ------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_short_run(quick, name):
    pictures, words = SCRIPTS[name]
    out, printed = quick(name)
    for word in words:
        assert word in printed
    for picture in pictures:
        assert (out / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (out / f"{picture}.svg").read_text(encoding="utf-8")
        assert f"{out / picture}.png" in printed
        if "--gif" in MORE.get(name, ()):
            assert (out / f"{picture}.gif").read_bytes().startswith(b"GIF89a")


def test_the_same_seed_gives_the_same_pictures(quick, tmp_path):
    """Also in a process of its own. (In matplotlib's SVG some last digits may differ.)"""
    out, _ = quick("moons_by_hand")
    again = run("moons_by_hand", "--quick", "--seed", 0, "--out", tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    for picture in ("moons_by_hand.png", "neuron.svg"):
        assert (tmp_path / picture).read_bytes() == (out / picture).read_bytes()


def test_moons_has_a_time_for_each_way_and_the_graph_of_a_neuron(quick):
    out, printed = quick("moons_by_hand")
    ways = re.findall(r"^(as it stands|jitted) +[\d.]+ s +\S+ ms +(\S+) +(\S+)$", printed,
                      re.MULTILINE)
    assert [way for way, *_ in ways] == ["as it stands", "jitted"]
    assert len({(first, last) for _, first, last in ways}) == 1
    graph = (out / "neuron.svg").read_text(encoding="utf-8")
    assert graph.count('class="box"') == 5 + 5  # leaves, and ops


# ---- the command line, and what may be missing -----------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_begins_with_the_first_line_of_the_script(name, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        run_here(name, "--help")
    text = " ".join(capsys.readouterr().out.split())
    first, *_ = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    for part in [first.strip('"'), "--seed", "--out", "--quick"]:
        assert part in text


@pytest.mark.parametrize(("name", "options", "words"), [
    *[(name, options, words) for name in SCRIPTS for options, words in [
        (("--seed", "-1"), "--seed: expected 0 or more"), (("--seed", "x"), "--seed"),
        (("--color", "blue"), "--color"), (("--out", __file__), "--out: ")]],
    pytest.param("gd_vs_sgd", ("--out", "/proc/self"), "--out: ", marks=pytest.mark.skipif(
        sys.platform != "linux", reason="a folder in which even root cannot write")),
    ("optimizer_paths", ("--gif", "3"), "3"),
    ("compare_optimizers", ("--jobs", "0"), "--jobs: expected 1 or more"),
    ("compare_optimizers", ("--data", os.devnull), "t10k-images-idx3-ubyte")])
def test_a_wrong_option_gets_one_line(name, options, words, capsys):
    with pytest.raises(SystemExit, match="^2$"):
        run_here(name, *options)
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith(f"{name}.py: ")
    assert words in line


def test_without_extras_one_line_says_what_to_install(tmp_path):
    for module in ("matplotlib", "tqdm", "safetensors"):
        (tmp_path / f"{module}.py").write_text("raise ImportError")
    done = run("loss_shapes", "--quick", "--out", tmp_path / "out", path=[tmp_path])
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "tinygrad_lite[plot]" in line


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")
@pytest.mark.parametrize(("name", "sign"), [
    ("gd_vs_sgd", ""), ("compare_optimizers", "runs.jsonl")])
def test_ctrl_c(name, sign, tmp_path):
    """Stopped once its folder, or a first result, is there; processes of its own stop too."""
    sign = tmp_path / "out" / sign
    with subprocess.Popen(
        command(name, "--out", tmp_path / "out"), env=environment(), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        # In the background of a shell SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not (sign.exists() and sign.stat().st_size):
            assert process.poll() is None
            time.sleep(0.02)
        while process.poll() is None:  # one may be lost where Python runs a callback of C
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(2)
        errors = process.stderr.read()
    assert process.returncode == 130
    assert errors.strip() == "stopped"


def test_a_reader_that_leaves_is_no_error(tmp_path):
    with subprocess.Popen(
        command("moons_by_hand", "--quick", "--out", tmp_path), env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (1, "")


# ---- numbers that theory knows ---------------------------------------------------------


def test_gradient_descent_goes_where_algebra_says(quick):
    """On x^2/20 + y^2 each step multiplies x by 1 - rate / 10 and y by 1 - 2 rate."""
    ravine = quick("optimizer_paths")[1].partition("rosenbrock")[0]
    rate, *numbers, crossings = map(float, rows(ravine, "GD")["GD"])
    steps = np.arange(31)
    path = np.stack([-7 * (1 - rate / 10) ** steps, 2 * (1 - 2 * rate) ** steps], 1)
    x, y = path[-1]
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    zigzag = length / np.linalg.norm(path[-1] - path[0])
    np.testing.assert_allclose(numbers, [x, y, x**2 / 20 + y**2, zigzag], rtol=0.005, atol=1e-4)
    assert crossings == 30


def test_methods_with_a_memory_zigzag_less(quick):
    text = quick("optimizer_paths")[1].partition("rosenbrock")[0]
    zigzag = {method: float(cells[4]) for method, cells in rows(
        text, "GD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam").items()}
    assert zigzag.pop("GD") > 2 * max(zigzag.values())


@pytest.mark.parametrize(("alpha", "rate"), [("0", 0.1), ("0.5", 0.1), ("0.9", 0.1)])
def test_momentum_steps_grow_to_the_effective_rate(quick, alpha, rate):
    """eta / (1 - alpha), the sum of a geometric series."""
    text = quick("optimizer_paths")[1]
    given, last_step, _ = map(float, rows(text, alpha)[alpha])
    assert given == rate
    assert last_step == pytest.approx(rate / (1 - float(alpha)), abs=5e-5)


def test_noise_falls_with_the_root_of_the_batch(quick):
    text = quick("gd_vs_sgd")[1]
    slopes = [float(slope) for slope in re.findall(r"batch\^(-[\d.]+);", text)]
    np.testing.assert_allclose(slopes, [-0.5, -0.5], atol=0.04)
    table = rows(text, "1", "4", "16", "64", "256", "1024")
    before, after = (np.array([float(table[str(4**i)][column]) for i in range(6)])
                     for column in (0, 2))
    for spread in (before, after):
        np.testing.assert_allclose(spread * np.sqrt(4.0 ** np.arange(6)), spread[0], rtol=0.25)


def test_equal_updates_bring_equal_losses(quick):
    """At a small rate it is the number of updates that counts, not of examples."""
    table = rows(quick("gd_vs_sgd")[1], "32", "128", "all (GD)")
    losses = [float(cells[2]) for cells in table.values()]
    np.testing.assert_allclose(losses, losses[0], rtol=0.01)
    after_passes = [float(cells[4]) for cells in table.values()]
    assert after_passes == sorted(after_passes)


def test_rates_too_small_and_too_large_learn_nothing(quick):
    text = quick("learning_rate")[1]
    lines = [re.split(r"\s{2,}", line) for line in text.splitlines()]
    loss = {float(cells[1]): float(cells[2]) for cells in lines if cells[0] == "rate"}
    suggested = float(text.partition("a third of it, ")[2].split()[0])
    knows_nothing = math.log(10)
    assert loss[0.003] == pytest.approx(knows_nothing, abs=0.05)
    assert loss[10.0] > knows_nothing
    near = min(loss, key=lambda rate: abs(math.log(rate / suggested)))
    assert loss[near] < 0.5 * knows_nothing


def test_a_warm_up_helps_where_the_rate_is_large(quick):
    table = rows(quick("learning_rate")[1], "warm-up: no", "warm-up: yes")
    assert float(table["warm-up: yes"][1]) < 0.5 * float(table["warm-up: no"][1])


# ---- compare_optimizers ----------------------------------------------------------------


def test_each_method_has_a_colour_and_a_mark_of_its_own(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    looks = importlib.import_module("pictures").LOOKS.values()
    for trait in ("color", "marker"):
        assert len({look[trait] for look in looks}) == len(looks)


def records(out):
    """The lines of finished runs."""
    return [line for line in (out / "runs.jsonl").read_text().splitlines() if line]


def test_each_optimizer_has_its_best_rate(quick):
    out, text = quick("compare_optimizers")
    table = rows(text, "SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adadelta", "Adam",
                 "AdamW")
    assert len(table) == 8
    done = [json.loads(line) for line in records(out)]
    for method, (rate, held_out, *_) in table.items():
        losses = {record["run"][3]: record["loss"] for record in done
                  if record["run"][1:3] == ["search", method]}
        best = min(losses, key=losses.get)
        assert float(rate) == pytest.approx(best, rel=0.05)
        assert float(held_out) == pytest.approx(losses[best], abs=1e-4)


def test_a_second_start_goes_on(quick, tmp_path):
    """Most of the runs are kept and a line is cut short; the rest is done anew, the same."""
    out, text = quick("compare_optimizers")
    lines = records(out)
    marked = [line.replace('"accuracy": ', '"kept": 1, "accuracy": ') for line in lines[:30]]
    (tmp_path / "runs.jsonl").write_text("\n".join([*marked, lines[30][:30]]))
    done = run("compare_optimizers", "--quick", "--out", tmp_path, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    first, *table = done.stdout.splitlines()
    assert first == f"30 finished runs found in {tmp_path / 'runs.jsonl'}"
    assert table[:-1] == text.splitlines()[:-1]
    again = records(tmp_path)
    assert again[:31] == [*marked, lines[30][:30]]
    assert sorted(again[31:]) == sorted(lines[30:])


def test_data_in_a_folder_are_mnist(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 60).astype(np.uint8)
    images = rng.integers(0, 256, (60, 28, 28)).astype(np.uint8)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(
        struct.pack(">IIII", 0x803, 60, 28, 28) + images.tobytes())
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(
        struct.pack(">II", 0x801, 60) + labels.tobytes())
    done = run("compare_optimizers", "--quick", "--out", tmp_path, "--data", tmp_path,
               "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "compare_optimizers_mnist.png").exists()
    assert {json.loads(line)["run"][0] for line in records(tmp_path)} == {
        str(tmp_path.resolve())}
