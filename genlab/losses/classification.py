"""Losses of classifiers."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def cross_entropy(logits: Float[Array, "b classes"], labels: Int[Array, " b"]) -> Float[Array, " b"]:
    """-log softmax(logits)[label] in nats per example."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0]
