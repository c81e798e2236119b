"""The residual networks of Gulrajani et al. (2017), appendix F, as their code has them."""

from typing import TYPE_CHECKING, Literal

from flax import nnx
from jaxtyping import Array, Float

from genlab.kernels import convolution
from genlab.nn.attention import attention
from genlab.nn.initialisers import glorot
from genlab.nn.layers import ACTIVATIONS, Conv, Linear, Network
from genlab.nn.norms import dropout, needs_bias, normalisation

if TYPE_CHECKING:
    from genlab.nn.network import Net

COARSEST = {"encoder": 8, "decoder": 4}  # side at which halving ends: 32 -> 16 -> 8 -> 8 -> 8, and 4 -> 8 -> 16 -> 32
Side = Literal["same", "half", "double"]
Maps = Float[Array, "b h w c"]


def sides(size: int, coarsest: int) -> list[int]:
    """Sides of the feature maps from the image down, at least one halving: 28 -> [28, 14, 7]."""
    sides = [size]
    while sides[-1] % 2 == 0 and (sides[-1] > coarsest or len(sides) == 1):
        sides.append(sides[-1] // 2)
    return sides


def maps(size: int) -> dict[str, list[int]]:
    """Sides of the feature maps of either network, after which attention may stand."""
    return {"encoder": sides(size, COARSEST["encoder"])[1:], "decoder": sides(size, COARSEST["decoder"])[::-1]}


class Resample(Conv):
    """3x3 convolution, then the mean over 2x2 blocks ("half"), or after pixels are repeated 2x2 ("double").

    Each is one convolution of stride 2 or its transpose: the same function at 4/9 of the work.
    """

    def __init__(self, c_in: int, c_out: int, side: Side, *, bias: bool, rngs: nnx.Rngs):
        super().__init__(c_in, c_out, 3, bias=bias, rngs=rngs)
        self.side = side

    def linear(self, x: Maps, kernel: Float[Array, "3 3 c c2"]) -> Float[Array, "b h2 w2 c2"]:
        match self.side:
            case "half":
                return convolution.conv_mean_pool(x, kernel)
            case "double":
                return convolution.upsample_conv(x, kernel)
        return convolution.conv(x, kernel)


def resized(x: Maps, side: Side) -> Float[Array, "b h2 w2 c"]:
    """Pixels repeated 2x2 ("double"), or means over 2x2 blocks ("half")."""
    if side == "double":
        return x.repeat(2, axis=1).repeat(2, axis=2)
    if side == "half":
        b, h, w, c = x.shape
        return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))
    return x


class Block(nnx.Module):
    """shortcut(x) + conv(activation(norm(conv(activation(norm(x)))))).

    The side doubles before the first convolution and halves after the second one. The first block of an encoder reads
    pixels and so has neither norm nor activation before its first convolution. A 1x1 convolution in the shortcut works
    at the smaller of the two sides, where it costs least and gives the same. `bias` is whether the sum needs one.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        side: Side,
        net: "Net",
        *,
        pixels: bool = False,
        bias: bool = True,
        rngs: nnx.Rngs,
    ):
        inner = pixels or needs_bias(net.norm)
        self.before = nnx.identity if pixels else normalisation(net.norm, c_in, rngs)
        self.first = Resample(c_in, c_out, "double" if side == "double" else "same", bias=inner, rngs=rngs)
        self.between = nnx.identity if pixels else normalisation(net.norm, c_out, rngs)
        self.second = Resample(c_out, c_out, "half" if side == "half" else "same", bias=bias, rngs=rngs)
        straight = side == "same" and c_in == c_out
        self.shortcut = nnx.identity if straight else Conv(c_in, c_out, 1, gain=1, bias=bias, rngs=rngs)
        self.side, self.pixels, self.activation = side, pixels, net.activation
        self.dropouts = nnx.List([dropout(net), dropout(net)])

    def __call__(self, x: Maps) -> Float[Array, "b h2 w2 c2"]:
        activation, (one, two) = ACTIVATIONS[self.activation], self.dropouts
        h = self.first(x if self.pixels else one(activation(self.before(x))))
        h = self.second(two(activation(self.between(h))))
        if self.side == "half":
            return self.shortcut(resized(x, "half")) + h
        return resized(self.shortcut(x), self.side) + h


def pooled(x: Maps, pool: Literal["mean", "sum"]) -> Float[Array, "b c"]:
    """One number per channel."""
    return x.sum((1, 2)) if pool == "sum" else x.mean((1, 2))


class Encoder(Network):
    """(b, s, s, c) -> (b, features): halving blocks, two more at the coarsest side, the mean over it or the sum."""

    def __init__(self, net: "Net", shape: tuple[int, ...], features: int, *, rngs: nnx.Rngs):
        super().__init__(net.compute)
        half, *halves = maps(shape[0])["encoder"]
        layers: list[nnx.Module] = []
        for side in halves:
            layers += [Block(net.width, net.width, "half", net, rngs=rngs), *attention(net, side, net.width, rngs)]
        same = [Block(net.width, net.width, "same", net, rngs=rngs) for _ in range(2)]
        first = Block(shape[2], net.width, "half", net, pixels=True, rngs=rngs)
        layers = [first, *attention(net, half, net.width, rngs), *layers]
        self.blocks = nnx.Sequential(*layers, *same, ACTIVATIONS[net.activation], dropout(net))
        self.output = Linear(net.width, features, init=glorot, rngs=rngs)
        self.pool = net.pool

    def forward(self, x: Maps) -> Float[Array, "b features"]:
        return self.output(pooled(self.blocks(x), self.pool))


class Decoder(Network):
    """(b, latent) -> (b, s, s, c): doubling blocks, then norm, activation and a 3x3 convolution."""

    def __init__(self, net: "Net", latent: int, shape: tuple[int, ...], *, rngs: nnx.Rngs):
        super().__init__(net.compute)
        side, *finer = maps(shape[0])["decoder"]
        self.seed = (side, side, net.width)
        self.input = Linear(latent, side**2 * net.width, init=glorot, rngs=rngs)
        layers = attention(net, side, net.width, rngs)
        for i, side in enumerate(finer):
            bias = needs_bias(net.norm) or net.attention in finer[i:]
            block = Block(net.width, net.width, "double", net, bias=bias, rngs=rngs)
            layers += [block, *attention(net, side, net.width, rngs)]
        last = [normalisation(net.norm, net.width, rngs), ACTIVATIONS[net.activation], dropout(net)]
        self.blocks = nnx.Sequential(*layers, *last)
        self.output = Conv(net.width, shape[2], 3, gain=1, rngs=rngs)

    def forward(self, z: Float[Array, "b latent"]) -> Maps:
        return self.output(self.blocks(self.input(z).reshape(len(z), *self.seed)))
