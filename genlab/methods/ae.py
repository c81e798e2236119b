"""The plain autoencoder."""

from dataclasses import dataclass

from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.kernels.random import Keys
from genlab.methods.autoencoder import Coded, error
from genlab.parts.types import Metrics, Networks, Turn


@dataclass(frozen=True)
class AE(Coded):
    """Plain autoencoder: minimises the squared error of the reconstruction."""

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        return error(batch.x, self.decode(networks, self.code(networks, batch.x)))
