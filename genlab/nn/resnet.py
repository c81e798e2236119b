"""The residual networks of Gulrajani et al. (2017), appendix F, as their code has them."""

from collections.abc import Callable
from typing import Literal

from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.builder import Builder
from genlab.nn.conditional import Labels, Network, Sequential, TakesLabels, call
from genlab.nn.layers import Maps, Side

COARSEST = {"encoder": 8, "decoder": 4}  # side at which halving ends: 32 -> 16 -> 8 -> 8 -> 8, and 4 -> 8 -> 16 -> 32


def sides(size: int, coarsest: int) -> list[int]:
    """Sides of the feature maps from the image down, at least one halving: 28 -> [28, 14, 7]."""
    sides = [size]
    while sides[-1] % 2 == 0 and (sides[-1] > coarsest or len(sides) == 1):
        sides.append(sides[-1] // 2)
    return sides


def maps(size: int) -> dict[str, list[int]]:
    """Sides of the feature maps of either network, after which attention may stand."""
    return {"encoder": sides(size, COARSEST["encoder"])[1:], "decoder": sides(size, COARSEST["decoder"])[::-1]}


def resized(x: Maps, side: Side) -> Float[Array, "b h2 w2 c"]:
    """Pixels repeated 2x2 ("double"), or means over 2x2 blocks ("half")."""
    if side == "double":
        return x.repeat(2, axis=1).repeat(2, axis=2)
    if side == "half":
        b, h, w, c = x.shape
        return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))
    return x


def pooled(x: Maps, pool: Literal["mean", "sum"]) -> Float[Array, "b c"]:
    """One number per channel."""
    return x.sum((1, 2)) if pool == "sum" else x.mean((1, 2))


class Block(TakesLabels):
    """shortcut(x) + conv(activation(norm(conv(activation(norm(x)))))).

    The side doubles before the first convolution and halves after the second one. The first block of an encoder reads
    pixels and so has neither norm nor activation before its first convolution. A 1x1 convolution in the shortcut works
    at the smaller of the two sides, where it costs least and gives the same. `bias` is whether the sum needs one.
    """

    def __init__(self, build: Builder, c_in: int, c_out: int, side: Side, *, pixels: bool = False, bias: bool = True):
        inner = pixels or build.needs_bias()
        self.before = nnx.identity if pixels else build.norm(c_in)
        self.first = build.resample(c_in, c_out, "double" if side == "double" else "same", bias=inner)
        self.between = nnx.identity if pixels else build.norm(c_out)
        self.second = build.resample(c_out, c_out, "half" if side == "half" else "same", bias=bias)
        straight = side == "same" and c_in == c_out
        self.shortcut = nnx.identity if straight else build.conv(c_in, c_out, 1, gain=1, bias=bias)
        self.side, self.pixels, self.activation = side, pixels, build.activation
        self.dropouts = nnx.List([build.dropout(), build.dropout()])

    def __call__(self, x: Maps, labels: Labels = None) -> Float[Array, "b h2 w2 c2"]:
        one, two = self.dropouts
        h = self.first(x if self.pixels else one(self.activation(call(self.before, x, labels))))
        h = self.second(two(self.activation(call(self.between, h, labels))))
        if self.side == "half":
            return self.shortcut(resized(x, "half")) + h
        return resized(self.shortcut(x), self.side) + h


class Encoder(Network):
    """(b, s, s, c) -> (b, features): halving blocks, two more at the coarsest side, the mean over it or the sum."""

    def __init__(self, build: Builder, shape: tuple[int, ...], features: int):
        super().__init__(build.net.compute)
        width, (half, *halves) = build.net.width, maps(shape[0])["encoder"]
        layers: list[Callable] = []
        for side in halves:
            layers += [Block(build, width, width, "half"), *build.attention(side, width)]
        layers += [Block(build, width, width, "same") for _ in range(2)]
        first = Block(build, shape[2], width, "half", pixels=True)
        layers = [first, *build.attention(half, width), *layers]
        self.blocks = Sequential(*layers, build.activation, build.dropout())
        self.output = build.output(width, features)
        self.pool = build.net.pool

    def features(self, x: Maps, labels: Labels) -> Float[Array, "b width"]:
        return pooled(self.blocks(x, labels), self.pool)

    def forward(self, x: Maps, labels: Labels) -> Float[Array, "b features"]:
        return call(self.output, self.features(x, labels), labels)


class Decoder(Network):
    """(b, latent) -> (b, s, s, c): doubling blocks, then norm, activation and a 3x3 convolution.

    The norm after the blocks is the same for all classes, as in the official code.
    """

    def __init__(self, build: Builder, latent: int, shape: tuple[int, ...]):
        super().__init__(build.net.compute)
        width, (side, *finer) = build.net.width, maps(shape[0])["decoder"]
        self.seed = (side, side, width)
        self.input = build.linear(latent, side**2 * width, gain=1)
        layers = build.attention(side, width)
        for i, side in enumerate(finer):
            bias = build.needs_bias(*finer[i:])
            layers += [Block(build, width, width, "double", bias=bias), *build.attention(side, width)]
        self.blocks = Sequential(*layers, build.norm(width, labelled=False), build.activation, build.dropout())
        self.output = build.conv(width, shape[2], 3, gain=1)

    def forward(self, z: Float[Array, "b latent"], labels: Labels) -> Maps:
        return self.output(self.blocks(self.input(z).reshape(len(z), *self.seed), labels))
