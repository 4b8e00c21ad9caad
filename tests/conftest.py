"""Leaves out the comparisons with PyTorch where it is not installed, and says so."""

from importlib.util import find_spec

HAS_TORCH = find_spec("torch") is not None


def pytest_report_header():
    return "comparison with PyTorch: " + ("on" if HAS_TORCH else "left out, not installed")


def pytest_collection_modifyitems(config, items):
    if HAS_TORCH:
        return
    parity = [item for item in items if item.get_closest_marker("parity")]
    items[:] = [item for item in items if item not in parity]
    config.hook.pytest_deselected(items=parity)
