"""What a network is made of, and the two ways to use it: as an encoder and as a decoder."""

from dataclasses import dataclass
from typing import Literal

from flax import nnx

from genlab.errors import require
from genlab.nn import dcgan, mlp

BACKBONES = {"mlp": mlp, "dcgan": dcgan}


@dataclass(frozen=True)
class Net:
    """The make of one network."""

    backbone: Literal["mlp", "dcgan"] = "mlp"
    """mlp (images and points) or dcgan (5x5 convolutions of stride 2, images of 8 to 64 pixels)."""
    width: int = 256
    """Hidden units of an mlp; channels of a dcgan at its finest resolution, doubled at every halving."""
    depth: int = 3
    """Hidden layers of an mlp; a dcgan's depth follows from the image size."""
    norm: Literal["none", "batch", "layer"] = "none"
    """Normalisation of the hidden layers."""
    activation: Literal["relu", "leaky_relu", "elu", "silu", "gelu", "tanh"] = "relu"
    """Activation of the hidden layers."""

    def __post_init__(self) -> None:
        require(self.width >= 1, "width", self.width, "at least 1")
        require(self.depth >= 1, "depth", self.depth, "at least 1")


def _check(net: Net, shape: tuple[int, ...]) -> None:
    if net.backbone == "dcgan":
        fits = len(shape) == 3 and shape[0] == shape[1] and 8 <= shape[0] <= 64
        square = f"for data of shape {shape}: it takes square images of 8 to 64 pixels; use mlp or data.image_size"
        require(fits, "backbone", net.backbone, square)


def encoder(net: Net, shape: tuple[int, ...], features: int, rngs: nnx.Rngs) -> nnx.Module:
    """A module (b, *shape) -> (b, features), linear at the output: encoders, discriminators, critics.

    Raises:
        Invalid: the backbone cannot read data of this shape.
    """
    _check(net, shape)
    return BACKBONES[net.backbone].Encoder(net, shape, features, rngs=rngs)


def decoder(net: Net, latent: int, shape: tuple[int, ...], rngs: nnx.Rngs) -> nnx.Module:
    """A module (b, latent) -> (b, *shape), linear at the output: decoders, generators.

    Raises:
        Invalid: the backbone cannot write data of this shape.
    """
    _check(net, shape)
    return BACKBONES[net.backbone].Decoder(net, latent, shape, rngs=rngs)
