"""What encoders share that give a distribution over latents: a Gaussian with a diagonal covariance."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.kernels.random import Keys, normal
from genlab.methods.autoencoder import Coder
from genlab.methods.game import Labels, Networks

Latents = Float[Array, "b latent"]


@dataclass(frozen=True)
class Posterior(Coder):
    """q(z|x) = N(mean(x), diag(variance(x))), both from the encoder."""

    def posterior(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> tuple[Latents, Latents]:
        """Mean and log-variance of q(z|x)."""
        mean, log_variance = jnp.split(networks["encoder"](x, labels), 2, axis=1)
        return mean, log_variance

    def draw(self, mean: Latents, log_variance: Latents, keys: Keys) -> Latents:
        """z ~ q(z|x), one per key: the reparametrisation, Kingma and Welling (2014), eq. 4 and 10."""
        return mean + jnp.exp(log_variance / 2) * normal(keys, (self.latent,))

    def encode(self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None) -> Latents:
        return self.posterior(networks, x, labels)[0]
