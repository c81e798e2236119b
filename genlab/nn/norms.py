"""Normalisations."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.layers import AXIS


def needs_bias(norm: str) -> bool:
    """Whether a layer needs a bias for each channel, if its maps reach the output through such norms alone.

    Batch and instance norm take it out again: its gradient is rounding noise, which Adam would blow up to full steps.
    Not so where a linear layer has a bias for each pixel, or where maps are also read without a norm: by an activation,
    by attention. On the way to the norm there may be sums with other maps, 1x1 convolutions, resizing.
    """
    return norm not in ("batch", "instance")


class _PerExample(nnx.Module):
    """Normalises every example by itself, over these axes of it; one scale and shift per channel, epsilon 1e-5."""

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))

    def normalised(self, x: Float[Array, "b *shape"], axes: tuple[int, ...]) -> Float[Array, "b *shape"]:
        """Mean 0 and variance 1 over these axes, then scale and shift."""
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        centred = wide - wide.mean(axes, keepdims=True)
        variance = jnp.square(centred).mean(axes, keepdims=True)
        return (centred * jax.lax.rsqrt(variance + 1e-5) * self.scale[...] + self.bias[...]).astype(x.dtype)


class LayerNorm(_PerExample):
    """Layer norm of Ba et al. (2016) as the official WGAN-GP code has it.

    Mean and variance over ALL axes of an example. Flax's default normalises over the channels only, which is another
    function.
    """

    def __call__(self, x: Float[Array, "b *shape"]) -> Float[Array, "b *shape"]:
        return self.normalised(x, tuple(range(1, x.ndim)))


class InstanceNorm(_PerExample):
    """Instance norm of Ulyanov et al. (2016): mean and variance over height and width, for every channel by itself."""

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        return self.normalised(x, (1, 2))


BATCH: dict[str, Any] = {"momentum": 0.9, "epsilon": 1e-5, "axis_name": AXIS}  # Flax's momentum is a DECAY


class BatchNorm(nnx.BatchNorm):
    """Batch norm with statistics over all devices."""

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        super().__init__(features, **BATCH, rngs=rngs)

    def __call__(self, x: Float[Array, "b *shape"], *args, **options) -> Float[Array, "b *shape"]:
        return super().__call__(x, *args, **options).astype(x.dtype)


NORMS: dict[str, Callable] = {"batch": BatchNorm, "layer": LayerNorm, "instance": InstanceNorm}
