"""Densely connected networks (Huang et al. 2017), whose layers read the outputs of all before them at their side."""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.nn import resnet
from genlab.nn.builder import Builder
from genlab.nn.conditional import Labels, Network, Sequential, TakesLabels, call
from genlab.nn.layers import Maps, Side
from genlab.nn.resnet import pooled, resized


def maps(size: int) -> dict[str, list[int]]:
    """Sides of the feature maps of either network, after which attention may stand: a resnet's and the image's own."""
    return resnet.maps(size) | {"encoder": [size, *resnet.maps(size)["encoder"]]}


class Dense(TakesLabels):
    """`depth` layers norm -> activation -> 3x3 convolution, each adding `width` channels to what it read (eq. 2)."""

    def __init__(self, build: Builder, c_in: int, *, bias: bool):
        depth, width = build.net.depth, build.net.width
        channels = range(c_in, c_in + depth * width, width)
        self.before = nnx.List([build.block(nnx.identity, c) for c in channels])
        self.convolutions = nnx.List([build.conv(c, width, 3, bias=bias) for c in channels])

    def __call__(self, x: Maps, labels: Labels = None) -> Float[Array, "b h w c2"]:
        for before, convolution in zip(self.before, self.convolutions, strict=True):
            x = jnp.concatenate([x, convolution(before(x, labels))], axis=-1)
        return x


class Transition(TakesLabels):
    """norm -> activation -> 1x1 convolution to half the channels, with the side halved by means, or doubled.

    Resizing commutes with the convolution, which works at the smaller side.
    """

    def __init__(self, build: Builder, c_in: int, side: Side, *, bias: bool):
        self.before = build.block(nnx.identity, c_in)
        self.conv = build.conv(c_in, c_in // 2, 1, gain=1, bias=bias)
        self.side = side

    def __call__(self, x: Maps, labels: Labels = None) -> Float[Array, "b h2 w2 c2"]:
        x = self.before(x, labels)
        return self.conv(resized(x, "half")) if self.side == "half" else resized(self.conv(x), "double")


def _blocks(build: Builder, channels: int, sides: list[int], resize: Side) -> tuple[Sequential, int]:
    """A dense block at every side with transitions between them, a last norm and activation; and its channels.

    The last norm is the same for all classes, as that of a resnet.
    """
    layers: list[Callable] = []
    for i, side in enumerate(sides):
        bias = build.needs_bias(side)
        if i:
            layers.append(Transition(build, channels, resize, bias=bias))
            channels //= 2
        layers.append(Dense(build, channels, bias=bias))
        channels += build.net.depth * build.net.width
        layers += build.attention(side, channels)
    last = build.norm(channels, labelled=False), build.activation, build.dropout()
    return Sequential(*layers, *last), channels


class Encoder(Network):
    """(b, s, s, c) -> (b, features): a 3x3 convolution to 2 width channels, the blocks, the last maps' mean or sum."""

    def __init__(self, build: Builder, shape: tuple[int, ...], features: int):
        super().__init__(build.net.compute)
        start = 2 * build.net.width
        self.input = build.conv(shape[2], start, 3, gain=1, bias=build.needs_bias(shape[0]))
        self.blocks, channels = _blocks(build, start, maps(shape[0])["encoder"], "half")
        self.output = build.output(channels, features)
        self.pool = build.net.pool

    def features(self, x: Maps, labels: Labels) -> Float[Array, "b channels"]:
        return pooled(self.blocks(self.input(x), labels), self.pool)

    def forward(self, x: Maps, labels: Labels) -> Float[Array, "b features"]:
        return call(self.output, self.features(x, labels), labels)


class Decoder(Network):
    """(b, latent) -> (b, s, s, c): the blocks from the coarsest side up, then a 3x3 convolution."""

    def __init__(self, build: Builder, latent: int, shape: tuple[int, ...]):
        super().__init__(build.net.compute)
        start, sides = 2 * build.net.width, maps(shape[0])["decoder"]
        self.seed = (sides[0], sides[0], start)
        self.input = build.linear(latent, sides[0] ** 2 * start, gain=1)
        self.blocks, channels = _blocks(build, start, sides, "double")
        self.output = build.conv(channels, shape[2], 3, gain=1)

    def forward(self, z: Float[Array, "b latent"], labels: Labels) -> Maps:
        return self.output(self.blocks(self.input(z).reshape(len(z), *self.seed), labels))
