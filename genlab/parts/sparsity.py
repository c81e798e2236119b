"""Sparse codes: few of their units are active at a time."""

from dataclasses import dataclass
from typing import Literal

import jax
from jaxtyping import Array, Float

from genlab.errors import at_least, require
from genlab.losses.divergence import kl_bernoulli
from genlab.nn.layers import AXIS


@dataclass(frozen=True)
class Sparsity:
    """A penalty on the activity of a code's units.

    The latent is what goes into the units, unbounded, so that a Gaussian can be fitted to it; the decoder sees what
    comes out, `units(z)`. Under l1 a weight decay keeps the units from shrinking while the decoder magnifies them.
    """

    kind: Literal["none", "kl", "l1"] = "none"
    """none: the latent is the code; kl: sigmoid units, each to be active at the rate on average; l1: ReLU units, whose
    sum is charged."""
    weight: float = 1.0
    """Factor of the penalty."""
    rate: float = 0.1
    """The mean activity of a unit that costs nothing; kl only."""

    def __post_init__(self) -> None:
        at_least(self, 0, "weight")
        require(0 < self.rate < 1, "rate", self.rate, "in (0, 1)")

    def units(self, z: Float[Array, "b latent"]) -> Float[Array, "b latent"]:
        """The activities of the code's units."""
        match self.kind:
            case "kl":
                return jax.nn.sigmoid(z)
            case "l1":
                return jax.nn.relu(z)
        return z

    def penalty(self, active: Float[Array, "b latent"]) -> Float[Array, ""]:
        """What the activities of a batch cost, by either kind.

        kl: the divergence of the rate from each unit's mean over the batch of ALL devices, summed over units (Ng's
        CS294A notes, "Sparse autoencoder", section 3); l1: the sum over units of the activities, which are not
        negative, its mean over the examples.
        """
        if self.kind == "l1":
            return self.weight * active.sum(1).mean()
        return self.weight * kl_bernoulli(self.rate, jax.lax.pmean(active.mean(0), AXIS)).sum()
