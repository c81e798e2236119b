"""Wasserstein GAN with gradient penalty, Gulrajani et al. (2017), as their code has it."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.penalty import Penalty, gradient_norm, gradient_penalty
from genlab.kernels.random import Keys, fold
from genlab.losses.adversarial import wasserstein_critic, wasserstein_generator
from genlab.methods.adversarial import Adversarial, slope_metrics
from genlab.methods.game import Metrics, Networks, Optimizer, Player, Turn
from genlab.nn.network import Net, decoder, encoder


@dataclass(frozen=True)
class WGANGP(Adversarial):
    """Wasserstein GAN with gradient penalty."""

    headline: ClassVar[tuple[str, str]] = ("critic/wasserstein", "generator/loss")
    sloped: ClassVar[tuple[str, ...]] = ("critic",)

    critic: Net = field(default_factory=Net)
    """Examples to the value of the Wasserstein potential; no batch norm."""
    critic_optimizer: Optimizer = field(default_factory=lambda: Optimizer(b1=0.0, b2=0.9))
    """The critic's optimiser."""
    penalty: Penalty = field(default_factory=Penalty)
    """What keeps the critic 1-Lipschitz."""
    n_critic: int = 5
    """Critic updates per generator update, each on a fresh batch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.n_critic >= 1, "n_critic", self.n_critic, "at least 1")
        per_example = "allowed under a gradient penalty: batch norm couples the examples of a batch; use layer or none"
        require(self.critic.norm != "batch", "critic.norm", self.critic.norm, per_example)

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "generator": decoder(self.generator, self.latent, shape, rngs),
            "critic": encoder(self.critic, shape, 1, rngs),
        }

    def players(self) -> tuple[Player, ...]:
        return (
            Player("critic", ("critic",), self.critic_loss, self.critic_optimizer, plays=self.n_critic),
            Player("generator", ("generator",), self.generator_loss, self.generator_optimizer, real=False),
        )

    def critic_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Eq. 3: E[D(fake)] - E[D(real)] + penalty, one loss and so one update."""

        def critic(x: Float[Array, "b *shape"]) -> Float[Array, " b"]:
            return networks["critic"](x)[:, 0]

        def distance(x: Float[Array, "two_b *shape"]) -> Float[Array, ""]:
            real, fake = jnp.split(critic(x), 2)
            return wasserstein_critic(real, fake).mean()

        fake = jax.lax.stop_gradient(self.sample(networks, fold(keys, 0)))
        both = jnp.concatenate([batch.x, fake])  # one pass for both
        value, gradient = jax.value_and_grad(distance)(both)
        # The update takes the same gradient down to the first layer, and XLA computes it once; each example's is
        # its slope, over the batch size.
        real_slopes, fake_slopes = jnp.split(len(fake) * gradient_norm(jax.lax.stop_gradient(gradient)), 2)
        penalties, slopes = gradient_penalty(critic, batch.x, fake, fold(keys, 1), self.penalty, turn)
        penalty = penalties.mean()
        metrics = {"wasserstein": -value, "penalty": penalty}
        metrics |= slope_metrics(slopes) | slope_metrics(real_slopes, "_real") | slope_metrics(fake_slopes, "_fake")
        return value + penalty, metrics

    def generator_loss(
        self, networks: Networks, batch: None, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        fake = networks["critic"](self.sample(networks, keys))[:, 0]
        return wasserstein_generator(fake).mean(), {}
