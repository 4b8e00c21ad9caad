"""Time the matrix product in C beside NumPy's, for the layers of small nets and for squares.

    OPENBLAS_NUM_THREADS=1 python benchmarks/products.py [threads]

For each layer: x w' + b (forward), g' x (gradient of the weights) and g w (gradient of the
input), as the engine calls them, in microseconds, C / NumPy. Threads that OpenBLAS has started
go on spinning for a while and would keep ours from the cores: with more than one thread, only
one of the two is timed in a process, and `threads` is followed by ``c`` or ``numpy``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np

from tinygrad_lite import kernels

LAYERS = [  # batch, in, out
    (32, 64, 32), (32, 32, 10), (100, 2, 16), (100, 16, 16), (100, 16, 10), (100, 784, 50),
    (100, 50, 10), (128, 784, 100), (128, 100, 100), (128, 100, 10), (128, 784, 512),
    (128, 512, 512), (128, 512, 10), (512, 512, 512), (1024, 1024, 1024),
]
SECONDS = 0.3   # for each contestant


def fastest(contestants: list[Callable[[], object]]) -> list[float]:
    """The shortest time of each, in microseconds. They take turns, in blocks of calls."""
    blocks = []
    for run in contestants:
        run()
        start = perf_counter()
        run()
        blocks.append(max(1, int(1e-3 / (perf_counter() - start))))
    best = [float("inf")] * len(contestants)
    end = perf_counter() + SECONDS * len(contestants)
    while perf_counter() < end:
        for i, (run, calls) in enumerate(zip(contestants, blocks, strict=True)):
            start = perf_counter()
            for _ in range(calls):
                run()
            best[i] = min(best[i], (perf_counter() - start) / calls)
    return [1e6 * time for time in best]


def products(batch: int, inputs: int, outputs: int) -> list[list[np.ndarray]]:
    """The factors of a layer's three products; the first with the bias."""
    random = np.random.default_rng(0)
    x, w, g, b = (random.standard_normal(shape).astype(np.float32) for shape in
                  [(batch, inputs), (outputs, inputs), (batch, outputs), (outputs,)])
    return [[x, w.T, b], [g.T, x], [g, w]]


def main() -> None:
    kernels.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    names = sys.argv[2:] or ["c", "numpy"]
    kernel = {"c": kernels.body("c").matmul, "numpy": kernels.body("numpy").product}
    heads = " ".join(f"{head:>19}" for head in ("forward", "weights", "input"))
    print(f"{'layer':>16}   {heads}   {' / '.join(names)}")
    for layer in LAYERS:
        cells = []
        for factors in products(*layer):
            runs = [lambda call=kernel[name], x=factors: call(*x) for name in names]
            cells.append(" / ".join(f"{time:8.1f}" for time in fastest(runs)))
        print(f"{'-'.join(map(str, layer)):>16}   {' '.join(f'{cell:>19}' for cell in cells)}")


if __name__ == "__main__":
    main()
