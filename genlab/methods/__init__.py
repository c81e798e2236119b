"""One file per algorithm; a file's name is its method's name in a run's config.json."""

import importlib
import inspect
import pkgutil

from genlab.errors import require
from genlab.methods.game import Method


def find(name: str) -> type[Method]:
    """The final method class defined in `genlab/methods/<name>.py`.

    Raises:
        Invalid: there is no such file, or no method in it.
    """
    known = names()
    require(name in known, "method.name", name, f"one of {', '.join(known)}")
    return _defined(name)[0]


def names() -> list[str]:
    """Every method's name; the other files hold what several share."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if _defined(module.name))


def name_of(method: Method) -> str:
    """The name under which `find` returns this method's class."""
    return type(method).__module__.rpartition(".")[2]


def _defined(name: str) -> list[type[Method]]:
    module = importlib.import_module(f"{__name__}.{name}")
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Method)]
    return [kind for kind in classes if kind.__module__ == module.__name__ and not inspect.isabstract(kind)]
