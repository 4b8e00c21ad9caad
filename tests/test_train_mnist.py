"""examples/train_mnist.py as a user runs it, on the real digits where they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "train_mnist.py"
REAL = ROOT.parent / "shared" / "data" / "mnist"


def run(*options):
    return subprocess.run([sys.executable, str(EXAMPLE), *map(str, options)],
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
                          text=True)


@pytest.mark.skipif(not REAL.exists(), reason="the real digits are not beside this checkout")
def test_an_mlp_learns_real_digits():
    done = run("--data", REAL, "--net", "mlp", "--epochs", 1, "--batch", 32, "--batch-norm",
               "--dropout", 0.1, "--init", "kaiming_normal", "--schedule", "one-cycle")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    last = done.stdout.splitlines()[-1]
    assert float(last.split()[2].rstrip("%")) > 85, last


def test_an_unusable_folder_is_told(tmp_path):
    done = run("--data", tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "t10k-images-idx3-ubyte" in line
    assert "download" in line


@pytest.mark.parametrize(("options", "words"), [
    (("--net", "rnn"), "--net"), (("--lr", "-1"), "--lr: expected a finite number above 0"),
    (("--lr", "nan"), "--lr"), (("--epochs", "0"), "--epochs: expected 1 or more"),
    (("--dropout", "1"), "--dropout: expected at least 0 and below 1"),
    (("--shift", "-1"), "--shift: expected 0 or more"), (("--init", "none"), "--init")])
def test_a_wrong_option_gets_one_line(options, words):
    done = run(*options)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line


def test_help_names_the_best_recipe():
    done = run("--help")
    assert done.returncode == 0
    assert "one-cycle" in done.stdout
