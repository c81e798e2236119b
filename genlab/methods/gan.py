"""Generative adversarial networks after Goodfellow et al. (2014): any loss of the field with any gradient penalty."""

from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least, require
from genlab.kernels.augment import Kind
from genlab.kernels.penalty import Penalty
from genlab.kernels.random import Keys, fold, normal
from genlab.losses.adversarial import LOSSES, accuracy
from genlab.methods.game import Method, Player
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.nn.network import decoder
from genlab.parts.adversarial import AUGMENT_FAKE, AUGMENT_REAL, FAKE, generator_keys, make_examples
from genlab.parts.augment import augmented, check_augment
from genlab.parts.course import Course
from genlab.parts.labels import Conditioning, outputs
from genlab.parts.optimizer import Optimizer
from genlab.parts.penalty import check_course, check_dropout, current_weight, mean_penalty, tally_shapes
from genlab.parts.pixels import squash
from genlab.parts.regularise import ANCHORS, Regularise
from genlab.parts.tally import TALLY
from genlab.parts.types import Data, Labels, Metrics, Networks, Turn

DCGAN = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999)
Scores = Float[Array, " b"]


@dataclass(frozen=True)
class GAN(Method):
    """A generator against a discriminator.

    Optimisers are by default those of DCGAN (Radford et al. 2016), since Goodfellow et al. name none.
    """

    sampling = ("generator",)
    headline = ("discriminator/loss", "generator/loss")
    monitor = "validation/sliced_wasserstein"
    normal = True

    latent: int = 64
    """Dimensions of the latent space."""
    classes: int = 0
    """Classes whose labels the networks are given, all that the data has; 0: none."""
    generator: Net = field(default_factory=Net)
    """Latents to examples."""
    discriminator: Net = field(default_factory=Net)
    """Examples to the logit of being real."""
    generator_optimizer: Optimizer = DCGAN
    """The generator's optimiser."""
    discriminator_optimizer: Optimizer = DCGAN
    """The discriminator's optimiser."""
    n_discriminator: int = 1
    """Discriminator updates per generator update, each on a fresh batch."""
    generator_batch: int = 1
    """Fake examples in the generator's update for each one of a batch."""
    loss: Literal[
        "non_saturating", "minimax", "least_squares", "hinge", "relativistic_average", "relativistic_pairing"
    ] = "non_saturating"
    """What both minimise."""
    penalty: Penalty = field(default_factory=lambda: Penalty(weight=0.0))
    """Gradient penalty of the discriminator: R1 and R2 (real, fake or both, target 0), DRAGAN ...; weight 0 is none."""
    penalty_course: Course = field(default_factory=Course)
    """How the weight of the penalty moves; outside training it is that of the end."""
    labels: Conditioning = field(default_factory=Conditioning)
    """What the discriminator does with labels."""
    augment: tuple[Kind, ...] = ()
    """What is done to all images, real and fake, before the discriminator sees them, in both players' updates
    (DiffAugment, Zhao et al. 2020), which keep their labels. Whether a penalty is of slopes by the images before or
    after it is penalty.gradient's to say."""
    regularise: Regularise = field(default_factory=Regularise)
    """What the discriminator pays besides."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "n_discriminator", "generator_batch")
        at_least(self, 0, "classes")
        self.labels.check(self.classes)
        check_course(self.penalty, self.penalty_course)
        check_dropout(self.discriminator, self.penalty)
        per_example = "allowed under a gradient penalty: batch norm couples the examples of a batch; use layer or none"
        free = not self.penalised or self.discriminator.norm != "batch"
        require(free, "discriminator.norm", self.discriminator.norm, per_example)
        single = self.generator_batch == 1 or not self._relativistic
        pairs = f"possible with {self.loss}, which sees as many fake examples as real ones"
        require(single, "generator_batch", self.generator_batch, pairs)

    @property
    def penalised(self) -> tuple[str, ...]:
        return ("discriminator",) if self.penalty.weight else ()

    @property
    def _relativistic(self) -> bool:
        return self.loss.startswith("relativistic")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        check_augment(self.augment, shape)
        return {
            "generator": decoder(self.generator, self.latent, shape, rngs, self.classes),
            "discriminator": self.labels.network(self.discriminator, shape, rngs, self.classes),
            **self.regularise.networks(shape),
        }

    def players(self) -> tuple[Player, ...]:
        """Algorithm 1: n_discriminator updates of the discriminator, then one of the generator."""
        tally = tally_shapes(self.penalty) if self.penalty.weight else {}
        owned = ("discriminator", *self.regularise.owned, *((TALLY,) if tally else ()))
        loss, plays = self.discriminator_loss, self.n_discriminator
        return (
            Player("discriminator", owned, loss, self.discriminator_optimizer, plays, tally=tally),
            Player("generator", ("generator",), self.generator_loss, self.generator_optimizer, real=self._relativistic),
        )

    def discriminator_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """The loss of its outputs, as -log D(real) - log(1 - D(fake)), and what else the discriminator pays."""
        discriminator, labels = networks["discriminator"], self.labels_of(batch)
        fake = self.sample(networks, fold(keys, FAKE), labels)
        examples = make_examples(batch.x, fake, labels, keys, self.augment)
        values, logits = outputs(discriminator, examples.real, labels)
        scores = self._compared(values, outputs(discriminator, examples.fake, labels).value)
        class_loss, metrics = self.labels.loss(logits, labels)
        loss = LOSSES[self.loss].discriminator(*scores).mean() + class_loss
        metrics |= {"accuracy": accuracy(*scores, self.loss)}
        if self.penalty.weight:
            weight = current_weight(self.penalty, self.penalty_course, turn, self.n_discriminator)
            penalty, slopes = mean_penalty(self.penalty, discriminator, examples, networks.get(TALLY), turn, weight)
            loss, metrics = loss + penalty, metrics | slopes
        cost, parts = self.regularise(discriminator, examples, networks.get(ANCHORS), turn)
        return loss + cost, metrics | parts

    def generator_loss(
        self, networks: Networks, batch: Batch | None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """The loss of what the discriminator makes of its fakes, as -log D(fake), beside real examples if relativistic.

        Its fakes share the labels of these, else labels are drawn.
        """
        discriminator, keys = networks["discriminator"], generator_keys(keys, self.generator_batch)
        labels = self.draw_labels(keys) if batch is None else self.labels_of(batch)
        fake = augmented(self.sample(networks, keys, labels), fold(keys, AUGMENT_FAKE), self.augment)
        values, logits = outputs(discriminator, fake, labels)
        real = jnp.zeros_like(values)
        if batch is not None:
            real = outputs(discriminator, augmented(batch.x, fold(keys, AUGMENT_REAL), self.augment), labels).value
        class_loss, metrics = self.labels.generator_loss(logits, labels)
        return LOSSES[self.loss].generator(*self._compared(real, values)).mean() + class_loss, metrics

    def _compared(self, real: Scores, fake: Scores) -> tuple[Scores, Scores]:
        """Relativistic average: each score less the mean of the other kind, over the whole batch."""
        if self.loss != "relativistic_average":
            return real, fake
        real_mean, fake_mean = jax.lax.pmean((real.mean(), fake.mean()), AXIS)
        return real - fake_mean, fake - real_mean

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return normal(keys, (self.latent,))

    def decode(self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None) -> Data:
        return squash(networks["generator"](z, labels))
