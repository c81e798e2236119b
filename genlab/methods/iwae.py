"""The importance-weighted autoencoder of Burda et al. (2016)."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.random import Keys
from genlab.methods.variational import Isotropic
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class IWAE(Isotropic):
    """Maximises the log of the mean of k importance weights, the ELBO for k = 1 and log p(x) for k -> infinity."""

    headline: ClassVar[tuple[str, str]] = ("model/loss", "model/elbo")

    optimizer: Optimizer = field(default_factory=lambda: Optimizer(eps=1e-4))
    """The optimiser of both."""
    k: int = 5
    """Latents drawn for each example."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.k >= 1, "k", self.k, "at least 1")
        one = "0: dropout goes by an example's place in the batch, where k latents of each have none of their own"
        require(self.k == 1 or not self.decoder.dropout, "decoder.dropout", self.decoder.dropout, one)

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """Eq. 8, and its own gradient, in which every latent counts by the share of its weight."""
        weights = self.log_weights(networks, batch.x, keys, self.labels_of(batch))
        bound = jax.nn.logsumexp(weights, axis=1) - jnp.log(self.k)
        shares = jax.lax.stop_gradient(jax.nn.softmax(weights, axis=1))
        effective = 1 / jnp.square(shares).sum(1)  # Kish's effective number of samples
        return -bound.mean(), {"elbo": weights.mean(), "effective_samples": effective.mean()}

    def log_weights(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, "b k"]:
        """The log importance weights of k latents per example; each example is encoded once."""
        mean, log_variance = self.posterior(networks, x, labels)
        drawn = jax.vmap(lambda key: jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(self.k)))(keys)
        x, mean, log_variance = (jnp.repeat(a, self.k, axis=0) for a in (x, mean, log_variance))
        labels = None if labels is None else jnp.repeat(labels, self.k)
        return self.weigh(networks, x, mean, log_variance, drawn.reshape(-1), labels).reshape(-1, self.k)
