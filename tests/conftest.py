"""Leaves out the comparisons with PyTorch where it is not installed, and says so."""

import os
from importlib.util import find_spec

# Before NumPy is there: products as small as the tests' gain nothing from threads of its BLAS,
# and beside other programs those may wait for each other ten times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

HAS_TORCH = find_spec("torch") is not None


def pytest_report_header():
    return "comparison with PyTorch: " + ("on" if HAS_TORCH else "left out, not installed")


def pytest_collection_modifyitems(config, items):
    if HAS_TORCH:
        return
    parity = [item for item in items if item.get_closest_marker("parity")]
    items[:] = [item for item in items if item not in parity]
    config.hook.pytest_deselected(items=parity)
