"""Gradient penalties: how steep a critic is, and what a slope that is not the wanted one costs."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.kernels.random import Keys, uniform

Critic = Callable[[Float[Array, "batch ..."]], Float[Array, " batch"]]


@dataclass(frozen=True)
class Penalty:
    """A gradient penalty; the defaults are those of WGAN-GP (Gulrajani et al. 2017, Algorithm 1)."""

    weight: float = 10.0
    """factor of the penalty in the critic's loss (lambda)"""
    target: float = 1.0
    """slope that costs nothing"""


def norm(x: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    """Euclidean norm over ALL axes but the first; its gradient at zero is zero, and no epsilon bends it elsewhere."""
    squared = jnp.sum(jnp.square(x.astype(jnp.float32)), axis=tuple(range(1, x.ndim)))
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def slopes(critic: Critic, x: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    """Norm of the input gradient of each example's score."""
    return norm(jax.grad(lambda x: jnp.sum(critic(x)))(x))


def interpolate(
    real: Float[Array, "batch ..."], fake: Float[Array, "batch ..."], keys: Keys
) -> Float[Array, "batch ..."]:
    """`x_hat = epsilon real + (1 - epsilon) fake` with ONE epsilon per example from U[0, 1) (Algorithm 1, line 6)."""
    epsilon = uniform(keys).reshape((-1,) + (1,) * (real.ndim - 1)).astype(real.dtype)
    return epsilon * real + (1 - epsilon) * fake


def gradient_penalty(
    critic: Critic,
    real: Float[Array, "batch ..."],
    fake: Float[Array, "batch ..."],
    keys: Keys,
    spec: Penalty,
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """Penalty of each example, weighted and unreduced, and the slopes it was computed from."""
    slope = slopes(critic, interpolate(real, fake, keys))
    return spec.weight * jnp.square(slope - spec.target), slope
