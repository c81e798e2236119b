"""The Wasserstein autoencoder with an MMD penalty (WAE-MMD), Tolstikhin et al. (2018)."""

from dataclasses import dataclass, field

import jax
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least
from genlab.kernels.random import Keys, normal
from genlab.losses.divergence import mmd
from genlab.methods.game import Encoding, Player
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.squared_error import error
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class WAE(Encoding):
    """Wasserstein autoencoder: squared error plus the discrepancy of the codes of a batch from the prior N(0, I).

    The error is summed over pixels of [-1, 1]. The authors' code minimises 0.05 error + lambda discrepancy instead, of
    the same sum of kernels, so that `weight` is lambda / 0.05: their lambda of 10 is 200 here on CelebA. On MNIST they
    have pixels of [0, 1], whose error is a quarter: there it is lambda / 0.0125, and their 10 is 800. The default of 10
    so weighs the reconstruction far more than they do. Adam goes by either loss in the same way but for its eps.
    """

    sampling = ("encoder", "decoder")
    headline = ("model/loss", "model/mmd")
    monitor = "validation/model/loss"
    normal = True

    latent: int = 16
    """Dimensions of the latent space."""
    encoder: Net = field(default_factory=Net)
    """Examples to latents."""
    decoder: Net = field(default_factory=Net)
    """Latents to examples."""
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(b1=0.5))
    """The optimiser of both."""
    weight: float = 10.0
    """Factor of the discrepancy, beside an error without one: 20 or 80 times the official lambda, see the class."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent")
        at_least(self, 0, "weight")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return {
            "encoder": encoder(self.encoder, shape, self.latent, rngs),
            "decoder": decoder(self.decoder, self.latent, shape, rngs),
        }

    def players(self) -> tuple[Player, ...]:
        return (Player("model", ("encoder", "decoder"), self.loss, self.optimizer),)

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        """Algorithm 2, on the batch of all devices: the estimate compares all of its codes with each other."""
        z = self.encode(networks, batch.x)
        loss, metrics = error(batch.x, self.decode(networks, z))
        codes, prior = jax.lax.all_gather((z, self.draw_latents(networks, keys)), AXIS, tiled=True)
        discrepancy = mmd(codes, prior, 1.0)
        return loss + self.weight * discrepancy, metrics | {"mmd": discrepancy}

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
