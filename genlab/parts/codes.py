"""The codes of an autoencoder, as a Gaussian to sample from."""

from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.layers import AXIS
from genlab.parts.types import Networks


class Codes(nnx.Module):
    """Running mean and second moment of the codes: a full-covariance Gaussian to sample latents from.

    Ghosh et al. (2020), "From variational to deterministic autoencoders", section 4, fit it after training; running
    averages give it at any step. Nothing is differentiated through it.
    """

    def __init__(self, latent: int, decay: float = 0.99):
        self.mean = nnx.BatchStat(jnp.zeros(latent))
        self.second = nnx.BatchStat(jnp.eye(latent))
        self.decay = decay

    def update(self, z: Float[Array, "b latent"]) -> None:
        """Move the averages towards this batch, the mean of all devices'."""
        z = jax.lax.stop_gradient(z)
        mean, second = jax.lax.pmean((z.mean(0), z.T @ z / len(z)), AXIS)
        self.mean[...] = self.decay * self.mean[...] + (1 - self.decay) * mean
        self.second[...] = self.decay * self.second[...] + (1 - self.decay) * second

    def __call__(self, noise: Float[Array, "b latent"]) -> Float[Array, "b latent"]:
        """Standard normal noise to draws from the Gaussian."""
        covariance = self.second[...] - jnp.outer(self.mean[...], self.mean[...])
        variance, axes = jnp.linalg.eigh(covariance)  # a symmetric root, which a singular covariance has too
        return self.mean[...] + noise * jnp.sqrt(jnp.maximum(variance, 0)) @ axes.T


def codes(networks: Networks) -> Codes:
    """The network "codes"."""
    return cast(Codes, networks["codes"])
