"""Squared speeds that are known."""

import jax
import jax.numpy as jnp
import numpy as np

from genlab.kernels.random import example_keys, uniform
from genlab.latent.paths import lerp, slerp
from genlab.latent.smoothness import speeds

A, B = jax.random.normal(jax.random.key(0), (2, 6, 4))
KEYS = example_keys(jax.random.key(1), jnp.arange(6))
W = jax.random.normal(jax.random.key(2), (4, 9))


def test_a_linear_decoder_moves_as_far_as_its_ends_are_apart():
    np.testing.assert_allclose(speeds(lambda z: z, A, B, KEYS, lerp), jnp.square(B - A).sum(1), rtol=1e-5)
    np.testing.assert_allclose(speeds(lambda z: z @ W, A, B, KEYS, lerp), jnp.square((B - A) @ W).sum(1), rtol=1e-4)


def test_an_arc_between_equal_norms_moves_as_its_angle():
    a, b = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (A, B))
    angle = np.arccos(np.sum(np.asarray(a, np.float64) * b, axis=1))
    np.testing.assert_allclose(jax.jit(lambda a, b: speeds(lambda z: z, a, b, KEYS))(a, b), angle**2, rtol=1e-4)


def test_it_is_the_limit_of_karras_finite_steps():
    """At the drawn times, with steps of 1e-2: central differences of a curved decoder."""
    t = uniform(KEYS)

    def features(z):
        return jnp.tanh(z @ W)

    def features_at(t):
        return jax.vmap(lambda a, b, t: features(slerp(a, b, t[None]))[0])(A, B, t)

    steps = jnp.square(features_at(t + 5e-3) - features_at(t - 5e-3)).sum(1) / 1e-4
    np.testing.assert_allclose(speeds(features, A, B, KEYS), steps, rtol=1e-2)
