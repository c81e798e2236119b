"""DCGAN (Radford et al. 2016) in the dimensions of the official WGAN-GP code: 5x5 kernels, stride 2, down to about 4x4."""

from typing import TYPE_CHECKING

from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.layers import Conv, ConvTranspose, block, glorot

if TYPE_CHECKING:
    from genlab.nn.network import Net

KERNEL, STRIDE = 5, 2


def sides(size: int) -> list[int]:
    """Sides of the feature maps from the image down to about 4 pixels, at least two halvings: 28 -> [28, 14, 7, 4]."""
    sides = [size]
    while sides[-1] > 4 or len(sides) < 3:
        sides.append(-(-sides[-1] // STRIDE))
    return sides


class Encoder(nnx.Module):
    """(b, s, s, c) -> (b, features). No normalisation before the first activation, as in DCGAN."""

    def __init__(self, net: "Net", shape: tuple[int, ...], features: int, *, rngs: nnx.Rngs):
        maps = sides(shape[0])
        channels = [shape[2]] + [net.width * 2**i for i in range(len(maps) - 1)]
        self.convolutions = nnx.Sequential(
            *(
                block(Conv(a, b, KERNEL, STRIDE, rngs=rngs), net.norm if i else "none", b, net.activation, rngs)
                for i, (a, b) in enumerate(zip(channels[:-1], channels[1:], strict=True))
            )
        )
        self.output = nnx.Linear(maps[-1] ** 2 * channels[-1], features, kernel_init=glorot, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b features"]:
        return self.output(self.convolutions(x).reshape(len(x), -1))


class Upsample(nnx.Module):
    """Doubles the side by a transposed convolution, then crops to `side`, which is odd on the way to 28 pixels."""

    def __init__(self, c_in: int, c_out: int, side: int, *, rngs: nnx.Rngs):
        self.conv = ConvTranspose(c_in, c_out, KERNEL, STRIDE, rngs=rngs)
        self.side = side

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c2"]:
        return self.conv(x)[:, : self.side, : self.side]


class Decoder(nnx.Module):
    """(b, latent) -> (b, s, s, c), the mirror of the encoder."""

    def __init__(self, net: "Net", latent: int, shape: tuple[int, ...], *, rngs: nnx.Rngs):
        *finer, side = sides(shape[0])
        channels = [net.width * 2**i for i in range(len(finer))]
        self.seed = (side, side, channels[-1])
        self.input = nnx.Linear(latent, side**2 * channels[-1], kernel_init=glorot, rngs=rngs)
        self.first = block(nnx.identity, net.norm, channels[-1], net.activation, rngs)
        self.blocks = nnx.Sequential(
            *(
                block(Upsample(channels[i], channels[i - 1], finer[i], rngs=rngs), net.norm, channels[i - 1], net.activation, rngs)
                for i in reversed(range(1, len(finer)))
            )
        )
        self.output = Upsample(channels[0], shape[2], finer[0], rngs=rngs)

    def __call__(self, z: Float[Array, "b latent"]) -> Float[Array, "b h w c"]:
        return self.output(self.blocks(self.first(self.input(z).reshape(len(z), *self.seed))))
