"""What a network is made of, and the two ways to use it: as an encoder and as a decoder."""

import math
from dataclasses import dataclass
from typing import Literal

from flax import nnx

from genlab.errors import require
from genlab.nn import dcgan, densenet, mlp, resnet
from genlab.nn.conditional import (
    ALL,
    ALL_BUT_LAST,
    LAST,
    ClassBatchNorm,
    Informed,
    Projection,
    exchange,
    is_batch_norm,
    is_output,
)
from genlab.nn.layers import Affine, Linear

Compute = Literal["float32", "bfloat16"]
DEPTH = 100  # layers, which are built one by one, and compiled so
BACKBONES = {"mlp": mlp, "dcgan": dcgan, "resnet": resnet, "densenet": densenet}


@dataclass(frozen=True)
class Net:
    """The make of one network."""

    backbone: Literal["mlp", "dcgan", "resnet", "densenet"] = "mlp"
    """mlp (images and points), dcgan (5x5 convolutions of stride 2, images of 8 to 64 pixels), resnet (the WGAN-GP
    paper's residual blocks, images of 8 to 64 pixels, even) or densenet (densely connected blocks, the same images)."""
    width: int = 256
    """Hidden units of an mlp, channels of a resnet, channels of a dcgan at its finest side, doubled at each halving;
    channels that each layer of a densenet adds (its growth rate, in the paper 12 to 40)."""
    depth: int = 3
    """Hidden layers of an mlp, layers of each of a densenet's blocks; the depth of the others follows from the image
    size."""
    norm: Literal["none", "batch", "layer", "instance"] = "none"
    """Normalisation of the hidden layers."""
    spectral: bool = False
    """Whether all weights are divided by their spectral norm, whatever else normalises the hidden layers."""
    attention: int = 0
    """Side of the feature map that a self-attention block follows; 0 is none."""
    activation: Literal["relu", "leaky_relu", "elu", "silu", "gelu", "tanh"] = "relu"
    """Activation of the hidden layers."""
    pool: Literal["mean", "sum"] = "mean"
    """How a resnet or densenet that encodes goes from its last maps to one number per channel: their mean, as in
    Gulrajani et al. (2017), or their sum, as in Miyato et al. (2018) and Miyato and Koyama (2018), whose spectral norm
    leaves no layer to make up for the factor. An mlp and a dcgan, and all decoders, have nothing to pool."""
    dropout: float = 0.0
    """Share of the hidden units that are zeroed after an activation, in training."""
    init: Literal["official", "glorot", "he", "orthogonal"] = "official"
    """Initial weights: those of the official WGAN-GP code, or one scheme for all layers."""
    compute: Compute = "float32"
    """Type of the network's arithmetic; parameters, statistics, losses and penalties are float32 with either."""

    def __post_init__(self) -> None:
        require(self.width >= 1, "width", self.width, "at least 1")
        require(1 <= self.depth <= DEPTH, "depth", self.depth, f"from 1 to {DEPTH}")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "in [0, 1)")
        if self.backbone == "mlp":
            maps = "allowed in an mlp, which has no feature maps"
            require(self.norm != "instance", "norm", self.norm, f"{maps} to normalise; use layer or batch")
            require(not self.attention, "attention", self.attention, f"{maps} to attend to; use another backbone")


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


def finish(network: nnx.Module, net: Net, rngs: nnx.Rngs) -> nnx.Module:
    """The network, or a layer beside one, with what all linear layers share: another initialiser, spectral norm."""
    for _, layer in nnx.iter_modules(network):
        if isinstance(layer, Affine):
            if net.init != "official":
                layer.initialise(net.init, rngs)
            if net.spectral:
                layer.normalise(rngs)
    return network


def encoder(net: Net, shape: tuple[int, ...], features: int, rngs: nnx.Rngs, classes: int = 0) -> nnx.Module:
    """A module (b, *shape) -> (b, features), linear at the output: encoders, discriminators, critics.

    With classes it takes labels as well, which an mlp sees as one-hot beside its input and others as planes of it.

    Raises:
        Invalid: the backbone cannot read data of this shape.
    """
    _check(net, shape, "encoder")
    make = BACKBONES[net.backbone].Encoder
    if not classes:
        return finish(make(net, shape, features, rngs=rngs), net, rngs)
    flat = net.backbone == "mlp"
    *sides, channels = (math.prod(shape),) if flat else shape
    network = make(net, (*sides, channels + classes), features, rngs=rngs)
    return Informed(finish(network, net, rngs), classes, flat)


def projector(net: Net, shape: tuple[int, ...], rngs: nnx.Rngs, classes: int) -> nnx.Module:
    """A module (b, *shape) and labels -> (b, 1): the projection discriminator.

    Raises:
        Invalid: the backbone cannot read data of this shape.
    """
    network = encoder(net, shape, 1, rngs)

    def projection(output: Linear) -> nnx.Module:
        return finish(Projection(len(output.kernel[...]), classes, rngs=rngs), net, rngs)

    exchange(network, is_output, projection, LAST)
    return Informed(network)


def decoder(net: Net, latent: int, shape: tuple[int, ...], rngs: nnx.Rngs, classes: int = 0) -> nnx.Module:
    """A module (b, latent) -> (b, *shape), linear at the output: decoders, generators.

    With classes it takes labels as well: its blocks' batch norms have a scale and shift for each class, as in the
    official WGAN-GP code; without batch norm they are one-hot beside the latent. There as here the norm after the last
    block of a resnet, and so of a densenet, is the same for all classes; an mlp and a dcgan have none but their hidden
    layers' own, which are all told the label.

    Raises:
        Invalid: the backbone cannot write data of this shape.
    """
    _check(net, shape, "decoder")
    make, beside = BACKBONES[net.backbone].Decoder, 0 if net.norm == "batch" else classes
    network = finish(make(net, latent + beside, shape, rngs=rngs), net, rngs)
    if not classes:
        return network
    told = ALL_BUT_LAST if net.backbone in ("resnet", "densenet") else ALL
    exchange(network, is_batch_norm, lambda norm: ClassBatchNorm(norm.num_features, classes, rngs=rngs), told)
    return Informed(network, beside)


def last_bias(network: nnx.Module) -> nnx.Param:
    """The bias of a network's last layer: what an encoder or a decoder gives where that layer's input is 0."""
    *_, last = (layer for _, layer in nnx.iter_modules(network) if isinstance(layer, Affine))
    assert last.bias is not None  # no norm follows it
    return last.bias
