"""What variational autoencoders share whose prior is the standard normal."""

from dataclasses import dataclass
from typing import ClassVar

from flax import nnx
from jaxtyping import Array, Float

from genlab.losses.reconstruction import gaussian
from genlab.methods.conditional import Conditional
from genlab.methods.game import Networks
from genlab.methods.posterior import Latents
from genlab.methods.variational import Variational


@dataclass(frozen=True)
class Isotropic(Variational, Conditional):
    """p(z) = N(0, I).

    With classes p(x|z, y) and q(z|x, y) are of a class y, as in Sohn et al. (2015), and all bounds are of log p(x|y).
    """

    sampling: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "observation")

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        return self.core(shape, 2 * self.latent, self.latent, rngs)

    def log_prior(self, networks: Networks, z: Latents) -> Float[Array, " b"]:
        return -gaussian(z, 0.0, 0.0)
