"""Threads and instruction sets of the C kernels: the choice, and results that do not depend on
it: after a fork, from several Python threads at once, and beside NumPy's own threads."""

import importlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
needs_c = pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")
LARGE = 200_000  # elements: many parts for several threads


@pytest.fixture(autouse=True)
def threads_as_they_were():
    before = tg.get_num_threads()
    yield
    tg.set_num_threads(before)


def problem(seed=0):
    """Weights and gradients of a large tensor and of small ones."""
    random = np.random.default_rng(seed)
    return [[random.standard_normal(size).astype(np.float32) for size in (LARGE, 3, 70_000)]
            for _ in range(2)]


def trained(seed=0, steps=5):
    """The bits of the weights after some steps of Adam in C."""
    weights, gradients = problem(seed)
    parameters = [tg.Tensor(w, requires_grad=True) for w in weights]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = g
    adam = tg.optim.Adam(parameters, lr=0.1, backend="c")
    for _ in range(steps):
        adam.step()
    return b"".join(p.numpy().tobytes() for p in parameters)


# ---- the choice ------------------------------------------------------------------------


@needs_c
def test_the_number_of_threads():
    for n in (3, 1, np.int64(2)):
        tg.set_num_threads(n)
        assert tg.get_num_threads() == n


@pytest.mark.parametrize(("wrong", "error"), [
    (0, ValueError), (-1, ValueError), (1.0, TypeError), ("2", TypeError), (True, TypeError),
    (None, TypeError)])
def test_a_wrong_number_changes_nothing(wrong, error):
    before = tg.get_num_threads()
    with pytest.raises(error, match="a number of threads is"):
        tg.set_num_threads(wrong)
    assert tg.get_num_threads() == before


def run(code, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TINYGRAD_LITE_")}
    return subprocess.run([sys.executable, "-c", code], env={**environment, **variables},
                          capture_output=True, text=True)


SHOW = "import tinygrad_lite as tg; print(tg.get_num_threads())"
SHOW_SIMD = "from tinygrad_lite import kernels; print(kernels.body('c').simd())"


@needs_c
def test_as_many_threads_as_cores_unless_a_variable_says_otherwise():
    cores = importlib.import_module("tinygrad_lite.kernels.cores").usable_cores()
    assert run(SHOW).stdout.strip() == str(cores)
    assert run(SHOW, TINYGRAD_LITE_THREADS="3").stdout.strip() == "3"


@needs_c
@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_a_wrong_variable_is_an_error(text):
    result = run(SHOW, TINYGRAD_LITE_THREADS=text)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"ValueError: environment variable TINYGRAD_LITE_THREADS={text}")


@needs_c
def test_a_variable_chooses_the_instruction_set():
    choices = kernels.body("c").simd_choices()
    assert choices[0] == "baseline"
    assert run(SHOW_SIMD).stdout.strip() == choices[-1]
    for name in choices:
        assert run(SHOW_SIMD, TINYGRAD_LITE_SIMD=name).stdout.strip() == name


@needs_c
def test_an_unknown_instruction_set_is_an_error():
    result = run(SHOW_SIMD, TINYGRAD_LITE_SIMD="mmx")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ValueError: environment variable TINYGRAD_LITE_SIMD=mmx: unknown")
    assert "choose from baseline, avx2, avx512" in last


@needs_c
def test_an_instruction_set_that_cannot_run_is_an_error(monkeypatch):
    library = importlib.import_module("tinygrad_lite.kernels.native.library")
    monkeypatch.setattr(library, "simd_choices", lambda: ["baseline"])
    with pytest.raises(RuntimeError, match="cannot run avx512; choose from baseline"):
        library.set_simd("avx512")


# ---- the same bits ---------------------------------------------------------------------


@needs_c
def test_any_number_of_threads_gives_the_same_bits():
    results = []
    for n in (1, 2, 3, 8):
        tg.set_num_threads(n)
        results.append(trained())
    assert len(set(results)) == 1


@needs_c
def test_several_python_threads_at_once():
    tg.set_num_threads(1)
    expected = [trained(seed) for seed in range(4)]
    tg.set_num_threads(3)
    results = [None] * 4

    def work(seed):
        results[seed] = trained(seed, steps=5)

    for _ in range(3):
        workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert results == expected


@needs_c
def test_beside_the_threads_of_numpy():
    """Matrix products in one Python thread, updates in another, both with several threads."""
    tg.set_num_threads(2)
    a = np.random.default_rng(0).standard_normal((300, 300))
    product = a @ a
    products = []
    worker = threading.Thread(target=lambda: products.extend(a @ a for _ in range(30)))
    expected = trained()
    worker.start()
    results = [trained() for _ in range(5)]
    worker.join()
    assert results == [expected] * 5
    assert all((p == product).all() for p in products)


FORK = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import tinygrad_lite as tg
from test_threads import trained

tg.set_num_threads(3)
expected = trained()
child = os.fork()
if child == 0:
    signal.alarm(60)                      # a child that hangs ends itself
    grandchild = os.fork()
    same = trained() == expected
    if grandchild == 0:
        os._exit(0 if same else 1)
    _, status = os.waitpid(grandchild, 0)
    os._exit(0 if same and status == 0 else 1)
same = trained() == expected
_, status = os.waitpid(child, 0)
print(same, status)
"""


@needs_c
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_a_fork():
    """The child has none of the parent's threads; it starts its own, and so does its child."""
    result = run(FORK.format(tests=os.path.dirname(__file__)))
    assert result.stdout.split() == ["True", "0"], result.stderr


FORK_UNDER_LOAD = """
import os, signal, threading
import numpy as np
import tinygrad_lite as tg

def optimizer(size):
    p = tg.Tensor(np.zeros(size, np.float32), requires_grad=True)
    p.grad = np.ones(size, np.float32)
    return tg.optim.SGD([p], lr=1.0)

running = True

def work(call):
    while running:
        call()

tg.set_num_threads({threads})
shared = optimizer(100_000)
calls = [shared.step, optimizer(1).step, optimizer(20_000).step, tg.get_num_threads]
workers = [threading.Thread(target=work, args=(call,)) for call in calls]
for worker in workers:
    worker.start()
statuses = set()
for _ in range(100):
    child = os.fork()
    if child == 0:
        signal.alarm(10)                  # a child that hangs ends itself
        for call in calls:
            call()
        os._exit(0)
    statuses.add(os.waitpid(child, 0)[1])
    if statuses != {{0}}:
        break
running = False
print(*statuses)
"""


@needs_c
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_fork_while_other_threads_are_at_work(threads):
    """They may hold any lock, those of C, of the engine and of a shared optimizer."""
    result = run(FORK_UNDER_LOAD.format(threads=threads))
    assert result.stdout.split() == ["0"], result.stderr


@needs_c
def test_no_more_threads_are_started_than_a_job_has_parts():
    code = """
import os
import numpy as np
import tinygrad_lite as tg
tg.set_num_threads(500)
p = tg.Tensor(np.zeros(40_000, np.float32), requires_grad=True)
p.grad = np.ones(40_000, np.float32)
tg.optim.SGD([p]).step()
print(len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 2)
"""
    parts = -(-40_000 // 4096)  # of a block each
    assert 1 < int(run(code, OPENBLAS_NUM_THREADS="1").stdout) <= parts
