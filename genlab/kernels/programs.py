"""Programs as JAX traces them."""

from collections.abc import Iterator
from typing import Any


def subprograms(params: dict[str, Any]) -> Iterator[Any]:
    """The jaxprs that an equation with these parameters calls: bodies of loops, branches, derivatives."""
    for value in params.values():
        for entry in value if isinstance(value, tuple | list) else [value]:
            if hasattr(entry, "jaxpr"):
                yield entry.jaxpr
            elif hasattr(entry, "eqns"):
                yield entry
