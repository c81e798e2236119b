"""Divergences: between a posterior and the prior, and between two samples."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genlab.losses.reduction import example_sum


def kl_standard_normal(
    mean: Float[Array, "batch latent"], log_variance: Float[Array, "batch latent"]
) -> Float[Array, " batch"]:
    """KL(N(mean, variance) || N(0, I)) in nats per example, Kingma and Welling (2014), appendix B."""
    return 0.5 * example_sum(jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance)


def sliced_wasserstein(
    x: Float[Array, "n *shape"], y: Float[Array, "n *shape"], key: Key[Array, ""], directions: int = 256
) -> Float[Array, ""]:
    """Sliced Wasserstein-2 distance between two samples of the same size, Bonneel et al. (2015).

    The root mean square, over random directions on the sphere, of the exact one-dimensional distance, which is the
    distance between the sorted projections. In the units of x; 0 for equal samples.
    """
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    theta = jax.random.normal(key, (x.shape[1], directions))
    theta = theta / jnp.linalg.norm(theta, axis=0)
    difference = jnp.sort(x @ theta, axis=0) - jnp.sort(y @ theta, axis=0)
    return jnp.sqrt(jnp.square(difference).mean())
