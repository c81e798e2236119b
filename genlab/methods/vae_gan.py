"""The VAE-GAN of Larsen et al. (2016): a VAE that reconstructs what a discriminator sees in an image."""

from dataclasses import dataclass, field
from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least
from genlab.kernels.random import Keys, fold, normal
from genlab.losses.adversarial import accuracy, non_saturating_discriminator, non_saturating_generator
from genlab.losses.divergence import kl_normal
from genlab.losses.reconstruction import gaussian
from genlab.methods.game import Encoding, Player
from genlab.nn.builder import Builder
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder
from genlab.parts.distributions import Normal
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.types import Labels, Metrics, Networks, Turn

Data = Float[Array, "b *shape"]
Latents = Float[Array, "b latent"]
RMSPROP = Optimizer("rmsprop", learning_rate=3e-4)  # section 4 of the paper


class Discriminator(nnx.Module):
    """Examples to features, and these to the logit of being real."""

    def __init__(self, net: Net, shape: tuple[int, ...], features: int, *, rngs: nnx.Rngs):
        self.trunk = encoder(net, shape, features, rngs)
        build = Builder(net, rngs)
        self.activation = build.activation
        self.output = build.linear(features, 1, gain=1)

    def __call__(self, x: Data) -> tuple[Float[Array, "b features"], Float[Array, " b"]]:
        """Features and logits."""
        features = self.activation(self.trunk(x))
        return features, self.output(features)[:, 0]


@dataclass(frozen=True)
class VAEGAN(Encoding):
    """Algorithm 1, each player moving on a batch of its own.

    As usual, decoder and discriminator play the non-saturating game instead of the minimax one.
    """

    sampling = ("encoder", "decoder")
    headline = ("discriminator/loss", "encoder/distortion")
    monitor = "validation/sliced_wasserstein"
    normal = True

    latent: int = 16
    """Dimensions of the latent space."""
    encoder: Net = field(default_factory=Net)
    """Examples to means and log-variances of their latents."""
    decoder: Net = field(default_factory=Net)
    """Latents to examples."""
    discriminator: Net = field(default_factory=Net)
    """Examples to features."""
    optimizer: Optimizer = RMSPROP
    """The optimiser of encoder and decoder."""
    discriminator_optimizer: Optimizer = RMSPROP
    """The discriminator's optimiser."""
    features: int = 64
    """What the discriminator reduces an example to before it decides; reconstructions are compared there."""
    gamma: float = 1.0
    """Weight of the reconstruction against the adversarial loss, in the decoder's loss."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "features")
        at_least(self, 0, "gamma")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "encoder": encoder(self.encoder, shape, 2 * self.latent, rngs),
            "decoder": decoder(self.decoder, self.latent, shape, rngs),
            "discriminator": Discriminator(self.discriminator, shape, self.features, rngs=rngs),
        }

    def players(self) -> tuple[Player, ...]:
        return (
            Player("discriminator", ("discriminator",), self.discriminator_loss, self.discriminator_optimizer),
            Player("encoder", ("encoder",), self.encoder_loss, self.optimizer),
            Player("decoder", ("decoder",), self.decoder_loss, self.optimizer),
        )

    def discriminator_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """-log D(x) - log(1 - D(reconstruction)) - log(1 - D(sample))."""
        discriminator = _discriminator(networks)
        real, rebuilt, fake = (discriminator(x)[1] for x in (batch.x, *self._fakes(networks, batch.x, keys)))
        loss = non_saturating_discriminator(real, fake) + jax.nn.softplus(rebuilt)
        return loss.mean(), {"accuracy": accuracy(real, fake, "non_saturating")}

    def encoder_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """The KL term, and -log N(features of x; those of its reconstruction, I)."""
        q = self.posterior(networks, batch.x)
        rebuilt = self.decode(networks, q.draw(fold(keys, 0)))
        distortion = self._distortion(networks, batch.x, rebuilt).mean()
        kl = kl_normal(q.mean, q.log_variance).sum(1).mean()
        return kl + distortion, {"kl": kl, "distortion": distortion}

    def decoder_loss(
        self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None
    ) -> tuple[Float[Array, ""], Metrics]:
        """gamma times the reconstruction of features, and -log D of reconstructions and samples."""
        rebuilt, fake = self._fakes(networks, batch.x, keys)
        adversarial = sum(non_saturating_generator(_discriminator(networks)(x)[1]) for x in (rebuilt, fake))
        return (self.gamma * self._distortion(networks, batch.x, rebuilt) + adversarial).mean(), {}

    def posterior(self, networks: Networks, x: Data) -> Normal:
        """q(z|x)."""
        return Normal(*jnp.split(networks["encoder"](x), 2, axis=1))

    def draw_latents(self, networks: Networks, keys: Keys) -> Latents:
        return normal(keys, (self.latent,))

    def encode(self, networks: Networks, x: Data, labels: Labels = None) -> Latents:
        return self.posterior(networks, x).mean

    def decode(self, networks: Networks, z: Latents, labels: Labels = None) -> Data:
        return squash(networks["decoder"](z))

    def divergences(self, networks: Networks, x: Data, keys: Keys, labels: Labels = None) -> Latents:
        q = self.posterior(networks, x)
        return kl_normal(q.mean, q.log_variance)

    def _fakes(self, networks: Networks, x: Data, keys: Keys) -> tuple[Data, Data]:
        """Reconstructions, and samples from the prior."""
        z = self.posterior(networks, x).draw(fold(keys, 0))
        return self.decode(networks, z), self.sample(networks, fold(keys, 1))

    def _distortion(self, networks: Networks, x: Data, rebuilt: Data) -> Float[Array, " b"]:
        """-log p(features of x | z) in nats per example."""
        return gaussian(_discriminator(networks)(x)[0], _discriminator(networks)(rebuilt)[0], 0.0)


def _discriminator(networks: Networks) -> Discriminator:
    return cast(Discriminator, networks["discriminator"])
