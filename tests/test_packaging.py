"""The package as users get it: source distribution, wheel, installation, and no compiler.

Built without isolation, with the setuptools and cffi of this environment: no network.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WITHOUT_C = os.environ.get("TINYGRAD_LITE_NO_C", "0") not in ("", "0")

SDIST_MEMBERS = [
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "README.md",
    "README.ko.md",
    "csrc/build_kernels.py",
    "csrc/kernels.h",
    "csrc/optimizer_loops.h",
    "csrc/dispatch.c",
    "docs/hooks.py",
    "docs/pictures/bench.png",
    "docs/tour.md",
    "mkdocs.yml",
    "pyproject.toml",
    "setup.py",
    "tests/test_packaging.py",
    "tinygrad_lite/data/digits.npz",
    "tinygrad_lite/kernels/native/library.py",
    "tinygrad_lite/py.typed",
]
WHEEL_MEMBERS = [
    "tinygrad_lite/__init__.py",
    "tinygrad_lite/data/digits.npz",
    "tinygrad_lite/kernels/native/library.py",
    "tinygrad_lite/py.typed",
]
LOCAL_STATE = [".*", "build", "dist", "*.egg-info", "__pycache__", "_kernels.*"]


def environment(**changes):
    """This process's variables, less those that steer the build, with these changes."""
    steering = {"CC", "TINYGRAD_LITE_NO_C", "TINYGRAD_LITE_BACKEND", "PYTHONPATH"}
    return {k: v for k, v in os.environ.items() if k not in steering} | changes


def build(kind, source, target, **changes):
    """Build the ``kind`` "sdist" or "wheel" of the directory ``source`` into ``target``."""
    return subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--no-isolation",
         "--outdir", target, source],
        env=environment(**changes), stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )


def the_only(directory, pattern):
    """The one file in ``directory`` that matches ``pattern``."""
    (path,) = directory.glob(pattern)
    return path


def build_wheel(sdist, directory, **changes):
    """Build a wheel into ``directory`` from a fresh copy of the sdist: no old objects."""
    source = shutil.copytree(sdist, directory / "source")
    return build("wheel", source, directory, **changes)


def wheel_of(sdist, directory, **changes):
    result = build_wheel(sdist, directory, **changes)
    assert result.returncode == 0, result.stdout + result.stderr
    return the_only(directory, "*.whl")


def run_installed(wheel, directory, code):
    """Run code that sees this wheel, unpacked, and not the checkout; what it prints."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    program = f"import sys; sys.path.insert(0, {str(directory)!r})\n{code}"
    result = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env=environment(), cwd=directory, capture_output=True, text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The directory of the unpacked source distribution, built from a copy of the checkout."""
    directory = tmp_path_factory.mktemp("sdist")
    checkout = directory / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*LOCAL_STATE))
    result = build("sdist", checkout, directory)
    assert result.returncode == 0, result.stdout + result.stderr
    with tarfile.open(the_only(directory, "*.tar.gz")) as archive:
        # Python 3.10.12 and 3.11.4 are the first with filters
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(directory / "unpacked")
    return the_only(directory / "unpacked", "tinygrad_lite-*")


@pytest.mark.parametrize("member", SDIST_MEMBERS)
def test_sdist_has(sdist, member):
    assert (sdist / member).is_file()


@pytest.mark.skipif(WITHOUT_C, reason="built without C on purpose")
def test_wheel_from_sdist_runs_in_c(sdist, tmp_path):
    wheel = wheel_of(sdist, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert set(WHEEL_MEMBERS) <= set(names)
    assert any(name.startswith("tinygrad_lite/kernels/_kernels.") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tinygrad_lite"}
    code = """
import tinygrad_lite
from tinygrad_lite import kernels
print(tinygrad_lite.__version__)
print(kernels.get_backend())
"""
    version, backend = run_installed(wheel, tmp_path / "installed", code)
    assert wheel.name.startswith(f"tinygrad_lite-{version}-")
    assert backend == "c"


def test_wheel_without_c_runs_on_numpy(sdist, tmp_path):
    """TINYGRAD_LITE_NO_C=1 needs no compiler, and the installation knows that it was meant."""
    wheel = wheel_of(sdist, tmp_path, TINYGRAD_LITE_NO_C="1", CC="/nonexistent")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not any("_kernels" in name for name in archive.namelist())
    code = """
from tinygrad_lite import kernels
print(kernels.get_backend())
print(kernels.why_not_c())
"""
    backend, reason = run_installed(wheel, tmp_path / "installed", code)
    assert backend == "numpy"
    assert "without C on purpose" in reason


@pytest.mark.skipif(sys.platform == "win32", reason="CC does not choose the compiler there")
@pytest.mark.parametrize("compiler", ["/nonexistent", "false"])
def test_build_without_compiler_says_what_to_do(sdist, tmp_path, compiler):
    """No compiler, or one that fails, as it does where Python.h is missing."""
    result = build_wheel(sdist, tmp_path, CC=compiler)
    assert result.returncode != 0
    assert not list(tmp_path.glob("*.whl"))
    output = result.stdout + result.stderr
    help_text = output[output.index("the C kernels of tinygrad_lite did not compile"):]
    for advice in (
        "Python.h",
        "apt install gcc python3-dev",
        "dnf install gcc python3-devel",
        "xcode-select --install",
        "Visual Studio Build Tools",
        "TINYGRAD_LITE_NO_C=1",
    ):
        assert advice in help_text
    assert len(help_text.splitlines()) < 20
