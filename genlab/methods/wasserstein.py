"""What Wasserstein GANs share: a critic whose values estimate the distance, however it is kept from being too steep."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.kernels.penalty import gradient_norm
from genlab.losses.adversarial import wasserstein_critic, wasserstein_generator
from genlab.methods.adversarial import slope_metrics
from genlab.methods.labelled import Data, Labelled
from genlab.nn.network import Net
from genlab.parts.optimizer import Optimizer
from genlab.parts.types import Labels, Metrics, Networks


@dataclass(frozen=True)
class Wasserstein(Labelled):
    """A generator against a critic."""

    opponent: ClassVar[str] = "critic"
    headline: ClassVar[tuple[str, str]] = ("critic/wasserstein", "generator/loss")

    critic: Net = field(default_factory=Net)
    """Examples to the value of the Wasserstein potential."""
    critic_optimizer: Optimizer = field(default_factory=Optimizer)
    """The critic's optimiser."""
    n_critic: int = 5
    """Critic updates per generator update, each on a fresh batch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.n_critic >= 1, "n_critic", self.n_critic, "at least 1")
        per_example = "allowed in a critic, whose slopes are those of single examples: use layer or none"
        require(self.critic.norm != "batch", "critic.norm", self.critic.norm, per_example)

    def distance(
        self, networks: Networks, real: Data, fake: Data, labels: Labels = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """E[D(fake)] - E[D(real)], and what guessing the real ones' classes costs if the critic does, to be minimised.

        As metrics, the negative of the first and the slopes at both kinds of points, which share their labels.
        """
        twice = None if labels is None else jnp.concatenate([labels, labels])

        def apart(x: Float[Array, "two_b *shape"]) -> tuple[Float[Array, ""], Float[Array, "b classes"]]:
            values, logits = self.judged(networks, x, twice)
            real, fake = jnp.split(values, 2)
            return wasserstein_critic(real, fake).mean(), logits[: len(real)]

        both = jnp.concatenate([real, fake])
        (value, logits), gradient = jax.value_and_grad(apart, has_aux=True)(both)  # one pass for both
        # The update takes the same gradient down to the first layer, and XLA computes it once; each example's is
        # its slope, over the batch size.
        slopes = jnp.split(len(fake) * gradient_norm(jax.lax.stop_gradient(gradient)), 2)
        loss, metrics = self.classified(value, logits, labels, self.class_weight)
        metrics |= {"wasserstein": -value}
        return loss, metrics | slope_metrics(slopes[0], "_real") | slope_metrics(slopes[1], "_fake")

    def deceive(
        self, networks: Networks, real: Data | None, fake: Data, labels: Labels
    ) -> tuple[Float[Array, ""], Metrics]:
        values, logits = self.judged(networks, fake, labels)
        return self.classified(wasserstein_generator(values).mean(), logits, labels, self.generator_class_weight)
