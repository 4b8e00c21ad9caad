"""``import tinygrad_lite``: what it brings along, and what it leaves alone."""

import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_lite as tg

ROOT = Path(__file__).parents[1]


def python(code, *options):
    """What the code prints in a new process; nothing may be written to stderr."""
    result = subprocess.run(
        [sys.executable, *options, "-c", code], cwd=ROOT, capture_output=True, text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def test_it_is_silent_and_free_of_warnings():
    assert python("import tinygrad_lite", "-W", "error") == ""


@pytest.mark.parametrize("package", [
    "matplotlib", "tqdm", "torch", "safetensors", "mpi4py", "micrograd", "scipy", "pytest",
])
def test_it_does_not_load(package):
    code = f"import sys, tinygrad_lite; print({package!r} in sys.modules)"
    assert python(code) == "False\n"


def test_it_brings_its_packages():
    code = "import tinygrad_lite as tg; print(tg.nn.Linear, tg.optim.Adam, tg.data.DataLoader)"
    assert "tinygrad_lite.nn" in python(code)


def test_it_leaves_the_floating_point_mode_alone():
    """NumPy warns where a library has switched subnormal numbers off (-ffast-math does)."""
    code = """
import tinygrad_lite
import numpy as np
for kind in (np.float32, np.float64):
    smallest = np.finfo(kind).smallest_subnormal
    print(smallest > 0, smallest / kind(2) == 0, kind(smallest * kind(2)) > smallest)
"""
    assert python(code, "-W", "error") == "True True True\n" * 2


def test_it_leaves_numpys_settings_and_randomness_alone():
    code = """
import numpy as np
np.random.seed(0)
before = np.geterr(), np.get_printoptions(), np.random.get_state()[1].tolist()
import tinygrad_lite
after = np.geterr(), np.get_printoptions(), np.random.get_state()[1].tolist()
print(before == after)
"""
    assert python(code) == "True\n"


def test_all_names_exist_once():
    assert len(set(tg.__all__)) == len(tg.__all__)
    for name in tg.__all__:
        assert hasattr(tg, name), name


@pytest.mark.parametrize("package", ["tg", "tg.data", "tg.optim"])
def test_names_that_are_imported_later_are_listed_from_the_start(package):
    code = f"import tinygrad_lite as tg; print({{*{package}.__all__}} - {{*dir({package})}})"
    assert python(code) == "set()\n"


@pytest.mark.parametrize("module", [
    "checkpoint", "data", "drawing", "nn", "optim", "plot", "programs", "training",
    "kernels.python_loops",
])
def test_what_not_all_need_is_imported_later(module):
    code = f"import sys, tinygrad_lite; print('tinygrad_lite.{module}' in sys.modules)"
    assert python(code) == "False\n"


@pytest.mark.parametrize(("package", "module"), [
    ("data", "data.toy"), ("data", "data.transforms"), ("optim", "optim.lr_scheduler"),
])
def test_a_package_imports_the_rest_of_its_own_later(package, module):
    code = f"import sys, tinygrad_lite.{package}\n" \
        f"print('tinygrad_lite.{module}' in sys.modules)"
    assert python(code) == "False\n"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'tinygrad_lite' has no attribute 'nothing'"):
        _ = tg.nothing
