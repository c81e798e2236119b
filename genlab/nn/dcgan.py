"""DCGAN (Radford et al. 2016) as in the official WGAN-GP code: 5x5 kernels of stride 2, down to about 4x4."""

from typing import TYPE_CHECKING

from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.attention import attention
from genlab.nn.initialisers import glorot
from genlab.nn.layers import Conv, ConvTranspose, Linear, Network
from genlab.nn.norms import block, needs_bias

if TYPE_CHECKING:
    from genlab.nn.network import Net

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

    def __init__(self, net: "Net", shape: tuple[int, ...], features: int, *, rngs: nnx.Rngs):
        super().__init__(net.compute)
        sizes = sides(shape[0])[1:]
        channels = [shape[2]] + [net.width * 2**i for i in range(len(sizes))]
        layers: list[nnx.Module] = []
        for i, (side, a, b) in enumerate(zip(sizes, channels[:-1], channels[1:], strict=True)):
            norm = net.norm if i else "none"
            conv = Conv(a, b, KERNEL, STRIDE, bias=needs_bias(norm), rngs=rngs)
            layers += [block(conv, net, b, rngs, norm=norm), *attention(net, side, b, rngs)]
        self.convolutions = nnx.Sequential(*layers)
        self.output = Linear(sizes[-1] ** 2 * channels[-1], features, init=glorot, rngs=rngs)

    def forward(self, x: Float[Array, "b h w c"]) -> Float[Array, "b features"]:
        return self.output(self.convolutions(x).reshape(len(x), -1))


class Upsample(nnx.Module):
    """Doubles the side by a transposed convolution, then crops to `side`, which is odd on the way to 28 pixels."""

    def __init__(self, c_in: int, c_out: int, side: int, *, bias: bool = True, rngs: nnx.Rngs):
        self.conv = ConvTranspose(c_in, c_out, KERNEL, STRIDE, bias=bias, rngs=rngs)
        self.side = side

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c2"]:
        return self.conv(x)[:, : self.side, : self.side]


class Decoder(Network):
    """(b, latent) -> (b, s, s, c), the mirror of the encoder."""

    def __init__(self, net: "Net", latent: int, shape: tuple[int, ...], *, rngs: nnx.Rngs):
        super().__init__(net.compute)
        *finer, side = sides(shape[0])
        channels = [net.width * 2**i for i in range(len(finer))]
        self.seed = (side, side, channels[-1])
        self.input = Linear(latent, side**2 * channels[-1], init=glorot, rngs=rngs)
        self.first = block(nnx.identity, net, channels[-1], rngs, norm=net.norm)
        layers = attention(net, side, channels[-1], rngs)
        for i in reversed(range(1, len(finer))):
            bias = needs_bias(net.norm)
            upsample = Upsample(channels[i], channels[i - 1], finer[i], bias=bias, rngs=rngs)
            doubled = block(upsample, net, channels[i - 1], rngs, norm=net.norm)
            layers += [doubled, *attention(net, finer[i], channels[i - 1], rngs)]
        self.blocks = nnx.Sequential(*layers)
        self.output = Upsample(channels[0], shape[2], finer[0], rngs=rngs)

    def forward(self, z: Float[Array, "b latent"]) -> Float[Array, "b h w c"]:
        return self.output(self.blocks(self.first(self.input(z).reshape(len(z), *self.seed))))
