"""The rooms of the house: who may import whom, how large things may grow, and what the README and CI promise."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "genlab"
MODULES = sorted(PACKAGE.rglob("*.py"))
LEAVES = {"losses", "nn", "data", "track"}
BELOW_PARTS = {"errors", "kernels"} | LEAVES
BELOW_MODEL = BELOW_PARTS | {"parts", "methods", "config"}
ALLOWED = {
    "errors": set(),
    "kernels": {"errors"},
    **{leaf: {"errors", "kernels"} for leaf in LEAVES},
    "parts": BELOW_PARTS,
    "methods": BELOW_PARTS | {"parts"},
    "config": BELOW_PARTS | {"parts", "methods"},
    "train": BELOW_MODEL,
    "model": BELOW_MODEL | {"train"},
    "cli": BELOW_MODEL | {"train"},
    "latent": BELOW_MODEL | {"train", "model"},
    "evaluate": BELOW_MODEL | {"train", "model", "cli", "latent"},
    "serve": BELOW_MODEL | {"train", "model", "cli", "evaluate", "latent"},
    "benchmark": BELOW_MODEL | {"train", "model", "cli"},
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


def test_ci_runs_the_commands_that_the_readme_begins_with():
    """As they are printed, in their order, and nothing is installed by hand before the second has ended."""
    root = PACKAGE.parent
    first, second = re.findall("```\n(pip .*)\n```", (root / "README.md").read_text())[:2]
    lines = (root / ".ci" / "run").read_text().splitlines()
    done = lines[: lines.index(second) + 1]
    assert first.endswith("train.py --config wgan_gp") and second.endswith("pytest")
    assert done.index(first) < done.index(second)
    assert {line.partition(" && ")[0] for line in done if "pip install" in line} == {
        command.partition(" && ")[0] for command in (first, second)
    }


def test_tests_import_only_what_the_test_extra_brings():
    """PyTorch is a fixture, which skips where it is not installed; nothing else that is optional is needed."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *extras["test"], *extras["explore"]]
    brought = {re.split(r"[\[<>=;]", wanted)[0] for wanted in listed}
    sources = metadata.packages_distributions()
    for path in (PACKAGE.parent / "tests").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
        for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"genlab"}:
            assert brought & set(sources.get(name, ())), f"{path.name} imports {name}"
