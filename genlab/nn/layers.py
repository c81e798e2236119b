"""Layers: convolutions on genlab's kernels, normalisations, activations, the official initialisers."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import variance_scaling
from jaxtyping import Array, Float

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


def scaled_uniform(fan_in: int | float, fan_out: int | float) -> nnx.Initializer:
    """Uniform weights of variance 4 / (fan_in + fan_out): the official WGAN-GP code's scheme for convolutions.

    A strided convolution touches each output less often, so the caller divides the larger side's fan by stride^2;
    Flax's own `fan_avg` does not, and so agrees at stride 1 only.
    """
    limit = (3 * 4 / (fan_in + fan_out)) ** 0.5  # a uniform on +-limit has variance limit^2 / 3
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -limit, limit)


def _shift(x: Float[Array, "b h w c"], bias: nnx.Param | None) -> Float[Array, "b h w c"]:
    return x if bias is None else x + bias[...]


def needs_bias(norm: str) -> bool:
    """Whether a layer before this normalisation needs a bias.

    Batch norm takes it out again: its gradient is rounding noise, which Adam would blow up to full steps.
    """
    return norm != "batch"


class Conv(nnx.Module):
    """SAME convolution, channels last: (b, h, w, c_in) -> (b, ceil(h / stride), ceil(w / stride), c_out)."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, *, bias: bool = True, rngs: nnx.Rngs):
        init = scaled_uniform(c_in * kernel**2, c_out * kernel**2 / stride**2)
        self.kernel = nnx.Param(init(rngs.params(), (kernel, kernel, c_in, c_out)))
        self.bias = nnx.Param(jnp.zeros(c_out)) if bias else None
        self.stride = stride

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c2"]:
        return _shift(convolution.conv(x, self.kernel[...], self.stride), self.bias)


class ConvTranspose(nnx.Module):
    """Transpose of a SAME convolution: (b, h, w, c_in) -> (b, stride h, stride w, c_out)."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, *, bias: bool = True, rngs: nnx.Rngs):
        init = scaled_uniform(c_in * kernel**2 / stride**2, c_out * kernel**2)
        self.kernel = nnx.Param(init(rngs.params(), (kernel, kernel, c_out, c_in)))
        self.bias = nnx.Param(jnp.zeros(c_out)) if bias else None
        self.stride = stride

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c2"]:
        return _shift(convolution.conv_transpose(x, self.kernel[...], self.stride), self.bias)


class LayerNorm(nnx.Module):
    """Layer norm of Ba et al. (2016) as the official WGAN-GP code has it.

    Mean and variance over ALL axes of an example, one scale and shift per channel, epsilon 1e-5. Flax's default
    normalises over the channels only, which is another function.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))

    def __call__(self, x: Float[Array, "b *shape"]) -> Float[Array, "b *shape"]:
        axes = tuple(range(1, x.ndim))
        mean = x.mean(axes, keepdims=True)
        variance = jnp.square(x - mean).mean(axes, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * self.scale[...] + self.bias[...]


def batch_norm(features: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """Batch norm with statistics over all devices; Flax's momentum is the DECAY of the running averages."""
    return nnx.BatchNorm(features, momentum=0.9, epsilon=1e-5, axis_name=AXIS, rngs=rngs)


NORMS: dict[str, Callable] = {"batch": batch_norm, "layer": LayerNorm}


def block(layer: Callable, norm: str, features: int, activation: str, rngs: nnx.Rngs) -> nnx.Module:
    """layer -> normalisation (unless "none") -> activation."""
    norms = [] if norm == "none" else [NORMS[norm](features, rngs=rngs)]
    return nnx.Sequential(layer, *norms, ACTIVATIONS[activation])
