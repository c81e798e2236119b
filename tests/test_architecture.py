"""The rooms of the house: who may import whom, how large things may grow, and what the README and CI promise."""

import ast
import graphlib
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
    "benchmark": BELOW_MODEL | {"train", "model", "cli"},
    "lab": BELOW_MODEL | {"train", "model", "cli", "evaluate", "latent", "benchmark"},
    "serve": BELOW_MODEL | {"train", "model", "cli", "evaluate", "latent", "lab"},
}


def room(name: str) -> str:
    return name.split(".")[1]


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of all that is imported anywhere, within functions and for type checkers too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_rooms(tree: ast.AST) -> set[str]:
    return {room(name) for name in imported(tree) if name.startswith("genlab.")}


def dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circle(package: Path) -> list[str]:
    """Modules of a package each of which imports the one before it, the first and the last the same; or none."""
    trees = {dotted(path, package): ast.parse(path.read_text()) for path in package.rglob("*.py")}

    def module(name: str) -> str:
        return name if name in trees else name.rpartition(".")[0]  # of what is imported from it

    graph = {name: {module(other) for other in imported(tree)} & trees.keys() for name, tree in trees.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def misplaced(tree: ast.AST) -> list[str]:
    """What changes an object from outside it: attributes or parts that are set on anything but `self`."""
    targets = [node for node in ast.walk(tree) if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)]
    attributes = [node for node in targets if isinstance(node, ast.Attribute) and ast.unparse(node.value) != "self"]
    parts = [node for node in targets if isinstance(node, ast.Subscript) and ast.unparse(node.slice) != "..."]
    names = [
        node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in ("setattr", "delattr", "vars")
    ]
    return [ast.unparse(node) for node in (*attributes, *parts, *names)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_to_its_room(path):
    tree = ast.parse(path.read_text())
    home = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if home != "__init__":
        imported = imported_rooms(tree) - {home}
        assert imported <= ALLOWED[home], f"{home} must not import {imported - ALLOWED[home]}"
    assert ast.get_docstring(tree), "says what it is for"
    assert len(path.read_text().splitlines()) <= 400
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 75, f"{node.name} is too long"


def test_no_module_imports_itself_by_way_of_others():
    assert not circle(PACKAGE)


@pytest.mark.parametrize(
    "importing",
    [
        "from pack.b import f",
        "import pack.b",
        "from pack import b",
        "if TYPE_CHECKING:\n    from pack.b import f",
        "def g():\n    from pack.b import f",
    ],
)
def test_a_circle_is_found(tmp_path, importing):
    package = tmp_path / "pack"
    package.mkdir()
    for name, source in (("__init__", ""), ("a", importing), ("b", "import pack.c"), ("c", "")):
        (package / f"{name}.py").write_text(source)
    assert not circle(package)
    (package / "c.py").write_text("from pack.a import g")
    assert set(circle(package)) == {"pack.a", "pack.b", "pack.c"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_needed_is_passed_as_an_argument(path):
    assert not {name for name in imported(ast.parse(path.read_text())) if name.startswith("contextvars")}


@pytest.mark.parametrize("path", sorted((PACKAGE / "nn").glob("*.py")), ids=lambda path: path.stem)
def test_networks_are_right_when_they_are_built(path):
    """Nothing puts a module into a network that is there; only arrays are written, `bias[...] = `."""
    assert not misplaced(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "change",
    ["network.output = other", "layers[0] = other", "setattr(network, name, other)", "del a.b", "self.a.b = c"],
)
def test_a_module_that_is_replaced_is_found(change):
    assert misplaced(ast.parse(change))
    assert not misplaced(ast.parse("self.output = other\nself.bias[...] = x\nbias[...] += 1\nself.a, self.b = c"))


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
    listed = [
        *project["dependencies"],
        *(name for extra in ("test", "explore", "search", "slurm") for name in extras[extra]),
    ]
    brought = {re.split(r"[\[<>=;]", wanted)[0] for wanted in listed}
    sources = metadata.packages_distributions()
    for path in (PACKAGE.parent / "tests").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
        for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"genlab"}:
            assert brought & set(sources.get(name, ())), f"{path.name} imports {name}"
