"""Reconstruction losses, summed over an example, one value each: squared errors, and likelihoods in nats."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Data = Float[Array, "batch *shape"]
PerExample = Float[Array, " batch"]


def _sum(x: Data) -> PerExample:
    return x.reshape(len(x), -1).sum(1)


def squared_error(x: Data, reconstruction: Data) -> PerExample:
    """sum_d (x_d - y_d)^2."""
    return _sum(jnp.square(x - reconstruction))


def bernoulli(x: Data, logits: Data) -> PerExample:
    """-log p(x | logits) in nats for x in [0, 1]; from the logits, so that it never overflows; over channels too."""
    return _sum(jax.nn.softplus(logits) - x * logits)


def gaussian(x: Data, mean: Data, scale: float) -> PerExample:
    """-log N(x; mean, scale^2 I) in nats, with its constant."""
    return _sum(0.5 * jnp.square((x - mean) / scale) + math.log(scale) + 0.5 * math.log(2 * math.pi))


def log_normal(x: Data, mean: Data, log_variance: Data) -> PerExample:
    """log N(x; mean, diag(exp(log_variance))) in nats, with its constant."""
    return -_sum(0.5 * (jnp.square(x - mean) * jnp.exp(-log_variance) + log_variance + math.log(2 * math.pi)))
