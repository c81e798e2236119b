"""The ways to use a `Net`: as an encoder, as a decoder, as a projection discriminator."""

import math
from typing import Literal

from flax import nnx

from genlab.errors import require
from genlab.nn import dcgan, densenet, mlp, resnet
from genlab.nn.builder import Builder
from genlab.nn.conditional import ConditionalNetwork, Network
from genlab.nn.layers import Affine
from genlab.nn.net import Net

BACKBONES = {"mlp": mlp, "dcgan": dcgan, "resnet": resnet, "densenet": densenet}


def _check(net: Net, shape: tuple[int, ...], role: Literal["encoder", "decoder"]) -> None:
    if net.backbone == "mlp":
        return
    fits = len(shape) == 3 and shape[0] == shape[1] and 8 <= shape[0] <= 64
    square = f"for data of shape {shape}: it takes square images of 8 to 64 pixels; use mlp or data.image_size"
    require(fits, "backbone", net.backbone, square)
    if net.backbone in ("resnet", "densenet"):
        require(shape[0] % 2 == 0, "backbone", net.backbone, f"for images of {shape[0]} pixels: it halves even sides")
    sides = BACKBONES[net.backbone].maps(shape[0])[role]
    listed = f"the side of a map of this {net.backbone} {role}: {', '.join(map(str, sides))}, or 0 for no attention"
    require(net.attention in (0, *sides), "attention", net.attention, listed)


def encoder(
    net: Net, shape: tuple[int, ...], features: int, rngs: nnx.Rngs, classes: int = 0, *, bias: bool = True
) -> Network | ConditionalNetwork:
    """A module (b, *shape) -> (b, features), linear at the output: encoders, discriminators, critics.

    With classes it needs labels as well, which an mlp sees as one-hot behind its input and others as planes of it.
    `bias` is whether the output layer has one, which a batch norm after it would take out again.

    Raises:
        Invalid: the backbone cannot read data of this shape.
    """
    _check(net, shape, "encoder")
    flat = net.backbone == "mlp"
    *sides, channels = (math.prod(shape),) if flat else shape
    make, build = BACKBONES[net.backbone].Encoder, Builder(net, rngs, output_bias=bias)
    network = make(build, (*sides, channels + classes), features)
    return ConditionalNetwork(network, classes, flat=flat) if classes else network


def projector(net: Net, shape: tuple[int, ...], rngs: nnx.Rngs, classes: int) -> ConditionalNetwork:
    """A module (b, *shape) and labels -> (b, 1): the projection discriminator.

    Raises:
        Invalid: the backbone cannot read data of this shape.
    """
    _check(net, shape, "encoder")
    build = Builder(net, rngs, output_classes=classes)
    return ConditionalNetwork(BACKBONES[net.backbone].Encoder(build, shape, 1))


def decoder(
    net: Net, latent: int, shape: tuple[int, ...], rngs: nnx.Rngs, classes: int = 0
) -> Network | ConditionalNetwork:
    """A module (b, latent) -> (b, *shape), linear at the output: decoders, generators.

    With classes it needs labels as well: its batch norms have a scale and shift for each class, as in the official
    WGAN-GP code; without batch norm they are one-hot behind the latent. There as here the norm after the last block of
    a resnet, and so of a densenet, is the same for all classes; an mlp and a dcgan have none but their hidden layers'
    own, each of which is given the labels.

    Raises:
        Invalid: the backbone cannot write data of this shape.
    """
    _check(net, shape, "decoder")
    appended = 0 if net.norm == "batch" else classes
    build = Builder(net, rngs, norm_classes=classes - appended)
    network = BACKBONES[net.backbone].Decoder(build, latent + appended, shape)
    return ConditionalNetwork(network, appended) if classes else network


def last_bias(network: nnx.Module) -> nnx.Param:
    """The bias of a network's last layer: what an encoder or a decoder gives where that layer's input is 0."""
    *_, last = (layer for _, layer in nnx.iter_modules(network) if isinstance(layer, Affine))
    assert last.bias is not None  # no norm follows it
    return last.bias
