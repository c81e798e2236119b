"""The contractive autoencoder of Rifai et al. (2011)."""

from dataclasses import dataclass

from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.penalty import contractive
from genlab.kernels.random import Keys
from genlab.methods.autoencoder import Coded, error
from genlab.parts.types import Metrics, Networks, Turn


@dataclass(frozen=True)
class ContractiveAE(Coded):
    """Contractive autoencoder: squared error plus the squared Frobenius norm of the encoder's Jacobian (eq. 1).

    The paper ties the decoder's weights to the encoder's; here they are free, and a weight decay of both is what keeps
    the codes from shrinking while the decoder magnifies them.
    """

    weight: float = 0.1
    """Factor of the penalty (lambda)."""
    exact: bool = True
    """The exact norm, one backward pass per latent, or Hutchinson's unbiased estimate of it from a single one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight >= 0, "weight", self.weight, "at least 0")
        per_example = "allowed under a contractive penalty: batch norm couples the examples; use layer or none"
        require(self.encoder.norm != "batch", "encoder.norm", self.encoder.norm, per_example)

    @property
    def penalised(self) -> tuple[str, ...]:
        return ("encoder",)

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        loss, metrics = error(batch.x, self.decode(networks, self.code(networks, batch.x)))
        norms = contractive(lambda x: self.encode(networks, x), batch.x, None if self.exact else keys)
        penalty = self.weight * norms.mean()
        return loss + penalty, metrics | {"penalty": penalty}
