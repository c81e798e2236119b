"""Points in the plane, as in the toy problems of the official WGAN-GP code (Gulrajani et al. 2017, gan_toy.py)."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from genlab.data.config import Data
from genlab.data.splits import Examples, InMemory, Source, Split
from genlab.errors import Invalid
from genlab.kernels.random import Keys, example_keys, fold, normal, uniform

DRAWS = 2000  # points in each of the fixed splits
STREAM = 0x706F696E  # keeps them apart from all that is drawn in training

SCALE = {"8gaussians": 1.414, "25gaussians": 2.828, "swissroll": 7.5}
DEVIATION = {"8gaussians": 0.02 / 1.414, "25gaussians": 0.05 / 2.828}
"""The standard deviation of a mode, in the units of the points."""


def points(kind: str, keys: Keys) -> tuple[Float[Array, "batch 2"], Int[Array, " batch"]]:
    """One point per key and the mode it was drawn from, 0 for a swissroll; `kind` is one of `config.TOYS`."""
    if kind == "swissroll":
        return _swissroll(keys), jnp.zeros(len(keys), jnp.int32)
    modes = centres(kind)
    label = (uniform(fold(keys, 0)) * len(modes)).astype(jnp.int32)
    return modes[label] + DEVIATION[kind] * normal(fold(keys, 1), (2,)), label


def centres(kind: str) -> Float[Array, "modes 2"]:
    """The modes' centres. Raises `Invalid` for a kind that has none."""
    if kind == "8gaussians":
        angle = jnp.arange(8) * jnp.pi / 4
        return 2 * jnp.stack([jnp.cos(angle), jnp.sin(angle)], 1) / SCALE[kind]
    if kind == "25gaussians":
        side = 2.0 * jnp.arange(-2, 3)
        return jnp.stack(jnp.meshgrid(side, side, indexing="ij"), -1).reshape(25, 2) / SCALE[kind]
    raise Invalid(f"data.name: points:{kind} has no modes; {', '.join(DEVIATION)} are allowed")


def _swissroll(keys: Keys) -> Float[Array, "batch 2"]:
    """scikit-learn's make_swiss_roll with noise 0.25, its first and third coordinate."""
    t = 1.5 * jnp.pi * (1 + 2 * uniform(fold(keys, 0)))
    roll = jnp.stack([t * jnp.cos(t), t * jnp.sin(t)], 1)
    return (roll + 0.25 * normal(fold(keys, 1), (2,))) / SCALE["swissroll"]


def point_splits(config: Data) -> Source:
    """Fixed draws for each split, of a stream of their own; training itself draws afresh (`feed.Points`)."""
    names = ("train", "validation", "test")
    keys = example_keys(jax.random.fold_in(jax.random.key(0), STREAM), jnp.arange(len(names) * DRAWS))
    drawn = jax.device_get(jax.jit(points, static_argnums=0)(config.place, keys))
    x, label = (np.split(part, len(names)) for part in drawn)
    splits: dict[str, Split] = {name: InMemory(Examples(*each)) for name, *each in zip(names, x, label, strict=True)}
    modes = len(centres(config.place)) if config.place in DEVIATION else 0
    return (2,), tuple(str(i) for i in range(modes)), splits
