"""What the numbers of images and points mean."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def squash(x: Float[Array, "b *shape"]) -> Float[Array, "b *shape"]:
    """A network's output to data: tanh for images, which lie in [-1, 1]; points are unbounded."""
    return jnp.tanh(x) if x.ndim == 4 else x


def log_odds(mean: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log p / (1 - p) of pixels, from their means in [-1, 1]: they are white, 1, with probability p, else black, -1.

    No p is nearer to 0 or 1 than 0.001, as in the official IWAE code; else that of an ever black pixel is infinite.
    """
    p = jnp.clip((mean + 1) / 2, 0.001, 0.999)
    return jnp.log(p) - jnp.log1p(-p)


def blank(x: Float[Array, "b *shape"]) -> float:
    """What stands for nothing: black in images, which lie in [-1, 1]; 0 elsewhere."""
    return -1.0 if x.ndim == 4 else 0.0
