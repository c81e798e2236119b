"""Where weights start: the official WGAN-GP scheme, layer by layer, and the field's others, the same for all layers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import orthogonal, variance_scaling

# Linear layers as in the official WGAN-GP code: He before an activation, Glorot at the output, both uniform.
he = variance_scaling(2.0, "fan_in", "uniform")
glorot = variance_scaling(1.0, "fan_avg", "uniform")


class Fans(NamedTuple):
    """How many inputs an output is a sum of, and how many outputs an input goes to.

    A strided convolution touches each input less often: stride^2 divides the fan of its larger side.
    """

    inputs: float
    outputs: float


def scaled_uniform(fan_in: int | float, fan_out: int | float, gain: int | float = 2) -> nnx.Initializer:
    """Uniform weights of variance 2 gain / (fan_in + fan_out): the official WGAN-GP code's scheme for convolutions.

    A strided convolution touches each output less often, so the caller divides the larger side's fan by stride^2;
    Flax's own `fan_avg` does not, and so agrees at stride 1 only.
    """
    limit = (3 * 2 * gain / (fan_in + fan_out)) ** 0.5  # a uniform on +-limit has variance limit^2 / 3
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -limit, limit)


def initialiser(name: str, official: nnx.Initializer, fans: Fans, outputs_axis: int) -> nnx.Initializer:
    """The initialiser of this name, for a kernel whose outputs are along this axis and whose official one is given.

    glorot: uniform, variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, eq. 16); he: normal, variance 2 / fan_in
    (He et al. 2015, eq. 10); orthogonal: the matrix (outputs, all else) has orthonormal rows, or columns where it
    has more rows (Saxe et al. 2014).
    """
    match name:
        case "official":
            return official
        case "glorot":
            return scaled_uniform(fans.inputs, fans.outputs, gain=1)
        case "he":
            return jax.nn.initializers.normal((2 / fans.inputs) ** 0.5)
    return orthogonal(column_axis=outputs_axis)
