"""What all autoencoders share: an encoder, a decoder, and one optimiser for both."""

from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Array, Float

from genlab.methods.game import Encoding, Labels, Networks, Optimizer, squash
from genlab.nn.network import Net


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

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        return squash(networks["decoder"](z))
