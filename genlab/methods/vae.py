"""The variational autoencoder of Kingma and Welling (2014), with the beta of Higgins et al. (2017) and free bits."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.random import Keys
from genlab.losses.divergence import kl_normal
from genlab.methods.variational import Annealed, Isotropic, Latents
from genlab.nn.layers import AXIS
from genlab.parts.types import Metrics, Networks, Turn


@dataclass(frozen=True)
class VAE(Isotropic, Annealed):
    """Variational autoencoder: minimises -ELBO = E_q[-log p(x|z)] + beta KL(q(z|x) || N(0, I))."""

    free_bits: float = 0.0
    """Nats of KL that every latent may use for nothing, on average over the batch; 0 charges all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.free_bits >= 0, "free_bits", self.free_bits, "at least 0")

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        labels = self.labels_of(batch)
        mean, log_variance = self.posterior(networks, batch.x, labels)
        distortion = self.distortion(networks, batch.x, self.draw(mean, log_variance, keys), labels)
        kl = kl_normal(mean, log_variance)
        loss = distortion.mean() + self.weight(turn) * self._charged(kl)
        return loss, self.bound(networks, distortion, kl.sum(1))

    def _charged(self, kl: Latents) -> Float[Array, ""]:
        """The sum over latents of max(free bits, mean KL) of Kingma et al. (2016), the mean being all devices'.

        Written as a choice, so that each device's gradient is that of its own share of the mean.
        """
        mine = kl.mean(0)
        everyone = jax.lax.pmean(jax.lax.stop_gradient(mine), AXIS)
        return jnp.where(everyone > self.free_bits, mine, self.free_bits).sum()
