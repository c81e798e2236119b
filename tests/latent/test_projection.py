"""Latents found again."""

import jax
import jax.numpy as jnp
import numpy as np

from genlab.kernels.random import example_keys
from genlab.latent.projection import project

KEYS = example_keys(jax.random.key(5), jnp.arange(4))
W = jax.random.normal(jax.random.key(0), (3, 16)) / 3


def linear(z):
    return (z @ W).reshape(-1, 4, 4, 1)


def test_the_least_squares_solution_of_a_linear_decoder():
    x = jax.random.normal(jax.random.key(1), (4, 4, 4, 1))
    found = jax.jit(lambda x: project(linear, x, KEYS, 3, restarts=2))(x)
    z, left, *_ = np.linalg.lstsq(np.asarray(W).T, np.asarray(x).reshape(4, 16).T, rcond=None)
    np.testing.assert_allclose(found.z, z.T, atol=1e-3)
    np.testing.assert_allclose(found.error, left / 16, rtol=1e-3)


def valleys(z):
    """One of many valleys is the right one: the second pixel tells it from the others."""
    return jnp.concatenate([jnp.sin(9 * z), 0.1 * z], 1).reshape(-1, 1, 2, 1)


def test_restarts_find_the_right_valley():
    x = valleys(jnp.array([[-1.1], [0.2], [0.9], [1.3]]))
    one, many = (project(valleys, x, KEYS, 1, restarts=n, learning_rate=0.01) for n in (1, 30))
    assert one.error.max() > 1e-4
    assert many.error.max() < 1e-6
    np.testing.assert_allclose(many.z[:, 0], [-1.1, 0.2, 0.9, 1.3], atol=1e-2)
    np.testing.assert_allclose(jnp.square(valleys(many.z) - x).mean((1, 2, 3)), many.error, atol=1e-7)


def test_an_image_is_projected_the_same_in_any_company():
    x = valleys(jnp.array([[-1.1], [0.2], [0.9], [1.3]]))
    together = project(valleys, x, KEYS, 1, restarts=3, iterations=50)
    alone = project(valleys, x[2:3], KEYS[2:3], 1, restarts=3, iterations=50)
    np.testing.assert_allclose(together.z[2:3], alone.z, atol=1e-5)


def test_the_error_of_features_is_added():
    """Two features of one pixel, which cannot be darker than 1."""

    def decode(z):
        return jnp.square(z).reshape(-1, 1, 1, 1) + 1

    def features(x):
        return jnp.concatenate([x.reshape(-1, 1), 3 * x.reshape(-1, 1)], 1)

    x = jnp.array([1.25, 0.5]).reshape(2, 1, 1, 1)
    pixels, both = (project(decode, x, KEYS[:2], 1, features=f).error for f in (None, features))
    np.testing.assert_allclose(pixels, [0, 0.25], atol=1e-3)
    np.testing.assert_allclose(both, [0, 0.25 * (1 + (1 + 9) / 2)], atol=1e-2)
