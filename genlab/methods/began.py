"""BEGAN, the boundary equilibrium GAN of Berthelot et al. (2017), whose discriminator is an autoencoder."""

from dataclasses import dataclass, field
from typing import cast

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least, require
from genlab.kernels.augment import Kind
from genlab.kernels.random import Keys, fold, normal
from genlab.methods.game import Method, Player
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder
from genlab.parts.adversarial import AUGMENT_FAKE, FAKE, generator_keys, make_examples, values
from genlab.parts.augment import augmented, check_augment
from genlab.parts.metrics import batch_mean
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.regularise import ANCHORS, Regularise
from genlab.parts.types import Data, Labels, Metrics, Networks, Number, Turn

ADAM = Optimizer(learning_rate=1e-4)


class Discriminator(nnx.Module):
    """Examples to the error with which an autoencoder rebuilds them; it holds k, the weight of the fake ones'."""

    def __init__(self, encoder: nnx.Module, decoder: nnx.Module):
        self.encoder, self.decoder = encoder, decoder
        self.k = nnx.BatchStat(jnp.zeros(()))

    def __call__(self, x: Data, labels: Labels = None) -> Float[Array, "b 1"]:
        """L(v) = |v - D(v)| (section 3.1, with eta = 1), the mean over all numbers of an example."""
        rebuilt = squash(self.decoder(self.encoder(x)))
        return jnp.abs(x - rebuilt).reshape(len(x), -1).mean(1, keepdims=True)

    def balance(self, real: Float[Array, ""], fake: Float[Array, ""], gamma: Number, rate: Number) -> Metrics:
        """Move k, so that the mean errors come to fake = gamma real (section 3.4); what there is to see of that.

        The fakes are those of the discriminator's loss, where the paper has those of the generator's: as good a draw.
        """
        k, gap = self.k[...], gamma * real - fake
        self.k[...] = jnp.clip(k + rate * gap, 0, 1)
        return {"convergence": real + jnp.abs(gap), "k": k, "real_error": real, "fake_error": fake}


@dataclass(frozen=True)
class BEGAN(Method):
    """A generator against an autoencoder, which rebuilds real examples well and fake ones badly.

    Latents are drawn from N(0, I) here, and uniformly from [-1, 1] in the paper, whose rates lie from 5e-5 to 1e-4.
    """

    sampling = ("generator",)
    headline = ("discriminator/convergence", "discriminator/k")
    monitor = "validation/sliced_wasserstein"
    normal = True

    latent: int = 64
    """Dimensions of the latent space."""
    generator: Net = field(default_factory=Net)
    """Latents to examples."""
    discriminator: Net = field(default_factory=Net)
    """The autoencoder's halves: examples to a code, and back."""
    generator_optimizer: Optimizer = ADAM
    """The generator's optimiser."""
    discriminator_optimizer: Optimizer = ADAM
    """The discriminator's optimiser."""
    generator_batch: int = 1
    """Fake examples in the generator's update for each one of a batch."""
    code: int = 64
    """Dimensions of the discriminator's code."""
    gamma: float = 0.5
    """The error of fake examples over that of real ones, at equilibrium; lower is better images of less variety."""
    k_rate: float = 1e-3
    """How fast k moves, the weight of the fake examples in the discriminator's loss (lambda_k)."""
    augment: tuple[Kind, ...] = ()
    """What is done to all images, real and fake, before the discriminator sees them, in both players' updates
    (DiffAugment, Zhao et al. 2020)."""
    regularise: Regularise = field(default_factory=Regularise)
    """What the discriminator pays besides."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "generator_batch", "code")
        require(0 <= self.gamma <= 1, "gamma", self.gamma, "in [0, 1]")
        at_least(self, 0, "k_rate")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        check_augment(self.augment, shape)
        generator = decoder(self.generator, self.latent, shape, rngs)
        halves = (
            encoder(self.discriminator, shape, self.code, rngs),
            decoder(self.discriminator, self.code, shape, rngs),
        )
        return {"generator": generator, "discriminator": Discriminator(*halves), **self.regularise.networks(shape)}

    def players(self) -> tuple[Player, ...]:
        owned = ("discriminator", *self.regularise.owned)
        return (
            Player("discriminator", owned, self.discriminator_loss, self.discriminator_optimizer),
            Player("generator", ("generator",), self.generator_loss, self.generator_optimizer, real=False),
        )

    def discriminator_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """L(x) - k L(G(z)), section 3.4, and what else the discriminator pays; k moves."""
        discriminator = cast(Discriminator, networks["discriminator"])
        examples = make_examples(batch.x, self.sample(networks, fold(keys, FAKE)), None, keys, self.augment)
        real, fake = values(discriminator, examples.real), values(discriminator, examples.fake)
        loss = (real - discriminator.k[...] * fake).mean()
        metrics = discriminator.balance(batch_mean(real), batch_mean(fake), self.gamma, self.k_rate)
        cost, parts = self.regularise(discriminator, examples, networks.get(ANCHORS), turn)
        return loss + cost, metrics | parts

    def generator_loss(
        self, networks: Networks, batch: None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """L(G(z))."""
        keys = generator_keys(keys, self.generator_batch)
        fake = augmented(self.sample(networks, keys), fold(keys, AUGMENT_FAKE), self.augment)
        return values(networks["discriminator"], fake).mean(), {}

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return normal(keys, (self.latent,))

    def decode(self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None) -> Data:
        return squash(networks["generator"](z, labels))
