"""examples/train_digits.py as a user runs it: a short training, bad options, Ctrl-C."""

import os
import re
import runpy
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "examples" / "train_digits.py"
SHORT = ("--epochs", "2", "--hidden", "20,10")

# Runs the file named by the first argument, while some modules cannot be imported.
WITHOUT = """
import runpy, sys
sys.modules.update(dict.fromkeys({!r}))
sys.path.insert(0, {!r})
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def command(*options, without=()):
    start = ["-c", WITHOUT.format(without, str(DEMO.parent))] if without else []
    return [sys.executable, *start, str(DEMO), *map(str, options)]


def environment(**changes):
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


def demo(*options, without=(), **variables):
    """The finished demo in a process of its own."""
    return subprocess.run(command(*options, without=without), env=environment(**variables),
                          capture_output=True, text=True)


def lines_of_epochs(output):
    return [line for line in output.splitlines() if line.startswith("epoch ")]


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    """A finished short run: what it printed, and the directory with its files."""
    out = tmp_path_factory.mktemp("demo") / "new" / "directory"
    done = demo(*SHORT, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout, out


def test_one_line_for_each_epoch(short_run):
    output, _ = short_run
    assert len(lines_of_epochs(output)) == 2


def test_table_has_every_backend(short_run):
    output, _ = short_run
    rows = dict(re.findall(r"^(c|numpy|python) +(\S+)", output, re.MULTILINE))
    assert tuple(rows) == kernels.BACKENDS
    for backend, time in rows.items():
        if backend == "c" and kernels.why_not_c():
            assert time == "not"  # built
        else:
            assert float(time.replace(",", "")) > 0


def test_weights_give_the_reported_accuracy(short_run, monkeypatch):
    output, out = short_run
    monkeypatch.syspath_prepend(DEMO.parent)
    example = runpy.run_path(str(DEMO))
    net = example["make_net"]([20, 10])
    with np.load(out / "weights.npz", allow_pickle=False) as weights:
        net.load_state_dict(weights)
    images, labels = tg.data.digits("test")
    right = np.count_nonzero(example["predict"](net, images) == labels)
    assert f"test accuracy {right / 360:.2%}: {right} of 360 digits" in output


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")
def test_picture(short_run):
    _, out = short_run
    assert (out / "training.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_one_line_names_the_extra(tmp_path):
    done = demo(*SHORT, "--out", tmp_path, without=["matplotlib"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "pip install tinygrad_lite[plot]" in done.stdout.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_same_seed_same_run(short_run, tmp_path):
    """Also with another hash seed, and without a progress bar."""
    output, out = short_run
    again = demo(*SHORT, "--out", tmp_path, without=["tqdm", "matplotlib"],
                 PYTHONHASHSEED="7")
    assert lines_of_epochs(again.stdout) == lines_of_epochs(output)
    with np.load(out / "weights.npz") as first, np.load(tmp_path / "weights.npz") as second:
        assert first.files == second.files
        for name in first.files:
            np.testing.assert_array_equal(first[name], second[name])


def test_another_seed_another_run(short_run, tmp_path):
    other = demo(*SHORT, "--seed", "1", "--out", tmp_path, without=["matplotlib"])
    assert lines_of_epochs(other.stdout) != lines_of_epochs(short_run[0])


@pytest.mark.parametrize("options", [
    ("--optimizer", "sgd", "--hidden", "1"),
    ("--optimizer", "momentum", "--hidden", "8", "--backend", "numpy"),
    ("--optimizer", "adagrad", "--hidden", "8,8", "--lr", "1e-2"),
], ids=" ".join)
def test_other_options(options, tmp_path):
    done = demo("--epochs", "1", *options, "--out", tmp_path, without=["matplotlib"])
    assert (done.returncode, done.stderr) == (0, "")


WRONG = {
    "--epochs": ["0", "-1", "1.5", "many", ""],
    "--lr": ["nan", "inf", "0", "-0.1", "fast", ""],
    "--optimizer": ["adamw", "Adam", ""],
    "--hidden": ["0", "-5", "1025", "10,0", "10,", "1.5", "wide", ""],
    "--seed": ["-1", "0.5", "x"],
    "--backend": ["gpu", ""],
    "--color": ["blue"],
}


def refusal(capsys, monkeypatch, *options):
    """The one line on stderr with which the demo, run in this process, exits with code 2."""
    monkeypatch.setattr(sys, "argv", [str(DEMO), *map(str, options)])
    monkeypatch.syspath_prepend(DEMO.parent)
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(DEMO), run_name="__main__")
    output = capsys.readouterr()
    assert stop.value.code == 2
    assert output.out == ""
    (line,) = output.err.splitlines()
    return line


@pytest.mark.parametrize(("option", "value"), [
    (option, value) for option, values in WRONG.items() for value in values])
def test_wrong_value(option, value, tmp_path, monkeypatch, capsys):
    line = refusal(capsys, monkeypatch, "--out", tmp_path / "new", option, value)
    assert option in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [
    lambda out: out.write_text("a file"),
    lambda out: (out / "weights.npz").mkdir(parents=True),
    lambda out: (out / "training.png").mkdir(parents=True),
], ids=["file", "weights", "picture"])
def test_out_that_cannot_be_written(make, tmp_path, monkeypatch, capsys):
    make(tmp_path / "out")
    line = refusal(capsys, monkeypatch, "--out", tmp_path / "out")
    assert line.startswith("train_digits.py: --out: ")
    assert str(tmp_path / "out") in line


def test_wrong_value_in_a_process_of_its_own(tmp_path):
    done = demo("--epochs", "-1", "--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "train_digits.py: --epochs: expected 1 or more\n"


@pytest.mark.skipif(not kernels.why_not_c(), reason="C is available")
def test_c_asked_for_and_not_built(tmp_path, monkeypatch, capsys):
    line = refusal(capsys, monkeypatch, "--out", tmp_path, "--backend", "c")
    assert 'backend "c" is not available' in line


def test_a_rate_that_leads_nowhere(tmp_path):
    done = demo(*SHORT, "--optimizer", "sgd", "--lr", "1e30", "--out", tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "the loss of epoch 1 is nan: try a smaller --lr"
    assert "Traceback" not in done.stderr


def heed_sigint():
    """A run in the background of a shell ignores SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")
def test_ctrl_c(tmp_path):
    with subprocess.Popen(
        command("--epochs", "10000", "--out", tmp_path),
        env=environment(PYTHONUNBUFFERED="1"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_sigint,
    ) as process:
        while not process.stdout.readline().startswith("epoch"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.strip() == "stopped"
    assert not list(tmp_path.iterdir())
