"""What variational methods share that weigh their divergence: beta, and its warm-up."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.errors import require
from genlab.methods.game import Method, Turn


@dataclass(frozen=True)
class Annealed(Method):
    """A divergence with a weight that may rise in the course of training."""

    beta: float = 1.0
    """Weight of the KL term; 1 is the ELBO."""
    warmup: int = 0
    """Iterations over which the weight rises linearly from 0 to beta (Sonderby et al. 2016); outside training: beta."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta >= 0, "beta", self.beta, "at least 0")
        require(self.warmup >= 0, "warmup", self.warmup, "at least 0")

    def weight(self, turn: Turn) -> Float[Array, ""] | float:
        """Of the KL term in this turn."""
        return self.beta * jnp.minimum(turn / self.warmup, 1.0) if self.warmup and turn is not None else self.beta
