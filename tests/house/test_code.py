"""House rules of the code."""

import ast
from pathlib import Path

from project import ROOT, files, shown

FILE_MAX = 500
FUNCTION_MAX = 70


def code() -> list[Path]:
    return list(files(".py"))


def test_files__every_one__short_enough_to_read_in_one_go() -> None:
    long = {shown(path): lines for path in code() if (lines := len(path.read_text().splitlines())) > FILE_MAX}
    assert not long


def test_functions__every_one__fits_on_a_screen() -> None:
    long = []
    for path in code():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_MAX:
                    long.append(f"{shown(path)}:{node.lineno} {node.name} has {lines} lines")
    assert not long


def test_packages__every_one__begins_with_its_front_page() -> None:
    bare = []
    for folder in sorted({path.parent for path in (ROOT / "src").rglob("*.py")}):
        front = folder / "__init__.py"
        if not front.exists() or not ast.get_docstring(ast.parse(front.read_text())):
            bare.append(shown(front))
    assert not bare


def test_modules__every_one__says_what_it_is() -> None:
    assert not [shown(path) for path in code() if not ast.get_docstring(ast.parse(path.read_text()))]
