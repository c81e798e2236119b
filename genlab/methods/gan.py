"""The generative adversarial network of Goodfellow et al. (2014), with the non-saturating generator loss."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.kernels.random import Keys
from genlab.losses.adversarial import non_saturating_discriminator, non_saturating_generator
from genlab.methods.adversarial import Adversarial
from genlab.methods.game import Metrics, Networks, Optimizer, Player, Turn
from genlab.nn.network import Net, decoder, encoder


@dataclass(frozen=True)
class GAN(Adversarial):
    """Non-saturating GAN."""

    headline: ClassVar[tuple[str, str]] = ("discriminator/loss", "generator/loss")

    discriminator: Net = field(default_factory=Net)
    """Examples to the logit of being real."""
    discriminator_optimizer: Optimizer = field(default_factory=lambda: Optimizer(b1=0.0, b2=0.9))
    """The discriminator's optimiser."""

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "generator": decoder(self.generator, self.latent, shape, rngs),
            "discriminator": encoder(self.discriminator, shape, 1, rngs),
        }

    def players(self) -> tuple[Player, ...]:
        return (
            Player("discriminator", ("discriminator",), self.discriminator_loss, self.discriminator_optimizer),
            Player("generator", ("generator",), self.generator_loss, self.generator_optimizer, real=False),
        )

    def discriminator_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        real = networks["discriminator"](batch.x)[:, 0]
        fake = networks["discriminator"](self.sample(networks, keys))[:, 0]
        accuracy = ((real > 0).mean() + (fake < 0).mean()) / 2
        return non_saturating_discriminator(real, fake).mean(), {"accuracy": jnp.asarray(accuracy)}

    def generator_loss(
        self, networks: Networks, batch: None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        fake = networks["discriminator"](self.sample(networks, keys))[:, 0]
        return non_saturating_generator(fake).mean(), {}
