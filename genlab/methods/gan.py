"""Generative adversarial networks after Goodfellow et al. (2014): any loss of the field with any gradient penalty."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.penalty import Penalty, gradient_penalty
from genlab.kernels.random import Keys, fold
from genlab.losses import adversarial
from genlab.methods.adversarial import Adversarial, slope_metrics
from genlab.methods.game import Metrics, Networks, Optimizer, Player, Turn
from genlab.nn.layers import AXIS
from genlab.nn.network import Net

Scores = Float[Array, " b"]


@dataclass(frozen=True)
class GAN(Adversarial):
    """A generator against a discriminator."""

    opponent: ClassVar[str] = "discriminator"
    headline: ClassVar[tuple[str, str]] = ("discriminator/loss", "generator/loss")

    discriminator: Net = field(default_factory=Net)
    """Examples to the logit of being real."""
    discriminator_optimizer: Optimizer = field(default_factory=lambda: Optimizer(b1=0.0, b2=0.9))
    """The discriminator's optimiser."""
    loss: Literal[
        "non_saturating", "minimax", "least_squares", "hinge", "relativistic_average", "relativistic_pairing"
    ] = "non_saturating"
    """What both minimise."""
    penalty: Penalty = field(default_factory=lambda: Penalty(weight=0.0))
    """Gradient penalty of the discriminator: R1 and R2 (real, fake or both, target 0), DRAGAN ...; weight 0 is none."""
    n_discriminator: int = 1
    """Discriminator updates per generator update, each on a fresh batch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.n_discriminator >= 1, "n_discriminator", self.n_discriminator, "at least 1")
        per_example = "allowed under a gradient penalty: batch norm couples the examples of a batch; use layer or none"
        free = not self.sloped or self.discriminator.norm != "batch"
        require(free, "discriminator.norm", self.discriminator.norm, per_example)

    @property
    def sloped(self) -> tuple[str, ...]:
        return ("discriminator",) if self.penalty.weight else ()

    def players(self) -> tuple[Player, ...]:
        return self.pair(self.n_discriminator, real=self.loss.startswith("relativistic"))

    def opponent_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        fake = jax.lax.stop_gradient(self.sample(networks, fold(keys, 0)))
        scores = self._compared(self.score(networks, batch.x), self.score(networks, fake))
        loss = adversarial.LOSSES[self.loss].discriminator(*scores).mean()
        metrics = {"accuracy": adversarial.accuracy(*scores, self.loss)}
        if not self.sloped:
            return loss, metrics
        penalties, slopes = gradient_penalty(
            lambda x: self.score(networks, x), batch.x, fake, fold(keys, 1), self.penalty, turn
        )
        penalty = penalties.mean()
        return loss + penalty, metrics | {"penalty": penalty} | slope_metrics(slopes)

    def generator_loss(
        self, networks: Networks, batch: Batch | None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        fake = self.score(networks, self.sample(networks, keys))
        real = jnp.zeros_like(fake) if batch is None else self.score(networks, batch.x)  # only relativistic ones look
        return adversarial.LOSSES[self.loss].generator(*self._compared(real, fake)).mean(), {}

    def _compared(self, real: Scores, fake: Scores) -> tuple[Scores, Scores]:
        """Relativistic average: each score less the mean of the other kind, over the whole batch."""
        if self.loss != "relativistic_average":
            return real, fake
        real_mean, fake_mean = jax.lax.pmean((real.mean(), fake.mean()), AXIS)
        return real - fake_mean, fake - real_mean
