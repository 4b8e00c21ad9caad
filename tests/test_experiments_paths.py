"""The experiments on optimizers and rates, as a user runs them: pictures, and their numbers."""

import json
import math
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def run(name, *options, path=ROOT):
    return subprocess.run([sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, options)],
                          env={**os.environ, "PYTHONPATH": str(path)}, capture_output=True,
                          text=True)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A function that gives the folder and the output of a script's short form, run once."""
    done = {}

    def get(name, *options):
        if name not in done:
            out = tmp_path_factory.mktemp(name)
            result = run(name, "--quick", "--out", out, *options)
            assert result.returncode == 0, result.stderr
            assert result.stderr == ""
            done[name] = out, result.stdout
        return done[name]

    return get


def rows(text, *firsts):
    """The cells of the printed lines that begin with one of the words, by that word."""
    lines = (re.split(r"\s{2,}", line.strip()) for line in text.splitlines())
    return {cells[0]: cells[1:] for cells in lines if cells[0] in firsts}


# ---- what each writes ------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options", "pictures"), [
    ("optimizer_paths", ("--gif",), ("optimizer_paths", "optimizer_paths_rosenbrock")),
    ("gd_vs_sgd", (), ("gd_vs_sgd",)),
    ("learning_rate", (), ("learning_rate",)),
    ("compare_optimizers", (), ("compare_optimizers",))])
def test_pictures_are_there(quick, name, options, pictures):
    out, text = quick(name, *options)
    for picture in pictures:
        assert (out / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
        assert b"</svg>" in (out / f"{picture}.svg").read_bytes()
        assert f"{out / picture}.png" in text
        if "--gif" in options:
            assert (out / f"{picture}.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("name", ["optimizer_paths", "gd_vs_sgd", "learning_rate",
                                  "compare_optimizers"])
def test_help_tells_what_it_does(name):
    done = run(name, "--help")
    assert done.returncode == 0
    for option in ("--seed", "--out", "--quick"):
        assert option in done.stdout


@pytest.mark.parametrize(("name", "options", "words"), [
    ("optimizer_paths", ("--gif", "3"), "3"),
    ("optimizer_paths", ("--seed", "-1"), "--seed: expected 0 or more"),
    ("gd_vs_sgd", ("--out", os.devnull), "--out"),
    ("learning_rate", ("--rate", "1"), "--rate"),
    ("compare_optimizers", ("--jobs", "0"), "--jobs: expected 1 or more"),
    ("compare_optimizers", ("--data", os.devnull), "t10k-images-idx3-ubyte")])
def test_a_wrong_option_gets_one_line(name, options, words):
    done = run(name, *options)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line


def test_without_matplotlib_one_line_says_what_to_install(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    done = run("optimizer_paths", "--quick", "--out", tmp_path,
               path=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "tinygrad_lite[plot]" in line


# ---- numbers that theory knows ---------------------------------------------------------


def test_gradient_descent_goes_where_algebra_says(quick):
    """On x^2/20 + y^2 each step multiplies x by 1 - rate / 10 and y by 1 - 2 rate."""
    ravine = quick("optimizer_paths", "--gif")[1].partition("rosenbrock")[0]
    rate, *numbers, crossings = map(float, rows(ravine, "GD")["GD"])
    steps = np.arange(31)
    path = np.stack([-7 * (1 - rate / 10) ** steps, 2 * (1 - 2 * rate) ** steps], 1)
    x, y = path[-1]
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    zigzag = length / np.linalg.norm(path[-1] - path[0])
    np.testing.assert_allclose(numbers, [x, y, x**2 / 20 + y**2, zigzag], rtol=0.005, atol=1e-4)
    assert crossings == 30


def test_methods_with_a_memory_zigzag_less(quick):
    text = quick("optimizer_paths", "--gif")[1].partition("rosenbrock")[0]
    zigzag = {method: float(cells[4]) for method, cells in rows(
        text, "GD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam").items()}
    assert zigzag.pop("GD") > 2 * max(zigzag.values())


@pytest.mark.parametrize(("alpha", "rate"), [("0", 0.1), ("0.5", 0.1), ("0.9", 0.1)])
def test_momentum_steps_grow_to_the_effective_rate(quick, alpha, rate):
    """eta / (1 - alpha), the sum of a geometric series."""
    text = quick("optimizer_paths", "--gif")[1]
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


def test_each_optimizer_has_its_best_rate(quick):
    out, text = quick("compare_optimizers")
    table = rows(text, "SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adadelta", "Adam",
                 "AdamW")
    assert len(table) == 8
    records = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    for method, (rate, held_out, *_) in table.items():
        losses = {record["run"][3]: record["loss"] for record in records
                  if record["run"][1:3] == ["search", method]}
        best = min(losses, key=losses.get)
        assert float(rate) == pytest.approx(best, rel=0.05)
        assert float(held_out) == pytest.approx(losses[best], abs=1e-4)


def test_a_second_start_goes_on(quick, tmp_path):
    """Most of the runs are kept and a line is cut short; the rest is done anew, the same."""
    out, text = quick("compare_optimizers")
    lines = (out / "runs.jsonl").read_text().splitlines(keepends=True)
    marked = [line.replace('"accuracy": ', '"kept": 1, "accuracy": ') for line in lines[:30]]
    (tmp_path / "runs.jsonl").write_text("".join(marked) + lines[30][:30])
    done = run("compare_optimizers", "--quick", "--out", tmp_path, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    first, *table = done.stdout.splitlines()
    assert first == f"30 finished runs found in {tmp_path / 'runs.jsonl'}"
    assert table[:-1] == text.splitlines()[:-1]
    again = (tmp_path / "runs.jsonl").read_text().splitlines(keepends=True)
    assert again[:30] == marked
    assert sorted(again[30:]) == sorted(lines[30:])


def test_data_in_a_folder_are_mnist(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 60).astype(np.uint8)
    images = rng.integers(0, 256, (60, 28, 28)).astype(np.uint8)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(
        struct.pack(">IIII", 0x803, 60, 28, 28) + images.tobytes())
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(
        struct.pack(">II", 0x801, 60) + labels.tobytes())
    done = run("compare_optimizers", "--quick", "--out", tmp_path, "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "compare_optimizers_mnist.png").exists()
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert {json.loads(line)["run"][0] for line in lines} == {str(tmp_path.resolve())}
