"""Runs that are killed at random points and resumed end with the bits of one never stopped.

The processes here are killed with SIGKILL (on Windows, TerminateProcess), which no program
can catch.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tg

ROOT = Path(__file__).parents[1]

# A run that saves after every few batches, wherever in the epoch it is, and goes on from what
# it finds. It draws random numbers for the order of each epoch and in every batch.
RUN = """
import os, sys
import tinygrad_lite as tg
from tinygrad_lite import nn

path, epochs = sys.argv[1], int(sys.argv[2])
tg.manual_seed(0)
images, labels = tg.data.digits("train")
net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
optimizer = tg.optim.Adam(net.parameters(), lr=0.01)
decay = tg.optim.lr_scheduler.InverseTimeLR(optimizer, 0.03)
batches = tg.data.DataLoader(images[:300], labels[:300], batch_size=32, shuffle=True)
parts = dict(model=net, optimizer=optimizer, scheduler=decay, loader=batches)

first = 0
if os.path.exists(path):
    first = tg.load(path, **parts)["epoch"]
for epoch in range(first, epochs):
    for x, target in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x + 0.1 * tg.randn(*x.shape)), target)
        loss.backward()
        optimizer.step()
        decay.step()
        if decay.last_epoch % 3 == 0:
            tg.save(path, **parts, epoch=epoch)
        print(decay.last_epoch, flush=True)
tg.save(path, **parts, epoch=epochs)
"""

# Nothing but saves: a kill most likely hits one. It prints what is surely on the disk.
SAVES = """
import sys
import numpy as np
import tinygrad_lite as tg

for n in range(1_000_000):
    tg.save(sys.argv[1], {"n": n, "x": {"a": np.full(30_000, n), "b": np.full(30_000, n)}})
    print(n, flush=True)
"""


def start(code, *arguments):
    """Run code in a new process, whose output comes line by line."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def kill(process, lines, seconds):
    """Kill the process some time after it wrote so many lines; the last that it wrote."""
    before = [process.stdout.readline() for _ in range(lines)]
    time.sleep(seconds)
    process.kill()
    written, errors = process.communicate()
    assert errors == ""
    return [*before, *written.splitlines()][-1]


def left_over(path):
    """Temporary files of saves that were cut off."""
    return [name for name in os.listdir(path.parent) if name.endswith(".tmp")]


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_run_killed_at_random_points_ends_with_the_same_bits(tmp_path, ending):
    whole, resumed = tmp_path / f"whole.{ending}", tmp_path / f"resumed.{ending}"
    straight = start(RUN, whole, 12)
    random = np.random.default_rng(7 + len(ending))
    for _ in range(4):
        kill(start(RUN, resumed, 12), random.integers(1, 25), random.uniform(0, 0.005))
    last = start(RUN, resumed, 12)
    for process in [straight, last]:
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert resumed.read_bytes() == whole.read_bytes()
    state = tg.load(whole)
    assert state["epoch"] == 12
    assert state["scheduler"]["last_epoch"] == 120


def test_a_save_killed_at_random_points_is_the_old_or_the_new(tmp_path):
    path = tmp_path / "a.npz"
    random = np.random.default_rng(1)
    for _ in range(4):
        process = start(SAVES, path)
        surely = int(kill(process, random.integers(1, 30), random.uniform(0, 0.01)))
        state = tg.load(path)
        assert state["n"] in (surely, surely + 1)
        for array in state["x"].values():
            assert np.array_equal(array, np.full(30_000, state["n"]))
    for name in left_over(path):
        os.utime(tmp_path / name, (0, 0))
    tg.save(path, {"n": 0})
    assert os.listdir(tmp_path) == ["a.npz"]
