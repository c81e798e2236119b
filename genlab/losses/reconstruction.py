"""Reconstruction losses, summed over an example, one value each: squared errors, and likelihoods in nats."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.losses.reduction import example_sum

Data = Float[Array, "batch *shape"]
PerExample = Float[Array, " batch"]


def squared_error(x: Data, reconstruction: Data) -> PerExample:
    """sum_d (x_d - y_d)^2."""
    return example_sum(jnp.square(x - reconstruction))


def bernoulli(x: Data, logits: Data) -> PerExample:
    """-log p(x | logits) in nats for x in [0, 1]; from the logits, so that it never overflows; over channels too.

    softplus(l) - x l, with softplus(l) = max(l, 0) + log1p(exp(-|l|)): its derivative needs no other exponential.
    """
    return example_sum(jnp.maximum(logits, 0) - x * logits + jnp.log1p(jnp.exp(-jnp.abs(logits))))


def gaussian(x: Data, mean: Float[Array, "..."] | float, log_variance: Float[Array, "..."] | float) -> PerExample:
    """-log N(x; mean, diag(exp(log_variance))) in nats, with its constant; all three broadcast against each other.

    Of the data under a decoder's mean and one variance, and of latents under a posterior or a prior alike.
    """
    terms = jnp.square(x - mean) * jnp.exp(-log_variance) + log_variance + math.log(2 * math.pi)
    return example_sum(0.5 * terms)
