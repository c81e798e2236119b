"""What a network is made of, and the two ways to use it: as an encoder and as a decoder."""

from dataclasses import dataclass
from typing import Literal

from flax import nnx

from genlab.errors import require
from genlab.nn import dcgan, mlp, resnet

Compute = Literal["float32", "bfloat16"]
BACKBONES = {"mlp": mlp, "dcgan": dcgan, "resnet": resnet}


@dataclass(frozen=True)
class Net:
    """The make of one network."""

    backbone: Literal["mlp", "dcgan", "resnet"] = "mlp"
    """mlp (images and points), dcgan (5x5 convolutions of stride 2, images of 8 to 64 pixels) or resnet (the WGAN-GP
    paper's residual blocks, images of 8 to 64 pixels, even)."""
    width: int = 256
    """Hidden units of an mlp, channels of a resnet, channels of a dcgan at its finest side, doubled at each halving."""
    depth: int = 3
    """Hidden layers of an mlp; the depth of the others follows from the image size."""
    norm: Literal["none", "batch", "layer"] = "none"
    """Normalisation of the hidden layers."""
    activation: Literal["relu", "leaky_relu", "elu", "silu", "gelu", "tanh"] = "relu"
    """Activation of the hidden layers."""
    compute: Compute = "float32"
    """Type of the network's arithmetic; parameters, statistics, losses and penalties are float32 with either."""

    def __post_init__(self) -> None:
        require(self.width >= 1, "width", self.width, "at least 1")
        require(self.depth >= 1, "depth", self.depth, "at least 1")


def _check(net: Net, shape: tuple[int, ...]) -> None:
    if net.backbone != "mlp":
        fits = len(shape) == 3 and shape[0] == shape[1] and 8 <= shape[0] <= 64
        square = f"for data of shape {shape}: it takes square images of 8 to 64 pixels; use mlp or data.image_size"
        require(fits, "backbone", net.backbone, square)
    if net.backbone == "resnet":
        require(shape[0] % 2 == 0, "backbone", net.backbone, f"for images of {shape[0]} pixels: it halves even sides")


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
