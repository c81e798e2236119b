"""What a network is made of, and the two ways to use it: as an encoder and as a decoder."""

import math
from dataclasses import dataclass
from typing import Literal

from flax import nnx

from genlab.errors import require
from genlab.nn import dcgan, mlp, resnet
from genlab.nn.conditional import ClassBatchNorm, Informed, Projection, exchange, is_batch_norm, is_output

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


def encoder(net: Net, shape: tuple[int, ...], features: int, rngs: nnx.Rngs, classes: int = 0) -> nnx.Module:
    """A module (b, *shape) -> (b, features), linear at the output: encoders, discriminators, critics.

    With classes it takes labels as well, which an mlp sees as one-hot beside its input and others as planes of it.

    Raises:
        Invalid: the backbone cannot read data of this shape.
    """
    _check(net, shape)
    make = BACKBONES[net.backbone].Encoder
    if not classes:
        return make(net, shape, features, rngs=rngs)
    flat = net.backbone == "mlp"
    *sides, channels = (math.prod(shape),) if flat else shape
    return Informed(make(net, (*sides, channels + classes), features, rngs=rngs), classes, flat)


def projector(net: Net, shape: tuple[int, ...], rngs: nnx.Rngs, classes: int) -> nnx.Module:
    """A module (b, *shape) and labels -> (b, 1): the projection discriminator.

    Raises:
        Invalid: the backbone cannot read data of this shape.
    """
    network = encoder(net, shape, 1, rngs)
    exchange(network, is_output, lambda output: Projection(len(output.kernel[...]), classes, rngs=rngs), last=True)
    return Informed(network)


def decoder(net: Net, latent: int, shape: tuple[int, ...], rngs: nnx.Rngs, classes: int = 0) -> nnx.Module:
    """A module (b, latent) -> (b, *shape), linear at the output: decoders, generators.

    With classes it takes labels as well: its batch norms have a scale and shift for each class, as in the official
    WGAN-GP code; without batch norm they are one-hot beside the latent.

    Raises:
        Invalid: the backbone cannot write data of this shape.
    """
    _check(net, shape)
    make, beside = BACKBONES[net.backbone].Decoder, 0 if net.norm == "batch" else classes
    network = make(net, latent + beside, shape, rngs=rngs)
    if not classes:
        return network
    exchange(network, is_batch_norm, lambda norm: ClassBatchNorm(norm.num_features, classes, rngs=rngs))
    return Informed(network, beside)
