"""BEGAN, the boundary equilibrium GAN of Berthelot et al. (2017), whose discriminator is an autoencoder."""

from dataclasses import dataclass, field
from typing import ClassVar, cast

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.methods.adversarial import Adversarial
from genlab.methods.game import Player
from genlab.methods.regularise import Data
from genlab.nn.network import Net, decoder, encoder
from genlab.parts.metrics import batch_mean
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.types import Labels, Metrics, Networks


class Judge(nnx.Module):
    """Examples to the error with which an autoencoder rebuilds them; it holds k, the weight of the fake ones'."""

    def __init__(self, encoder: nnx.Module, decoder: nnx.Module):
        self.encoder, self.decoder = encoder, decoder
        self.k = nnx.BatchStat(jnp.zeros(()))

    def __call__(self, x: Float[Array, "b *shape"], labels: Labels = None) -> Float[Array, "b 1"]:
        """L(v) = |v - D(v)| (section 3.1, with eta = 1), the mean over all numbers of an example."""
        rebuilt = squash(self.decoder(self.encoder(x)))
        return jnp.abs(x - rebuilt).reshape(len(x), -1).mean(1, keepdims=True)

    def balance(self, real: Float[Array, ""], fake: Float[Array, ""], gamma: float, rate: float) -> Metrics:
        """Move k, so that the mean errors come to fake = gamma real (section 3.4); what there is to see of that.

        The fakes are those of the discriminator's loss, where the paper has those of the generator's: as good a draw.
        """
        k, gap = self.k[...], gamma * real - fake
        self.k[...] = jnp.clip(k + rate * gap, 0, 1)
        return {"convergence": real + jnp.abs(gap), "k": k, "real_error": real, "fake_error": fake}


@dataclass(frozen=True)
class BEGAN(Adversarial):
    """A generator against an autoencoder, which rebuilds real examples well and fake ones badly.

    Latents are drawn from N(0, I) here, and uniformly from [-1, 1] in the paper, whose rates lie from 5e-5 to 1e-4.
    """

    opponent: ClassVar[str] = "discriminator"
    headline: ClassVar[tuple[str, str]] = ("discriminator/convergence", "discriminator/k")

    discriminator: Net = field(default_factory=Net)
    """The autoencoder's halves: examples to a code, and back."""
    generator_optimizer: Optimizer = field(default_factory=lambda: Optimizer(learning_rate=1e-4))
    """The generator's optimiser."""
    discriminator_optimizer: Optimizer = field(default_factory=lambda: Optimizer(learning_rate=1e-4))
    """The discriminator's optimiser."""
    code: int = 64
    """Dimensions of the discriminator's code."""
    gamma: float = 0.5
    """The error of fake examples over that of real ones, at equilibrium; lower is better images of less variety."""
    k_rate: float = 1e-3
    """How fast k moves, the weight of the fake examples in the discriminator's loss (lambda_k)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.code >= 1, "code", self.code, "at least 1")
        require(0 <= self.gamma <= 1, "gamma", self.gamma, "in [0, 1]")
        require(self.k_rate >= 0, "k_rate", self.k_rate, "at least 0")

    def make_opponent(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> nnx.Module:
        net = self.discriminator
        return Judge(encoder(net, shape, self.code, rngs), decoder(net, self.code, shape, rngs))

    def players(self) -> tuple[Player, ...]:
        return self.pair(1)

    def judge(self, networks: Networks, real: Data, fake: Data, labels: Labels) -> tuple[Float[Array, ""], Metrics]:
        """L(x) - k L(G(z)), section 3.4."""
        judge = cast(Judge, networks["discriminator"])
        of_real, of_fake = self.score(networks, real), self.score(networks, fake)
        loss = (of_real - judge.k[...] * of_fake).mean()
        return loss, judge.balance(batch_mean(of_real), batch_mean(of_fake), self.gamma, self.k_rate)

    def deceive(
        self, networks: Networks, real: Data | None, fake: Data, labels: Labels
    ) -> tuple[Float[Array, ""], Metrics]:
        """L(G(z))."""
        return self.score(networks, fake).mean(), {}
