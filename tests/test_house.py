"""The house rules: who may import whom, and how large the core may grow."""

import ast
import io
import sys
import tokenize
from pathlib import Path

import pytest

import tinygrad_lite as tg

PACKAGE = Path(tg.__file__).parent
CORE = ["engine", "ops", "value", "tensor"]
EXAMPLES = Path(__file__).parents[1] / "examples"
EXPERIMENTS = ["optimizer_paths", "gd_vs_sgd", "loss_shapes", "initial_values",
               "vanishing_gradients", "learning_rate", "compare_optimizers"]

# What a room may import of the package; a room not named here may import anything but the
# package itself. `kernels` stands for all of its files, as do `optim` and `nn`.
MAY_IMPORT = {
    "engine": set(),
    "rng": {"engine"},
    "kernels": {"kernels"},
    "later": set(),
    "ops": {"engine", "kernels"},
    "functions": {"engine", "ops"},
    "fused": {"fused", "engine", "kernels", "ops", "rng"},
    "value": {"engine", "ops"},
    "tensor": {"engine", "functions", "ops"},
    "checkpoint": {"checkpoint", "engine", "rng"},
    "creation": {"engine", "rng", "tensor"},
    "gradcheck": {"engine", "tensor"},
    "passes": {"engine", "kernels", "ops", "value"},
    "optim": {"optim", "later", "kernels", "engine", "passes", "value", "tensor"},
    "nn": {"nn", "engine", "ops", "functions", "fused", "rng", "value", "tensor", "creation",
           "passes"},
    "data": {"data", "engine", "later", "rng", "tensor"},
    "drawing": {"drawing", "engine", "nn", "tensor", "value"},
    "tables": set(),
    "evaluation": {"engine", "nn", "tensor"},
    "plot": {"plot", "evaluation", "value"},
    "programs": {"programs", "engine", "fused", "kernels", "nn", "ops", "optim", "tensor",
                 "value"},
    "summaries": {"engine", "evaluation", "nn", "rng", "tables"},
    "training": {"training", "engine", "evaluation", "nn", "optim", "passes", "plot", "tables",
                 "value"},
}

# Of the packages that are not in the standard library, these may be imported at the top.
AT_THE_TOP = {"numpy"}
NATIVE = {"cffi", "_cffi_backend"}  # by kernels only


def files():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    """The first part of a module's name inside the package: ops, kernels, nn, ..."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path, everywhere=True):
    """The absolute names of all modules that a file imports; or those at its top only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    home = ("tinygrad_lite", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = home[:len(home) - node.level + 1] + tuple((node.module or "").split("."))
            start = ".".join(part for part in base if part)
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def rooms_imported_by(path):
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "tinygrad_lite":
            yield parts[1] if len(parts) > 1 else "__init__"


def test_the_engine_imports_the_standard_library_only():
    names = {name.split(".")[0] for name in imports_of(PACKAGE / "engine.py")}
    assert names
    assert names <= sys.stdlib_module_names


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path):
    room = room_of(path)
    imported = set(rooms_imported_by(path))
    if room in MAY_IMPORT:
        assert imported <= MAY_IMPORT[room]
    elif room not in ("__init__", "__main__"):
        assert "__init__" not in imported


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_optional_packages_are_imported_where_they_are_used(path):
    outside = {name.split(".")[0] for name in imports_of(path, everywhere=False)}
    outside -= {*sys.stdlib_module_names, "tinygrad_lite"}
    allowed = AT_THE_TOP | NATIVE if room_of(path) == "kernels" else AT_THE_TOP
    assert outside <= allowed


def code_lines(path):
    """How many lines hold code: no blank lines, comments or docstrings."""
    source = path.read_text(encoding="utf-8")
    lines = set()
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT,
               tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) \
                and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def test_code_lines_are_counted_right(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text('"""Doc\nstring."""\n\n# comment\nx = [1,\n     2]  # more\n\n\n'
                    'def f():\n    """Doc."""\n    return """two\nlines"""\n')
    assert code_lines(path) == 5


def test_the_core_is_read_in_an_evening():
    lines = {name: code_lines(PACKAGE / f"{name}.py") for name in CORE}
    assert sum(lines.values()) <= 1400, lines


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_read_in_one_sitting(name):
    assert code_lines(EXAMPLES / f"{name}.py") <= 120


def test_every_module_says_what_it_is():
    for path in files():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
