"""Randomness per example: every draw is keyed by the global index of its example, never by its place on a device.

A batch spread over 1, 2 or 8 devices therefore sees the same noise, and adding examples never changes the others.
"""

from collections.abc import Sequence

import jax
from jaxtyping import Array, Float, Int, Key

Keys = Key[Array, " batch"]


def example_keys(key: Key[Array, ""], index: Int[Array, " batch"]) -> Keys:
    """One key per example: `fold_in(key, index_i)`."""
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, index)


def fold(keys: Keys, stream: int | Int[Array, ""]) -> Keys:
    """An independent stream of the same examples, so that two draws in one loss do not share their bits."""
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, stream)


def normal(keys: Keys, shape: Sequence[int] = ()) -> Float[Array, "batch ..."]:
    """Standard normal draws, float32, one array of `shape` per example."""
    return jax.vmap(lambda key: jax.random.normal(key, tuple(shape)))(keys)


def uniform(keys: Keys, shape: Sequence[int] = ()) -> Float[Array, "batch ..."]:
    """Draws from U[0, 1), float32, one array of `shape` per example."""
    return jax.vmap(lambda key: jax.random.uniform(key, tuple(shape)))(keys)
