"""The squared error of reconstructions."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.losses.reconstruction import squared_error
from genlab.parts.metrics import batch_mean
from genlab.parts.types import Metrics


def rmse(x: Float[Array, "b *shape"], y: Float[Array, "b *shape"]) -> Float[Array, ""]:
    """Root mean squared error of a number of an example, over the whole batch; no gradient."""
    return jnp.sqrt(batch_mean(squared_error(x, y)) / x[0].size)


def error(x: Float[Array, "b *shape"], y: Float[Array, "b *shape"]) -> tuple[Float[Array, ""], Metrics]:
    """The squared error summed over an example, its mean; as a metric, its root mean over all numbers."""
    return squared_error(x, y).mean(), {"rmse": rmse(x, y)}
