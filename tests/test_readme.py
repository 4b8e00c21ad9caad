"""Every Python block of the documents runs, and shows what it says it shows.

The blocks of a file run in order and share their names, in an empty directory. A comment
``# -> text`` ends an expression whose repr must be just that text.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = "# -> "
FILES = [
    path for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    if BLOCK.search(path.read_text(encoding="utf-8"))
]


def run(block, filename, namespace):
    """Run the statements of a block; compare what a comment shows."""
    lines = block.splitlines()
    shown = 0
    for statement in ast.parse(block, filename).body:
        _, arrow, text = lines[statement.end_lineno - 1].partition(SHOWN)
        if arrow and isinstance(statement, ast.Expr):
            code = compile(ast.Expression(statement.value), filename, "eval")
            assert repr(eval(code, namespace)) == text, lines[statement.end_lineno - 1]
            shown += 1
        else:
            exec(compile(ast.Module([statement], []), filename, "exec"), namespace)
    assert shown == block.count(SHOWN), "a comment '# -> ' behind no expression"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_blocks(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = path.read_text(encoding="utf-8")
    namespace = {"__name__": path.stem}
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(1))
        run("\n" * line + match[1], str(path), namespace)  # tracebacks give the right lines


def test_the_readme_has_blocks():
    assert ROOT / "README.md" in FILES


@pytest.mark.parametrize("block", ["1 + 1  # -> 3", "x = 1  # -> 1", "1 / 0"])
def test_a_wrong_block_fails(block):
    with pytest.raises((AssertionError, ZeroDivisionError)):
        run(block, "block", {})
