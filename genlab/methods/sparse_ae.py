"""The sparse autoencoder: few units of the code are active at a time."""

from dataclasses import dataclass
from typing import Literal

import jax
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.random import Keys
from genlab.losses.divergence import kl_bernoulli
from genlab.methods.autoencoder import Coded, error
from genlab.nn.layers import AXIS
from genlab.parts.metrics import batch_mean
from genlab.parts.types import Labels, Metrics, Networks, Turn


@dataclass(frozen=True)
class SparseAE(Coded):
    """Sparse autoencoder: squared error plus a penalty on the activity of the code's units.

    The latent is what goes into the units, unbounded, so that a Gaussian can be fitted to it; the decoder sees what
    comes out, `units(z)`. Under l1 a weight decay keeps the units from shrinking while the decoder magnifies them.
    """

    latent: int = 64
    """Dimensions of the latent space: the number of units."""
    penalty: Literal["kl", "l1"] = "kl"
    """kl: sigmoid units, each to be active at the rate on average; l1: ReLU units, charged their sum."""
    weight: float = 1.0
    """Factor of the penalty."""
    rate: float = 0.1
    """The mean activity of a unit that costs nothing; kl only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight >= 0, "weight", self.weight, "at least 0")
        require(0 < self.rate < 1, "rate", self.rate, "in (0, 1)")

    def units(self, z: Float[Array, "b latent"]) -> Float[Array, "b latent"]:
        """The activities of the code's units."""
        return jax.nn.sigmoid(z) if self.penalty == "kl" else jax.nn.relu(z)

    def charge(self, active: Float[Array, "b latent"]) -> Float[Array, ""]:
        """The penalty of a batch's activities, without its weight.

        kl: the divergence of the rate from each unit's mean over the batch of ALL devices, summed over units (Ng's
        CS294A notes, "Sparse autoencoder", section 3); l1: the sum over units of the activities, which are not
        negative, its mean over the examples.
        """
        if self.penalty == "l1":
            return active.sum(1).mean()
        return kl_bernoulli(self.rate, jax.lax.pmean(active.mean(0), AXIS)).sum()

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        z = self.code(networks, batch.x)
        loss, metrics = error(batch.x, self.decode(networks, z))
        active = self.units(z)
        penalty = self.weight * self.charge(active)
        return loss + penalty, metrics | {"penalty": penalty, "activity": batch_mean(active.mean(1))}

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return super().decode(networks, self.units(z))
