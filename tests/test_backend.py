"""The choice of a backend: by default, by name, by environment variable, and its errors."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_lite import kernels

WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")
needs_c = pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")

PACKAGE = Path(kernels.__file__).parent
CSRC = Path(__file__).parents[1] / "csrc"

# Makes the compiled module look absent, or outdated, before the package is imported.
ABSENT = """
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name.endswith("._kernels") else find_spec(name)
"""
OUTDATED = """
import importlib.machinery, sys, types
fake = types.ModuleType("tinygrad_lite.kernels._kernels")
fake.__spec__ = importlib.machinery.ModuleSpec(fake.__name__, None)
fake.ffi, fake.lib = None, types.SimpleNamespace(tgl_abi=lambda: 0)
sys.modules[fake.__name__] = fake
"""
SHOW = "\nfrom tinygrad_lite import kernels\nprint(kernels.get_backend())\n"


def python(code, variable=None):
    """Run code in a new process, with TINYGRAD_LITE_BACKEND set to ``variable``."""
    environment = {k: v for k, v in os.environ.items() if k != "TINYGRAD_LITE_BACKEND"}
    if variable is not None:
        environment["TINYGRAD_LITE_BACKEND"] = variable
    root = PACKAGE.parents[1]
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True
    )


@pytest.fixture(autouse=True)
def restored_backend():
    """Each test leaves the backend as it found it."""
    with kernels.backend(kernels.get_backend()):
        yield


def test_c_is_there_unless_it_was_opted_out():
    if WITHOUT_C:
        assert "make build" in kernels.why_not_c()
    else:
        assert kernels.why_not_c() == ""
        assert kernels.body("c").__name__ == "tinygrad_lite.kernels.native"


@pytest.mark.parametrize("variable", [None, ""])
def test_default(variable):
    assert python(SHOW, variable).stdout.strip() == ("numpy" if WITHOUT_C else "c")


@pytest.mark.parametrize("name", ["numpy", "python", pytest.param("c", marks=needs_c)])
def test_every_name(name):
    kernels.set_backend(name)
    assert kernels.get_backend() == name
    assert kernels.body() is kernels.body(name)
    assert python(SHOW, name).stdout.strip() == name


def test_context_manager_puts_the_backend_back():
    kernels.set_backend("numpy")
    with kernels.backend("python"):
        assert kernels.get_backend() == "python"
        with kernels.backend("numpy"):
            assert kernels.get_backend() == "numpy"
        assert kernels.get_backend() == "python"
    assert kernels.get_backend() == "numpy"
    with pytest.raises(ZeroDivisionError), kernels.backend("python"):
        raise ZeroDivisionError
    assert kernels.get_backend() == "numpy"


def test_decorator():
    @kernels.backend("python")
    def name():
        return kernels.get_backend()

    kernels.set_backend("numpy")
    assert [name(), name(), kernels.get_backend()] == ["python", "python", "numpy"]


def test_unknown_name():
    for choose in (kernels.set_backend, kernels.body):
        with pytest.raises(ValueError, match="unknown backend 'C'; choose from c, numpy"):
            choose("C")
    before = kernels.get_backend()
    with pytest.raises(ValueError, match="unknown backend"), kernels.backend("cuda"):
        pass
    assert kernels.get_backend() == before


def test_unknown_name_in_the_environment():
    result = python(SHOW, "cuda")
    assert result.returncode != 0
    assert "ValueError: environment variable TINYGRAD_LITE_BACKEND=cuda" in result.stderr
    assert "choose from c, numpy, python" in result.stderr


def test_without_compiled_module():
    result = python(ABSENT + SHOW + "print(kernels.why_not_c())")
    backend, reason = result.stdout.splitlines()
    assert backend == "numpy"
    assert "make build" in reason
    assert "pip install --no-cache-dir --force-reinstall --no-deps ." in reason


def test_asking_for_c_without_compiled_module():
    by_name = python(ABSENT + SHOW + "kernels.set_backend('c')")
    by_variable = python(ABSENT + SHOW, "c")
    for result in (by_name, by_variable):
        assert result.returncode != 0
        assert "RuntimeError: " in result.stderr
        assert 'backend "c" is not available: ' in result.stderr
        assert "make build" in result.stderr
    assert "TINYGRAD_LITE_BACKEND=c" in by_variable.stderr


def test_outdated_compiled_module_fails_loudly():
    result = python(OUTDATED + SHOW, "numpy")
    assert result.returncode != 0
    assert "ImportError: the C kernels of tinygrad_lite do not load: " in result.stderr
    assert "interface 0, but this Python code needs" in result.stderr
    assert "pip install --no-cache-dir --force-reinstall --no-deps ." in result.stderr


def test_interface_number_is_the_same_in_c_and_python():
    c_source = (CSRC / "optimizers.c").read_text(encoding="utf-8")
    in_c = re.search(r"int tgl_abi\(void\)\s*{\s*return (\d+);", c_source)
    python_source = (PACKAGE / "compiled.py").read_text(encoding="utf-8")
    in_python = re.search(r"^ABI = (\d+)$", python_source, re.MULTILINE)
    assert in_c.group(1) == in_python.group(1)


def test_kernels_import_nothing_else_of_the_package():
    for path in PACKAGE.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        imported = re.findall(r"^\s*(?:from|import) (tinygrad_lite\S*)", source, re.MULTILINE)
        assert all(name.startswith("tinygrad_lite.kernels") for name in imported), path.name


@pytest.mark.parametrize("name", [None, "", "C", 1])
def test_what_is_no_name_of_a_backend_changes_nothing(name):
    before = kernels.get_backend()
    with pytest.raises(ValueError, match="choose from c, numpy, python"):
        kernels.set_backend(name)
    assert kernels.get_backend() == before


@needs_c
def test_without_cffi_the_import_says_what_to_install():
    code = "import sys\nsys.modules['_cffi_backend'] = None\nimport tinygrad_lite"
    run = python(code)
    assert run.returncode == 1
    assert "python -m pip install cffi" in run.stderr.splitlines()[-1]
