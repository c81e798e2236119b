"""What variational autoencoders share that have one layer of latents and a likelihood: importance weights."""

import abc
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.kernels.random import Keys
from genlab.losses.reconstruction import gaussian
from genlab.methods.game import Labels, Metrics, Networks, Player, Turn
from genlab.methods.posterior import Latents, Posterior
from genlab.methods.probabilistic import Probabilistic


@dataclass(frozen=True)
class Variational(Probabilistic, Posterior):
    """p(x|z) by the decoder, q(z|x) by the encoder, and some p(z)."""

    headline: ClassVar[tuple[str, str]] = ("model/loss", "model/kl")

    @abc.abstractmethod
    def log_prior(self, networks: Networks, z: Latents) -> Float[Array, " b"]:
        """log p(z) in nats."""

    @abc.abstractmethod
    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """What is minimised, over all networks together."""

    def players(self) -> tuple[Player, ...]:
        return (Player("model", self.sampling, self.loss, self.optimizer),)

    def weigh(
        self,
        networks: Networks,
        x: Float[Array, "b *shape"],
        mean: Latents,
        log_variance: Latents,
        keys: Keys,
        labels: Labels = None,
    ) -> Float[Array, " b"]:
        """log p(x, z) - log q(z|x) of one z ~ q(z|x) per key, from the posterior's mean and log-variance."""
        z = self.draw(mean, log_variance, keys)
        return self.log_prior(networks, z) - self.distortion(networks, x, z, labels) + gaussian(z, mean, log_variance)

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        return self.weigh(networks, x, *self.posterior(networks, x, labels), keys, labels)

    def decode(self, networks: Networks, z: Latents, labels: Labels = None) -> Float[Array, "b *shape"]:
        return self.mean(networks, z, labels)
