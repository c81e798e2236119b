"""Metrics over the whole batch, that of all devices."""

import jax
from jaxtyping import Array, Float

from genlab.nn.layers import AXIS


def batch_mean(values: Float[Array, " b"]) -> Float[Array, ""]:
    """The mean over the whole batch, that of all devices; for metrics that are no means themselves. No gradient."""
    return jax.lax.pmean(jax.lax.stop_gradient(values).mean(), AXIS)
