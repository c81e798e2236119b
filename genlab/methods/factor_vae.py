"""FactorVAE (Kim and Mnih 2018): a VAE whose latents are driven apart by a discriminator of dependent from shuffled."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least
from genlab.kernels.random import Keys
from genlab.losses.adversarial import accuracy, non_saturating_discriminator
from genlab.methods.game import Encoding, Player
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.nn.network import encoder
from genlab.parts.latent_model import LatentModel, centre, draw, log_likelihood, observation
from genlab.parts.likelihood import Likelihood
from genlab.parts.objective import Objective
from genlab.parts.optimizer import Optimizer
from genlab.parts.posterior import Posterior
from genlab.parts.prior import Prior
from genlab.parts.types import Labels, Metrics, Networks, Turn

Data = Float[Array, "b *shape"]
Latents = Float[Array, "b latent"]


@dataclass(frozen=True)
class FactorVAE(Encoding):
    """Minimises -ELBO + gamma TC(q(z)); a discriminator's logit estimates the total correlation (eq. 2 and 3)."""

    headline = ("model/loss", "model/total_correlation")
    monitor = "validation/model/loss"

    latent: int = 16
    """Dimensions of the latent space."""
    encoder: Net = field(default_factory=Net)
    """Examples to what the posterior needs."""
    decoder: Net = field(default_factory=Net)
    """Latents to what the likelihood needs."""
    likelihood: Likelihood = field(default_factory=Likelihood)
    """p(x|z)."""
    prior: Prior = field(default_factory=Prior)
    """p(z)."""
    posterior: Posterior = field(default_factory=Posterior)
    """q(z|x)."""
    gamma: float = 10.0
    """Weight of the total correlation."""
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(learning_rate=1e-4))
    """The optimiser of the model."""
    discriminator: Net = field(default_factory=lambda: Net(width=1000, depth=6, activation="leaky_relu"))
    """Latents to the logit of being drawn from q(z), not from the product of its marginals."""
    discriminator_optimizer: Optimizer = field(default_factory=lambda: Optimizer(learning_rate=1e-4, b1=0.5, b2=0.9))
    """The discriminator's optimiser."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent")
        at_least(self, 0, "gamma")
        Objective().check(self.model)

    @property
    def model(self) -> LatentModel:
        """The parts together."""
        return LatentModel(self.latent, self.encoder, self.decoder, self.likelihood, self.prior, self.posterior)

    @property
    def sampling(self) -> tuple[str, ...]:
        return self.model.names

    @property
    def normal(self) -> bool:
        return self.prior.name == "normal"

    @property
    def observation(self) -> str:
        return self.likelihood.name

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return self.model.networks(shape, rngs) | {
            "discriminator": encoder(self.discriminator, (self.latent,), 1, rngs)
        }

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        centre(networks, mean)

    def players(self) -> tuple[Player, ...]:
        """Algorithm 2, each on a batch of its own."""
        return (
            Player("model", self.sampling, self.loss, self.optimizer),
            Player("discriminator", ("discriminator",), self.discriminator_loss, self.discriminator_optimizer),
        )

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """The bound, and the mean log D / (1 - D), which is the logit, of the latents that it draws (eq. 3)."""
        q, p = self.model.q(networks, batch.x), self.model.p(networks)
        loss, metrics = Objective()(q, p, lambda z: log_likelihood(networks, batch.x, z), keys, turn)
        correlation = networks["discriminator"](q.draw(keys)).mean()
        return loss + self.gamma * correlation, metrics | {
            "total_correlation": correlation,
            **observation(networks).metrics(),
        }

    def discriminator_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Draws of q(z) against those whose latents come from different examples: Algorithm 1."""
        z = jax.lax.stop_gradient(self.model.q(networks, batch.x).draw(keys))
        together = networks["discriminator"](z)[:, 0]
        apart = networks["discriminator"](shuffled(z))[:, 0]
        return non_saturating_discriminator(together, apart).mean(), {
            "accuracy": accuracy(together, apart, "non_saturating")
        }

    def draw_latents(self, networks: Networks, keys: Keys) -> Latents:
        return self.model.p(networks).draw(keys)

    def draw(self, networks: Networks, keys: Keys, labels: Labels) -> Data:
        return draw(self.likelihood, networks, self.draw_latents(networks, keys), keys)

    def encode(self, networks: Networks, x: Data, labels: Labels = None) -> Latents:
        return self.model.encode(networks, x)

    def decode(self, networks: Networks, z: Latents, labels: Labels = None) -> Data:
        return self.model.decode(networks, z)

    def log_weight(self, networks: Networks, x: Data, keys: Keys, labels: Labels = None) -> Float[Array, " b"]:
        return self.model.log_weight(networks, x, keys)

    def divergences(self, networks: Networks, x: Data, keys: Keys, labels: Labels = None) -> Latents | None:
        return self.model.divergences(networks, x)


def shuffled(z: Latents) -> Latents:
    """Latent i of the example i places further on, in the batch of all devices: where there are more examples than
    latents, no two of a row come from one example. As good as random permutations, since examples come in random order.
    """
    everyone = jax.lax.all_gather(z, AXIS, tiled=True)
    first, (n, latent) = jax.lax.axis_index(AXIS) * len(z), everyone.shape
    rows = (first + jnp.arange(len(z))[:, None] + jnp.arange(latent)) % n
    return everyone[rows, jnp.arange(latent)]
