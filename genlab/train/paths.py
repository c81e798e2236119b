"""Parts of networks by path: "encoder", or "encoder/layers/layers/0", is all that lies there or below."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from jaxtyping import PyTree

from genlab.errors import Invalid


def below(path: str, parts: tuple[str, ...]) -> bool:
    """Whether `path` is, or lies in, one of the parts."""
    return any(path == part or path.startswith(f"{part}/") for part in parts)


def leaves(tree: PyTree, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested dicts, with its path."""
    if not isinstance(tree, dict):
        yield path, tree
        return
    for name, branch in tree.items():
        yield from leaves(branch, _join(path, name))


def prune(tree: PyTree, keep: Callable[[str], bool], path: str = "") -> PyTree:
    """Nested dicts without the leaves whose path is not to be kept."""
    if not isinstance(tree, dict):
        return tree
    at = {name: _join(path, name) for name in tree}
    return {name: prune(x, keep, at[name]) for name, x in tree.items() if isinstance(x, dict) or keep(at[name])}


def graft(tree: PyTree, part: PyTree) -> PyTree:
    """`tree` with the leaves of `part` in place of those that have the same paths."""
    new = dict(leaves(part))

    def grafted(branch: PyTree, path: str) -> PyTree:
        if not isinstance(branch, dict):
            return new.get(path, branch)
        return {name: grafted(x, _join(path, name)) for name, x in branch.items()}

    return grafted(tree, "")


def check(part: str, known: Collection[str], field: str, where: str) -> None:
    """That some of the `known` paths is, or lies below, `part`.

    Raises:
        Invalid: there is none; the message lists what there is beside it.
    """
    if any(below(path, (part,)) for path in known):
        return
    parent = part
    while parent and not any(below(path, (parent,)) for path in known):
        parent = parent.rpartition("/")[0]
    inside = [path.removeprefix(parent).strip("/") for path in known if not parent or below(path, (parent,))]
    beside = sorted({_join(parent, path.split("/")[0]).strip("/") for path in inside})
    raise Invalid(f"{field}: {part!r} is not {where}; there {'are' if beside[1:] else 'is'} {', '.join(beside)}")


def _join(path: str, name: Any) -> str:
    return f"{path}/{name}" if path else str(name)
