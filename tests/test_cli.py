"""The command line ``python -m tinygrad_lite``: what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_lite as tg
from tinygrad_lite import kernels
from tinygrad_lite.__main__ import main
from tinygrad_lite.commands import blas

ROOT = Path(__file__).parents[1]
C_IS_HERE = os.environ.get("TINYGRAD_LITE_NO_C", "0") in ("", "0")
needs_c = pytest.mark.skipif(not C_IS_HERE, reason="built without C on purpose")


def run(*arguments, variable=None):
    """The command in a new process, with TINYGRAD_LITE_BACKEND set to ``variable``."""
    environment = {k: v for k, v in os.environ.items() if k != kernels.VARIABLE}
    if variable is not None:
        environment[kernels.VARIABLE] = variable
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_lite", *arguments],
        env=environment, cwd=ROOT, capture_output=True, text=True,
    )


def facts_of(text):
    """The lines of ``info`` as a dict; a name ends where two spaces begin."""
    pairs = [line.split("  ", 1) for line in text.splitlines()]
    return {name: fact.strip() for name, fact in pairs}


def test_info_in_a_new_process():
    result = run("info")
    assert result.returncode == 0
    assert result.stderr == ""
    facts = facts_of(result.stdout)
    assert facts["tinygrad_lite"] == tg.__version__
    assert facts["backend"] == ("c" if C_IS_HERE else "numpy")
    assert facts["Python"].startswith("{}.{}.".format(*sys.version_info))
    assert int(facts["cores"]) >= 1
    assert int(facts["threads"]) == tg.get_num_threads()


def test_info_is_aligned(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    names = facts_of(text)
    assert {"tinygrad_lite", "backend", "C kernels", "threads", "cores", "Python", "platform",
            "NumPy", "BLAS", "cffi"} <= set(names)
    assert ("instruction set" in names) == C_IS_HERE
    column = max(map(len, names)) + 2
    for line in text.splitlines():
        assert line[column - 1] == " "
        assert line[column] != " "


@needs_c
def test_info_names_the_interface_of_the_compiled_module(capsys):
    main(["info"])
    facts = facts_of(capsys.readouterr().out)
    assert facts["C kernels"] == f"compiled, interface {kernels.body('c').ABI}"


def test_info_says_why_not_c(monkeypatch, capsys):
    monkeypatch.setattr(kernels, "why_not_c", lambda: "no C here; build it")
    main(["info"])
    facts = facts_of(capsys.readouterr().out)
    assert facts["C kernels"] == "absent: no C here; build it"
    assert "instruction set" not in facts


def test_info_as_json(capsys):
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["tinygrad_lite"] == tg.__version__
    assert facts["backend"] == tg.get_backend()
    assert facts["threads"] == tg.get_num_threads()
    assert set(facts) >= {"instruction set", "BLAS", "BLAS kernels", "BLAS threads", "advice"}
    if C_IS_HERE:
        assert facts["instruction set"] in facts["instruction sets"]


def test_info_knows_the_kernels_of_the_bundled_openblas():
    """NumPy's own wheels bring OpenBLAS, which says what it picked."""
    if "openblas" not in blas.name():
        assert blas.core_name() is None
        return
    assert blas.core_name().isalnum()
    assert blas.threads() >= 1


@pytest.mark.parametrize(("core", "has_avx512", "advised"), [
    ("Zen", True, True), ("Haswell", True, True), ("Zen", False, False),
    ("SkylakeX", True, False), (None, True, False)])
def test_advice(core, has_avx512, advised):
    text = blas.advice(core, has_avx512)
    assert (text is not None) == advised
    if advised:
        assert "OPENBLAS_CORETYPE=SKYLAKEX" in text


@pytest.mark.parametrize("name", ["numpy", "python"])
def test_info_shows_the_backend_that_the_environment_chose(name):
    facts = facts_of(run("info", variable=name).stdout)
    assert (facts["backend"], facts["chosen by"]) == (name, "TINYGRAD_LITE_BACKEND")


def test_a_wrong_backend_in_the_environment_is_no_silent_fallback():
    result = run("info", variable="cuda")
    assert result.returncode != 0
    assert result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert "TINYGRAD_LITE_BACKEND=cuda" in last
    assert "choose from c, numpy, python" in last


def test_no_command_shows_the_help():
    result = run()
    assert result.returncode == 2
    assert result.stdout == ""
    assert "usage: python -m tinygrad_lite" in result.stderr
    assert "info" in result.stderr


@pytest.mark.parametrize("arguments", [["train-me"], ["info", "--fast"], ["info", "more"]])
def test_wrong_arguments_get_one_line(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("python -m tinygrad_lite: error: ")
    assert arguments[-1] in line


@pytest.mark.parametrize("arguments", [["--help"], ["info", "--help"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: python -m tinygrad_lite")
