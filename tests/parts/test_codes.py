"""The Gaussian fitted to the codes of an autoencoder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.kernels.random import example_keys, normal
from genlab.nn.layers import AXIS
from genlab.parts.codes import Codes, codes


def correlated(n=64):
    """Codes with a mean and a full covariance."""
    root = np.array([[2, 1, 0], [0, 0.5, 1], [0.5, 0, 0.5]])  # of three: two axes may well be their own transpose
    return np.random.default_rng(1).normal(size=(n, 3)) @ root + [3, -1, 0]


@pytest.fixture
def updated():
    """`updated(z, times, devices)`: codes that have seen the batch `z` so many times."""

    def run(z, times, decay=0.5, devices=1):
        graph, state = nnx.split(Codes(z.shape[1], decay))

        def local(z):
            moved = nnx.merge(graph, nnx.to_pure_dict(state))
            for _ in range(times):
                moved.update(z)
            return nnx.state(moved)

        z = jnp.asarray(z, jnp.float32).reshape(devices, -1, z.shape[1])
        return nnx.merge(graph, jax.tree.map(lambda a: a[0], jax.jit(jax.vmap(local, axis_name=AXIS))(z)))

    return run


def test_one_batch_moves_the_averages_towards_its_codes(updated):
    """mean_t = (1 - d^t) m and second_t = (1 - d^t) M + d^t I, from 0 and I; on two devices as on one."""
    z = correlated()
    for devices in (1, 2):
        found = updated(z, 3, devices=devices)
        np.testing.assert_allclose(found.mean[...], 7 / 8 * z.mean(0), rtol=1e-4)
        np.testing.assert_allclose(found.second[...], 7 / 8 * z.T @ z / 64 + np.eye(3) / 8, rtol=1e-4, atol=1e-5)


def test_draws_have_the_mean_and_covariance_of_the_codes(updated):
    """Exactly, as the map is affine; and in 20,000 draws within 5 standard errors, which are below 0.04."""
    z = correlated()
    found = codes({"codes": updated(z, 30)})
    origin = np.asarray(found(jnp.zeros((1, 3))))
    root = np.asarray(found(jnp.eye(3))) - origin
    covariance = np.cov(z.T, bias=True)
    np.testing.assert_allclose(origin[0], z.mean(0), rtol=1e-4)
    np.testing.assert_allclose(root.T @ root, covariance, rtol=1e-3, atol=1e-3)
    keys = example_keys(jax.random.key(0), jnp.arange(20_000))
    drawn = jax.jit(lambda k: found(normal(k, (3,))))(keys)
    np.testing.assert_allclose(np.mean(drawn, 0), z.mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(np.asarray(drawn).T), covariance, atol=0.2)


def test_untrained_codes_are_standard_normal():
    """The orthogonal root of the unit matrix."""
    root = np.asarray(Codes(3)(jnp.eye(3)))
    np.testing.assert_allclose(root @ root.T, np.eye(3), atol=1e-6)


def test_a_singular_covariance_stays_finite(updated):
    """Codes on a line give draws on that line; codes all alike give that code, even if rounding takes a little more."""
    t = np.linspace(-1, 1, 64)[:, None]
    noise = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    line = np.asarray(updated(5 + t * [1, 2], 40)(jnp.asarray(noise)))
    assert np.isfinite(line).all()
    np.testing.assert_allclose(line[:, 1] - 5, 2 * (line[:, 0] - 5), atol=0.02)  # rounding of 25 in the second moment
    alike = updated(np.full((64, 2), 3.0), 40)
    np.testing.assert_allclose(alike(jnp.asarray(noise)), 3, atol=0.02)
    alike.second[...] = alike.second[...] - 1e-3 * jnp.eye(2)
    np.testing.assert_allclose(alike(jnp.asarray(noise)), 3, atol=0.02)
