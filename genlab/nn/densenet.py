"""Densely connected networks (Huang et al. 2017), whose layers read the outputs of all before them at their side."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.nn import resnet
from genlab.nn.attention import attention
from genlab.nn.initialisers import glorot
from genlab.nn.layers import ACTIVATIONS, Conv, Linear, Network
from genlab.nn.norms import block, dropout, needs_bias, normalisation
from genlab.nn.resnet import Maps, Side, pooled, resized

if TYPE_CHECKING:
    from genlab.nn.network import Net


def maps(size: int) -> dict[str, list[int]]:
    """Sides of the feature maps of either network, after which attention may stand: a resnet's and the image's own."""
    return resnet.maps(size) | {"encoder": [size, *resnet.maps(size)["encoder"]]}


class Dense(nnx.Module):
    """`depth` layers norm -> activation -> 3x3 convolution, each adding `width` channels to what it read (eq. 2)."""

    def __init__(self, c_in: int, net: "Net", *, bias: bool, rngs: nnx.Rngs):
        channels = range(c_in, c_in + net.depth * net.width, net.width)
        self.before = nnx.List([block(nnx.identity, net, c, rngs, norm=net.norm) for c in channels])
        self.convolutions = nnx.List([Conv(c, net.width, 3, bias=bias, rngs=rngs) for c in channels])

    def __call__(self, x: Maps) -> Float[Array, "b h w c2"]:
        for before, convolution in zip(self.before, self.convolutions, strict=True):
            x = jnp.concatenate([x, convolution(before(x))], axis=-1)
        return x


class Transition(nnx.Module):
    """norm -> activation -> 1x1 convolution to half the channels, with the side halved by means, or doubled.

    Resizing commutes with the convolution, which works at the smaller side.
    """

    def __init__(self, c_in: int, side: Side, net: "Net", *, bias: bool, rngs: nnx.Rngs):
        self.before = block(nnx.identity, net, c_in, rngs, norm=net.norm)
        self.conv = Conv(c_in, c_in // 2, 1, gain=1, bias=bias, rngs=rngs)
        self.side = side

    def __call__(self, x: Maps) -> Float[Array, "b h2 w2 c2"]:
        x = self.before(x)
        return self.conv(resized(x, "half")) if self.side == "half" else resized(self.conv(x), "double")


def _needs_bias(net: "Net", side: int) -> bool:
    """Whether layers that write maps of this side need a bias: norms read them, and attention where it stands."""
    return needs_bias(net.norm) or net.attention == side


def _blocks(net: "Net", channels: int, sides: list[int], resize: Side, rngs: nnx.Rngs) -> tuple[nnx.Module, int]:
    """A dense block at every side with transitions between them, a last norm and activation; and its channels."""
    layers: list = []
    for i, side in enumerate(sides):
        bias = _needs_bias(net, side)
        if i:
            layers.append(Transition(channels, resize, net, bias=bias, rngs=rngs))
            channels //= 2
        layers.append(Dense(channels, net, bias=bias, rngs=rngs))
        channels += net.depth * net.width
        layers += attention(net, side, channels, rngs)
    last = [normalisation(net.norm, channels, rngs), ACTIVATIONS[net.activation], dropout(net)]
    return nnx.Sequential(*layers, *last), channels


class Encoder(Network):
    """(b, s, s, c) -> (b, features): a 3x3 convolution to 2 width channels, the blocks, the last maps' mean or sum."""

    def __init__(self, net: "Net", shape: tuple[int, ...], features: int, *, rngs: nnx.Rngs):
        super().__init__(net.compute)
        self.input = Conv(shape[2], 2 * net.width, 3, gain=1, bias=_needs_bias(net, shape[0]), rngs=rngs)
        self.blocks, channels = _blocks(net, 2 * net.width, maps(shape[0])["encoder"], "half", rngs)
        self.output = Linear(channels, features, init=glorot, rngs=rngs)
        self.pool = net.pool

    def forward(self, x: Maps) -> Float[Array, "b features"]:
        return self.output(pooled(self.blocks(self.input(x)), self.pool))


class Decoder(Network):
    """(b, latent) -> (b, s, s, c): the blocks from the coarsest side up, then a 3x3 convolution."""

    def __init__(self, net: "Net", latent: int, shape: tuple[int, ...], *, rngs: nnx.Rngs):
        super().__init__(net.compute)
        sides = maps(shape[0])["decoder"]
        self.seed = (sides[0], sides[0], 2 * net.width)
        self.input = Linear(latent, sides[0] ** 2 * 2 * net.width, init=glorot, rngs=rngs)
        self.blocks, channels = _blocks(net, 2 * net.width, sides, "double", rngs)
        self.output = Conv(channels, shape[2], 3, gain=1, rngs=rngs)

    def forward(self, z: Float[Array, "b latent"]) -> Maps:
        return self.output(self.blocks(self.input(z).reshape(len(z), *self.seed)))
