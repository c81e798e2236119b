"""genlab: autoencoders, VAEs, GANs and WGAN-GP in JAX; small enough to read, exact enough to trust."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genlab.model import load as load


def __getattr__(name: str) -> Any:
    """`genlab.load`, imported where it is used, so that `import genlab` costs nothing."""
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from genlab.model import load

    return load
