"""One file per algorithm; a file's name is its method's name in a run's config.json."""

import importlib
import pkgutil

from genlab.errors import require
from genlab.methods.game import Method


def find(name: str) -> type[Method]:
    """The final method class defined in `genlab/methods/<name>.py`.

    Raises:
        Invalid: there is no such file, or no method in it.
    """
    known = sorted(m.name for m in pkgutil.iter_modules(__path__))
    require(name in known, "method.name", name, f"one of {', '.join(known)}")
    module = importlib.import_module(f"{__name__}.{name}")
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Method)]
    found = [kind for kind in classes if kind.__module__ == module.__name__]
    require(len(found) == 1, "method.name", name, "a file with exactly one method")
    return found[0]


def name_of(method: Method) -> str:
    """The name under which `find` returns this method's class."""
    return type(method).__module__.rpartition(".")[2]
