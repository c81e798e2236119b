"""The denoising autoencoder of Vincent et al. (2008)."""

from dataclasses import dataclass, field

from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.kernels.corruption import Corruption, corrupt
from genlab.kernels.random import Keys
from genlab.methods.autoencoder import Coded, error
from genlab.parts.pixels import blank
from genlab.parts.types import Metrics, Networks, Turn


@dataclass(frozen=True)
class DenoisingAE(Coded):
    """Denoising autoencoder: reconstructs the clean example from a corrupted one.

    The Gaussian of its codes is that of corrupted examples, the codes that the decoder is trained on.
    """

    corruption: Corruption = field(default_factory=Corruption)
    """What is done to the examples before they are encoded."""

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        corrupted = corrupt(batch.x, keys, self.corruption, blank(batch.x))
        return error(batch.x, self.decode(networks, self.code(networks, corrupted)))  # against the clean input
