"""Multilayer perceptrons, for points and small images."""

import itertools
import math

from jaxtyping import Array, Float

from genlab.nn.builder import Builder
from genlab.nn.conditional import Labels, Network, Sequential


def _layers(build: Builder, n_in: int, n_out: int) -> Sequential:
    widths = [n_in] + [build.net.width] * build.net.depth
    pairs = itertools.pairwise(widths)
    hidden = [build.block(build.linear(a, b, bias=build.needs_bias()), b) for a, b in pairs]
    return Sequential(*hidden, build.output(widths[-1], n_out))


class Encoder(Network):
    """(b, *shape) -> (b, features) through `depth` hidden layers of `width` units."""

    def __init__(self, build: Builder, shape: tuple[int, ...], features: int):
        super().__init__(build.net.compute)
        self.layers = _layers(build, math.prod(shape), features)

    def features(self, x: Float[Array, "b *shape"], labels: Labels) -> Float[Array, "b width"]:
        return self.layers(x.reshape(len(x), -1), labels, until=-1)

    def forward(self, x: Float[Array, "b *shape"], labels: Labels) -> Float[Array, "b features"]:
        return self.layers(x.reshape(len(x), -1), labels)


class Decoder(Network):
    """(b, latent) -> (b, *shape) through `depth` hidden layers of `width` units."""

    def __init__(self, build: Builder, latent: int, shape: tuple[int, ...]):
        super().__init__(build.net.compute)
        self.layers = _layers(build, latent, math.prod(shape))
        self.shape = shape

    def forward(self, z: Float[Array, "b latent"], labels: Labels) -> Float[Array, "b *shape"]:
        return self.layers(z, labels).reshape(len(z), *self.shape)
