"""Corruption of examples, for networks that learn to undo it."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.random import Keys, normal, uniform


@dataclass(frozen=True)
class Corruption:
    """What is done to an example."""

    kind: Literal["masking", "gaussian"] = "masking"
    """masking (a share of its numbers is destroyed) or gaussian (noise is added to all of them)."""
    level: float = 0.25
    """The share of masking, from 0 to 1; the standard deviation of gaussian, in units of the data. 0 does nothing."""

    def __post_init__(self) -> None:
        require(self.level >= 0, "level", self.level, "at least 0")
        require(self.kind == "gaussian" or self.level <= 1, "level", self.level, "at most 1 for masking")


def corrupt(
    x: Float[Array, "batch *shape"], keys: Keys, spec: Corruption, blank: float
) -> Float[Array, "batch *shape"]:
    """Each example corrupted by its own key.

    Masking (Vincent et al. 2008, section 2.3) sets a fixed number of an example's components, chosen at random without
    replacement, to `blank`: 0 there, the black of images in [0, 1], so -1 for images in [-1, 1]. Gaussian noise is that
    of Vincent et al. (2010).
    """
    if not spec.level:
        return x
    if spec.kind == "gaussian":
        return x + spec.level * normal(keys, x.shape[1:])
    order = jnp.argsort(uniform(keys, (x[0].size,)), axis=1)  # a random order of the components
    destroyed = (order < round(spec.level * x[0].size)).reshape(x.shape)
    return jnp.where(destroyed, blank, x)
