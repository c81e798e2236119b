"""Generative adversarial networks after Goodfellow et al. (2014): any loss of the field with any gradient penalty."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.penalty import Penalty
from genlab.losses import adversarial
from genlab.methods.adversarial import check_dropout
from genlab.methods.game import Player
from genlab.methods.labelled import Data, Labelled
from genlab.nn.layers import AXIS
from genlab.nn.network import Net
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks

Scores = Float[Array, " b"]
DCGAN = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999)


@dataclass(frozen=True)
class GAN(Labelled):
    """A generator against a discriminator.

    Optimisers are by default those of DCGAN (Radford et al. 2016), since Goodfellow et al. name none.
    """

    opponent: ClassVar[str] = "discriminator"
    headline: ClassVar[tuple[str, str]] = ("discriminator/loss", "generator/loss")

    discriminator: Net = field(default_factory=Net)
    """Examples to the logit of being real."""
    generator_optimizer: Optimizer = DCGAN
    """The generator's optimiser."""
    discriminator_optimizer: Optimizer = DCGAN
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
        free = not self.penalised or self.discriminator.norm != "batch"
        require(free, "discriminator.norm", self.discriminator.norm, per_example)
        check_dropout(self.discriminator, self.penalty)
        single = self.generator_batch == 1 or not self._relativistic
        pairs = f"possible with {self.loss}, which sees as many fake examples as real ones"
        require(single, "generator_batch", self.generator_batch, pairs)

    @property
    def _relativistic(self) -> bool:
        return self.loss.startswith("relativistic")

    @property
    def charged(self) -> Penalty | None:
        return self.penalty if self.penalty.weight else None

    def players(self) -> tuple[Player, ...]:
        return self.pair(self.n_discriminator, real=self._relativistic)

    def judge(self, networks: Networks, real: Data, fake: Data, labels: Labels) -> tuple[Float[Array, ""], Metrics]:
        values, logits = self.judged(networks, real, labels)
        scores = self._compared(values, self.score(networks, fake, labels))
        loss = adversarial.LOSSES[self.loss].discriminator(*scores).mean()
        loss, metrics = self.classified(loss, logits, labels, self.class_weight)
        return loss, metrics | {"accuracy": adversarial.accuracy(*scores, self.loss)}

    def deceive(
        self, networks: Networks, real: Data | None, fake: Data, labels: Labels
    ) -> tuple[Float[Array, ""], Metrics]:
        values, logits = self.judged(networks, fake, labels)
        others = jnp.zeros_like(values) if real is None else self.score(networks, real, labels)  # for relativistic ones
        loss = adversarial.LOSSES[self.loss].generator(*self._compared(others, values)).mean()
        return self.classified(loss, logits, labels, self.generator_class_weight)

    def _compared(self, real: Scores, fake: Scores) -> tuple[Scores, Scores]:
        """Relativistic average: each score less the mean of the other kind, over the whole batch."""
        if self.loss != "relativistic_average":
            return real, fake
        real_mean, fake_mean = jax.lax.pmean((real.mean(), fake.mean()), AXIS)
        return real - fake_mean, fake - real_mean
