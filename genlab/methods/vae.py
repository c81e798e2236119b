"""Variational autoencoders: Kingma and Welling (2014), of any likelihood, prior, posterior and objective."""

from dataclasses import dataclass, field

from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least
from genlab.kernels.random import Keys
from genlab.methods.game import Encoding, Player
from genlab.nn.net import Net
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
class VAE(Encoding):
    """Variational autoencoder: minimises -ELBO = E_q[-log p(x|z)] + KL(q(z|x) || p(z)), or another objective.

    With classes everything is given the class, and what is bounded is log p(x|y).
    """

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
    objective: Objective = field(default_factory=Objective)
    """What is minimised."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of all networks."""
    classes: int = 0
    """Classes whose labels the networks are given, all that the data has; 0: none."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent")
        at_least(self, 0, "classes")
        self.objective.check(self.model)

    @property
    def model(self) -> LatentModel:
        """The parts together."""
        return LatentModel(
            self.latent, self.encoder, self.decoder, self.likelihood, self.prior, self.posterior, self.classes
        )

    @property
    def sampling(self) -> tuple[str, ...]:
        return self.model.names

    @property
    def headline(self) -> tuple[str, str]:
        return "model/loss", "model/elbo" if self.objective.name == "iwae" else "model/kl"

    @property
    def normal(self) -> bool:
        return self.prior.name == "normal"

    @property
    def observation(self) -> str:
        return self.likelihood.name

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return self.model.networks(shape, rngs)

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        centre(networks, mean)

    def players(self) -> tuple[Player, ...]:
        return (Player("model", self.sampling, self.loss, self.optimizer),)

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """Of the batch's posteriors, the prior, and the likelihood of what is drawn."""
        model, labels = self.model, self.labels_of(batch)

        def of_latents(z: Latents) -> Float[Array, " b"]:
            return log_likelihood(networks, batch.x, z, labels)

        q, p = model.q(networks, batch.x, labels), model.p(networks)
        loss, metrics = self.objective(q, p, of_latents, keys, turn)
        return loss, metrics | observation(networks).metrics()

    def draw_latents(self, networks: Networks, keys: Keys) -> Latents:
        return self.model.p(networks).draw(keys)

    def draw(self, networks: Networks, keys: Keys, labels: Labels) -> Data:
        return draw(self.likelihood, networks, self.draw_latents(networks, keys), keys, labels)

    def encode(self, networks: Networks, x: Data, labels: Labels = None) -> Latents:
        return self.model.encode(networks, x, labels)

    def decode(self, networks: Networks, z: Latents, labels: Labels = None) -> Data:
        return self.model.decode(networks, z, labels)

    def log_weight(self, networks: Networks, x: Data, keys: Keys, labels: Labels = None) -> Float[Array, " b"]:
        return self.model.log_weight(networks, x, keys, labels)

    def divergences(self, networks: Networks, x: Data, keys: Keys, labels: Labels = None) -> Latents | None:
        return self.model.divergences(networks, x, labels)
