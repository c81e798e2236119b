"""Reconstruction losses, summed over an example, one value each: squared errors, and likelihoods in nats."""

import math

import jax
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


def continuous_bernoulli(x: Data, logits: Data) -> PerExample:
    """-log p(x | logits) in nats, the density of x in [0, 1]: Loaiza-Ganem and Cunningham (2019), eq. 6 to 8.

    The constant 2 artanh(1 - 2p) / (1 - 2p) is l / tanh(l / 2) of the logit l; near 0, its series.
    """
    near = jnp.abs(logits) < 0.1
    safe = jnp.where(near, 1.0, logits)
    series = math.log(2) + jnp.square(logits) / 12 - logits**4 * (7 / 1440)
    log_constant = jnp.where(near, series, jnp.log(jnp.abs(safe)) - jnp.log(jnp.tanh(jnp.abs(safe) / 2)))
    return bernoulli(x, logits) - example_sum(log_constant)


def discretised_logistic(
    x: Float[Array, "..."], mean: Float[Array, "..."], log_scale: Float[Array, "..."]
) -> Float[Array, "..."]:
    """log probability of each 8-bit pixel in [-1, 1] under a logistic distribution cut into 256 bins, in nats.

    Salimans et al. (2017), eq. 2; the outermost bins are unbounded. With a and b a bin's ends in units of the scale,
    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^(b - a)), which neither cancels nor vanishes.
    """
    half = jnp.exp(-log_scale) / 255  # of a bin
    centre = (x - mean) * jnp.exp(-log_scale)
    above = jnp.where(x < -1 + 1 / 255, 0.0, jax.nn.log_sigmoid(half - centre))
    below = jnp.where(x > 1 - 1 / 255, 0.0, jax.nn.log_sigmoid(centre + half))
    inner = (x >= -1 + 1 / 255) & (x <= 1 - 1 / 255)
    return above + below + jnp.where(inner, jnp.log(-jnp.expm1(-2 * half)), 0.0)
