"""The rooms of the house: who may import whom, and how large things may grow."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "genlab"
MODULES = sorted(PACKAGE.rglob("*.py"))
LEAVES = {"losses", "nn", "data", "track"}
ALLOWED = {
    "errors": set(),
    "kernels": {"errors"},
    **{leaf: {"errors", "kernels"} for leaf in LEAVES},
    "methods": {"errors", "kernels", *LEAVES},
    "train": {"errors", "kernels", *LEAVES, "methods"},
    "evaluate": {"errors", "kernels", *LEAVES, "methods", "train", "latent"},
    "latent": {"errors", "kernels", *LEAVES, "methods", "train"},
    "serve": {"errors", "kernels", *LEAVES, "methods", "train", "evaluate", "latent"},
    "benchmark": {"errors", "kernels", *LEAVES, "methods", "train"},
}


def room(name: str) -> str:
    return name.split(".")[1]


def imported_rooms(tree: ast.AST) -> set[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = node.module == "genlab"
            names += [f"genlab.{alias.name}" for alias in node.names] if whole else [node.module or ""]
    return {room(name) for name in names if name.startswith("genlab.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_to_its_room(path):
    tree = ast.parse(path.read_text())
    home = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if home != "__init__":
        foreign = imported_rooms(tree) - {home}
        assert foreign <= ALLOWED[home], f"{home} must not import {foreign - ALLOWED[home]}"
    assert ast.get_docstring(tree), "says what it is for"
    assert len(path.read_text().splitlines()) <= 400
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 75, f"{node.name} is too long"


def test_scripts_are_thin():
    for path in (PACKAGE.parent / "scripts").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 60, path.name
