"""The variational autoencoder of Kingma and Welling (2014), with the beta of Higgins et al. (2017)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.random import Keys, normal
from genlab.losses.divergence import kl_standard_normal
from genlab.losses.reconstruction import bernoulli, gaussian, log_normal
from genlab.methods.autoencoder import Autoencoder
from genlab.methods.game import Likelihood, Metrics, Networks, Player, Turn, squash
from genlab.nn.network import decoder, encoder


@dataclass(frozen=True)
class VAE(Autoencoder, Likelihood):
    """Variational autoencoder: minimises -ELBO = E_q[-log p(x|z)] + beta KL(q(z|x) || N(0, I))."""

    sampling: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    headline: ClassVar[tuple[str, str]] = ("model/loss", "model/kl")

    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """bernoulli (pixels as probabilities in [0, 1]; images only) or gaussian with a fixed scale."""
    scale: float = 0.1
    """Standard deviation of the gaussian likelihood, in units of the data (images: [-1, 1])."""
    beta: float = 1.0
    """Weight of the KL term; 1 is the ELBO."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.scale > 0, "scale", self.scale, "above 0")
        require(self.beta >= 0, "beta", self.beta, "at least 0")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        fits = len(shape) == 3 or self.likelihood == "gaussian"
        require(fits, "method.likelihood", self.likelihood, "for points: use gaussian")
        return {
            "encoder": encoder(self.encoder, shape, 2 * self.latent, rngs),
            "decoder": decoder(self.decoder, self.latent, shape, rngs),
        }

    def players(self) -> tuple[Player, ...]:
        return (Player("model", ("encoder", "decoder"), self.loss, self.optimizer),)

    def posterior(
        self, networks: Networks, x: Float[Array, "b *shape"]
    ) -> tuple[Float[Array, "b latent"], Float[Array, "b latent"]]:
        """Mean and log-variance of q(z|x)."""
        mean, log_variance = jnp.split(networks["encoder"](x), 2, axis=1)
        return mean, log_variance

    def distortion(
        self, networks: Networks, x: Float[Array, "b *shape"], z: Float[Array, "b latent"]
    ) -> Float[Array, " b"]:
        """-log p(x|z) in nats per example."""
        output = networks["decoder"](z)
        if self.likelihood == "bernoulli":
            return bernoulli((x + 1) / 2, output)
        return gaussian(x, squash(output), self.scale)

    def _draw(
        self, mean: Float[Array, "b latent"], log_variance: Float[Array, "b latent"], keys: Keys
    ) -> Float[Array, "b latent"]:
        return mean + jnp.exp(log_variance / 2) * normal(keys, (self.latent,))  # the reparametrisation, eq. 4 and 10

    def log_weight(self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys) -> Float[Array, " b"]:
        mean, log_variance = self.posterior(networks, x)
        z = self._draw(mean, log_variance, keys)
        zero = jnp.zeros_like(z)
        prior, posterior = log_normal(z, zero, zero), log_normal(z, mean, log_variance)
        return prior - self.distortion(networks, x, z) - posterior

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        mean, log_variance = self.posterior(networks, batch.x)
        z = self._draw(mean, log_variance, keys)
        distortion = self.distortion(networks, batch.x, z).mean()
        kl = kl_standard_normal(mean, log_variance).mean()
        return distortion + self.beta * kl, {"distortion": distortion, "kl": kl, "elbo": -distortion - kl}

    def encode(self, networks: Networks, x: Float[Array, "b *shape"]) -> Float[Array, "b latent"]:
        return self.posterior(networks, x)[0]

    def decode(self, networks: Networks, z: Float[Array, "b latent"]) -> Float[Array, "b *shape"]:
        """The mean of p(x|z)."""
        output = networks["decoder"](z)
        return 2 * jax.nn.sigmoid(output) - 1 if self.likelihood == "bernoulli" else squash(output)
