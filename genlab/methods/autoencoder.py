"""What autoencoders share: an encoder and a decoder."""

from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Array, Float

from genlab.kernels.random import Keys, normal
from genlab.methods.game import Encoding
from genlab.nn.network import Net
from genlab.parts.optimizer import Optimizer
from genlab.parts.pixels import squash
from genlab.parts.types import Labels, Networks


@dataclass(frozen=True)
class Coder(Encoding):
    """An encoder and a decoder, whatever their outputs mean."""

    monitor: ClassVar[str] = "validation/model/loss"

    latent: int = 16
    """Dimensions of the latent space."""
    encoder: Net = field(default_factory=Net)
    """Examples to latents, or to what a posterior over them needs."""
    decoder: Net = field(default_factory=Net)
    """Latents to examples, or to what a likelihood of them needs."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser of both."""


@dataclass(frozen=True)
class Autoencoder(Coder):
    """Examples to latents and back."""

    normal = True

    def prior(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return normal(keys, (self.latent,))

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return squash(networks["decoder"](z))
