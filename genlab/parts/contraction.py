"""Contractive codes: they move little as the example does."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Array, Float

from genlab.errors import at_least
from genlab.kernels.penalty import contractive
from genlab.kernels.random import Keys


@dataclass(frozen=True)
class Contraction:
    """A penalty on the squared Frobenius norm of the encoder's Jacobian, Rifai et al. (2011), eq. 1.

    The paper ties the decoder's weights to the encoder's; here they are free, and a weight decay of both is what keeps
    the codes from shrinking while the decoder magnifies them.
    """

    weight: float = 0.0
    """Factor of the penalty (lambda); 0 is none."""
    exact: bool = True
    """The exact norm, one backward pass per latent, or Hutchinson's unbiased estimate of it from a single one."""

    def __post_init__(self) -> None:
        at_least(self, 0, "weight")

    def penalty(
        self,
        encode: Callable[[Float[Array, "b *shape"]], Float[Array, "b latent"]],
        x: Float[Array, "b *shape"],
        keys: Keys,
    ) -> Float[Array, ""]:
        """The mean over these examples; the keys draw the signs of the estimate. `encode` must not couple examples."""
        return self.weight * contractive(encode, x, None if self.exact else keys).mean()
