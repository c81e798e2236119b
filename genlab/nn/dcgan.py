"""DCGAN (Radford et al. 2016) as in the official WGAN-GP code: 5x5 kernels of stride 2, down to about 4x4."""

import itertools
from collections.abc import Callable

from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.builder import Builder
from genlab.nn.conditional import Labels, Network, Sequential, call
from genlab.nn.layers import ConvTranspose, Maps

KERNEL, STRIDE = 5, 2


def sides(size: int) -> list[int]:
    """Sides of the feature maps from the image down to about 4 pixels, at least two halvings: 28 -> [28, 14, 7, 4]."""
    sides = [size]
    while sides[-1] > 4 or len(sides) < 3:
        sides.append(-(-sides[-1] // STRIDE))
    return sides


def maps(size: int) -> dict[str, list[int]]:
    """Sides of the feature maps of either network, after which attention may stand."""
    return {"encoder": sides(size)[1:], "decoder": sides(size)[:0:-1]}


class Encoder(Network):
    """(b, s, s, c) -> (b, features). No normalisation before the first activation, as in DCGAN."""

    def __init__(self, build: Builder, shape: tuple[int, ...], features: int):
        super().__init__(build.net.compute)
        sizes = sides(shape[0])[1:]
        channels = [shape[2]] + [build.net.width * 2**i for i in range(len(sizes))]
        layers: list[Callable] = []
        for i, (side, (a, b)) in enumerate(zip(sizes, itertools.pairwise(channels), strict=True)):
            conv = build.conv(a, b, KERNEL, STRIDE, bias=i == 0 or build.needs_bias())
            layers += [build.block(conv, b, normed=i > 0), *build.attention(side, b)]
        self.convolutions = Sequential(*layers)
        self.output = build.output(sizes[-1] ** 2 * channels[-1], features)

    def features(self, x: Maps, labels: Labels) -> Float[Array, "b d"]:
        return self.convolutions(x, labels).reshape(len(x), -1)

    def forward(self, x: Maps, labels: Labels) -> Float[Array, "b features"]:
        return call(self.output, self.features(x, labels), labels)


class Upsample(nnx.Module):
    """Doubles the side by a transposed convolution, then crops to `side`, which is odd on the way to 28 pixels."""

    def __init__(self, conv: ConvTranspose, side: int):
        self.conv, self.side = conv, side

    def __call__(self, x: Maps) -> Float[Array, "b h2 w2 c2"]:
        return self.conv(x)[:, : self.side, : self.side]


class Decoder(Network):
    """(b, latent) -> (b, s, s, c), the mirror of the encoder."""

    def __init__(self, build: Builder, latent: int, shape: tuple[int, ...]):
        super().__init__(build.net.compute)
        *finer, side = sides(shape[0])
        channels = [build.net.width * 2**i for i in range(len(finer))]
        self.seed = (side, side, channels[-1])
        self.input = build.linear(latent, side**2 * channels[-1], gain=1)
        self.first = build.block(nnx.identity, channels[-1])
        layers = build.attention(side, channels[-1])
        for i in reversed(range(1, len(finer))):
            conv = build.conv_transpose(channels[i], channels[i - 1], KERNEL, STRIDE, bias=build.needs_bias())
            doubled = build.block(Upsample(conv, finer[i]), channels[i - 1])
            layers += [doubled, *build.attention(finer[i], channels[i - 1])]
        self.blocks = Sequential(*layers)
        self.output = Upsample(build.conv_transpose(channels[0], shape[2], KERNEL, STRIDE), finer[0])

    def forward(self, z: Float[Array, "b latent"], labels: Labels) -> Maps:
        first = self.first(self.input(z).reshape(len(z), *self.seed), labels)
        return self.output(self.blocks(first, labels))
