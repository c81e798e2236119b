"""The adversarial autoencoder of Makhzani et al. (2015)."""

from dataclasses import dataclass, field

from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least
from genlab.kernels.random import Keys, normal
from genlab.losses.adversarial import accuracy, non_saturating_discriminator, non_saturating_generator
from genlab.methods.game import Encoding, Player
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.squared_error import error
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class AAE(Encoding):
    """Adversarial autoencoder: a discriminator of codes drives them towards the prior N(0, I).

    The paper's two phases (section 2): the autoencoder lowers its squared error; then the discriminator learns to tell
    draws from the prior from codes, and the encoder, as generator, to deceive it.
    """

    sampling = ("encoder", "decoder")
    headline = ("model/loss", "model/rmse")
    monitor = "validation/model/loss"
    normal = True

    latent: int = 16
    """Dimensions of the latent space."""
    encoder: Net = field(default_factory=Net)
    """Examples to latents."""
    decoder: Net = field(default_factory=Net)
    """Latents to examples."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of both."""
    discriminator: Net = field(default_factory=Net)
    """Latents to the logit of being drawn from the prior."""
    discriminator_optimizer: Optimizer = field(default_factory=Optimizer)
    """The discriminator's optimiser."""
    generator_optimizer: Optimizer = field(default_factory=Optimizer)
    """The encoder's optimiser against the discriminator."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "encoder": encoder(self.encoder, shape, self.latent, rngs),
            "decoder": decoder(self.decoder, self.latent, shape, rngs),
            "discriminator": encoder(self.discriminator, (self.latent,), 1, rngs),
        }

    def players(self) -> tuple[Player, ...]:
        return (
            Player("model", ("encoder", "decoder"), self.loss, self.optimizer),
            Player("discriminator", ("discriminator",), self.discriminator_loss, self.discriminator_optimizer),
            Player("generator", ("encoder",), self.generator_loss, self.generator_optimizer),
        )

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        return error(batch.x, self.reconstruct(networks, batch.x))

    def discriminator_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        real = networks["discriminator"](self.draw_latents(networks, keys))[:, 0]
        fake = networks["discriminator"](self.encode(networks, batch.x))[:, 0]
        return non_saturating_discriminator(real, fake).mean(), {"accuracy": accuracy(real, fake, "non_saturating")}

    def generator_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        fake = networks["discriminator"](self.encode(networks, batch.x))[:, 0]
        return non_saturating_generator(fake).mean(), {}

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        return networks["encoder"](x)

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return squash(networks["decoder"](z))

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return normal(keys, (self.latent,))
