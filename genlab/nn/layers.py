"""Layers: convolutions on genlab's kernels, normalisations, activations, the official initialisers."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import variance_scaling
from jaxtyping import Array, Float, Int

from genlab.kernels import convolution

AXIS = "data"  # the mapped axis of devices; batch statistics are means over it

ACTIVATIONS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2),
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "tanh": jnp.tanh,
}

# Linear layers as in the official WGAN-GP code: He before an activation, Glorot at the output, both uniform.
he = variance_scaling(2.0, "fan_in", "uniform")
glorot = variance_scaling(1.0, "fan_avg", "uniform")


def scaled_uniform(fan_in: int | float, fan_out: int | float, gain: int | float = 2) -> nnx.Initializer:
    """Uniform weights of variance 2 gain / (fan_in + fan_out): the official WGAN-GP code's scheme for convolutions.

    A strided convolution touches each output less often, so the caller divides the larger side's fan by stride^2;
    Flax's own `fan_avg` does not, and so agrees at stride 1 only.
    """
    limit = (3 * 2 * gain / (fan_in + fan_out)) ** 0.5  # a uniform on +-limit has variance limit^2 / 3
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -limit, limit)


def needs_bias(norm: str) -> bool:
    """Whether a layer before this normalisation needs a bias.

    Batch norm takes it out again: its gradient is rounding noise, which Adam would blow up to full steps.
    """
    return norm != "batch"


class Network(nnx.Module):
    """A whole network: `forward`, computed in bfloat16 if that is asked for, with parameters and results in float32.

    Layers compute in the type of their input, and take means and variances in float32.
    """

    def __init__(self, compute: str):
        self.compute = compute

    def __call__(self, x: Float[Array, "b ..."], labels: Int[Array, " b"] | None = None) -> Float[Array, "b ..."]:
        """Labels are of no concern here: see `conditional.Informed`."""
        if self.compute == "float32":
            return self.forward(x)
        return self.forward(x.astype(self.compute)).astype(jnp.float32)

    def forward(self, x: Float[Array, "b ..."]) -> Float[Array, "b ..."]:
        """What the network computes."""
        raise NotImplementedError


class Affine(nnx.Module):
    """A linear map with its kernel, and a bias for each of its outputs unless a normalisation takes it out again."""

    def __init__(self, kernel: Float[Array, "..."], outputs: int, bias: bool):
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None

    def __call__(self, x: Float[Array, "b ..."]) -> Float[Array, "b ..."]:
        y = self.linear(x, self.kernel[...].astype(x.dtype))
        return y if self.bias is None else y + self.bias[...].astype(y.dtype)

    def linear(self, x: Float[Array, "b ..."], kernel: Float[Array, "..."]) -> Float[Array, "b ..."]:
        """The map without its bias."""
        raise NotImplementedError


class Linear(Affine):
    """(b, n_in) -> (b, n_out)."""

    def __init__(self, n_in: int, n_out: int, *, init: nnx.Initializer, bias: bool = True, rngs: nnx.Rngs):
        super().__init__(init(rngs.params(), (n_in, n_out)), n_out, bias)

    def linear(self, x: Float[Array, "b n_in"], kernel: Float[Array, "n_in n_out"]) -> Float[Array, "b n_out"]:
        return x @ kernel


class Conv(Affine):
    """SAME convolution, channels last: (b, h, w, c_in) -> (b, ceil(h / stride), ceil(w / stride), c_out).

    `gain` is 2 before an activation and 1 elsewhere, see `scaled_uniform`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        *,
        gain: int = 2,
        bias: bool = True,
        rngs: nnx.Rngs,
    ):
        init = scaled_uniform(c_in * kernel**2, c_out * kernel**2 / stride**2, gain)
        super().__init__(init(rngs.params(), (kernel, kernel, c_in, c_out)), c_out, bias)
        self.stride = stride

    def linear(self, x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c c2"]) -> Float[Array, "b h2 w2 c2"]:
        return convolution.conv(x, kernel, self.stride)


class ConvTranspose(Affine):
    """Transpose of a SAME convolution: (b, h, w, c_in) -> (b, stride h, stride w, c_out)."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, *, bias: bool = True, rngs: nnx.Rngs):
        init = scaled_uniform(c_in * kernel**2 / stride**2, c_out * kernel**2)
        super().__init__(init(rngs.params(), (kernel, kernel, c_out, c_in)), c_out, bias)
        self.stride = stride

    def linear(self, x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c2 c"]) -> Float[Array, "b h2 w2 c2"]:
        return convolution.conv_transpose(x, kernel, self.stride)


class LayerNorm(nnx.Module):
    """Layer norm of Ba et al. (2016) as the official WGAN-GP code has it.

    Mean and variance over ALL axes of an example, one scale and shift per channel, epsilon 1e-5. Flax's default
    normalises over the channels only, which is another function.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))

    def __call__(self, x: Float[Array, "b *shape"]) -> Float[Array, "b *shape"]:
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        axes = tuple(range(1, x.ndim))
        centred = wide - wide.mean(axes, keepdims=True)
        variance = jnp.square(centred).mean(axes, keepdims=True)
        return (centred * jax.lax.rsqrt(variance + 1e-5) * self.scale[...] + self.bias[...]).astype(x.dtype)


class BatchNorm(nnx.BatchNorm):
    """Batch norm with statistics over all devices; Flax's momentum is the DECAY of the running averages."""

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        super().__init__(features, momentum=0.9, epsilon=1e-5, axis_name=AXIS, rngs=rngs)

    def __call__(self, x: Float[Array, "b *shape"], *args, **options) -> Float[Array, "b *shape"]:
        return super().__call__(x, *args, **options).astype(x.dtype)


NORMS: dict[str, Callable] = {"batch": BatchNorm, "layer": LayerNorm}


def normalisation(norm: str, features: int, rngs: nnx.Rngs) -> Callable:
    """The normalisation of this name; "none" leaves its input as it is."""
    return nnx.identity if norm == "none" else NORMS[norm](features, rngs=rngs)


def block(layer: Callable, norm: str, features: int, activation: str, rngs: nnx.Rngs) -> nnx.Module:
    """layer -> normalisation (unless "none") -> activation."""
    norms = [] if norm == "none" else [normalisation(norm, features, rngs)]
    return nnx.Sequential(layer, *norms, ACTIVATIONS[activation])
