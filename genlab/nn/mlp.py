"""Multilayer perceptrons, for points and small images."""

import math
from typing import TYPE_CHECKING

from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.initialisers import glorot, he
from genlab.nn.layers import Linear, Network
from genlab.nn.norms import block, needs_bias

if TYPE_CHECKING:
    from genlab.nn.network import Net


def _layers(net: "Net", n_in: int, n_out: int, rngs: nnx.Rngs) -> nnx.Module:
    widths = [n_in] + [net.width] * net.depth

    def hidden(a: int, b: int) -> nnx.Module:
        linear = Linear(a, b, init=he, bias=needs_bias(net.norm), rngs=rngs)
        return block(linear, net, b, rngs, norm=net.norm)

    blocks = [hidden(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)]
    return nnx.Sequential(*blocks, Linear(widths[-1], n_out, init=glorot, rngs=rngs))


class Encoder(Network):
    """(b, *shape) -> (b, features) through `depth` hidden layers of `width` units."""

    def __init__(self, net: "Net", shape: tuple[int, ...], features: int, *, rngs: nnx.Rngs):
        super().__init__(net.compute)
        self.layers = _layers(net, math.prod(shape), features, rngs)

    def forward(self, x: Float[Array, "b *shape"]) -> Float[Array, "b features"]:
        return self.layers(x.reshape(len(x), -1))


class Decoder(Network):
    """(b, latent) -> (b, *shape) through `depth` hidden layers of `width` units."""

    def __init__(self, net: "Net", latent: int, shape: tuple[int, ...], *, rngs: nnx.Rngs):
        super().__init__(net.compute)
        self.layers = _layers(net, latent, math.prod(shape), rngs)
        self.shape = shape

    def forward(self, z: Float[Array, "b latent"]) -> Float[Array, "b *shape"]:
        return self.layers(z).reshape(len(z), *self.shape)
