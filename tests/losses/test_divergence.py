"""Divergences in closed form."""

import jax
import jax.numpy as jnp
import numpy as np

from genlab.losses.divergence import kl_standard_normal, sliced_wasserstein


def test_kl_is_zero_at_the_prior_only():
    zeros = jnp.zeros((2, 3))
    np.testing.assert_array_equal(kl_standard_normal(zeros, zeros), [0, 0])
    assert (kl_standard_normal(zeros + 0.1, zeros) > 0).all()
    assert (kl_standard_normal(zeros, zeros - 0.1) > 0).all()


def test_kl_is_the_mean_log_ratio():
    """KL = E_q[log q - log p], by Gauss-Hermite quadrature in one dimension."""
    mean, log_variance = 0.7, -1.1
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    z = mean + np.exp(log_variance / 2) * nodes
    log_ratio = -0.5 * nodes**2 - log_variance / 2 + 0.5 * z**2
    expected = (weights * log_ratio).sum() / weights.sum()
    np.testing.assert_allclose(
        kl_standard_normal(jnp.full((1, 1), mean), jnp.full((1, 1), log_variance)), [expected], rtol=1e-5
    )


def test_sliced_wasserstein_of_a_shift():
    """In one dimension the distance of a sample to its shifted copy is the shift; in d, the shift over sqrt(d)."""
    x = jax.random.normal(jax.random.key(0), (64, 1))
    np.testing.assert_allclose(sliced_wasserstein(x, x + 0.5, jax.random.key(1)), 0.5, rtol=1e-5)
    x = jax.random.normal(jax.random.key(0), (64, 4))
    shift = jnp.array([2.0, 0, 0, 0])
    far = sliced_wasserstein(x, x + shift, jax.random.key(1), directions=20_000)
    np.testing.assert_allclose(far, 2 / 4**0.5, rtol=0.02)


def test_sliced_wasserstein_ignores_order():
    x = jax.random.normal(jax.random.key(0), (32, 2, 2, 1))
    shuffled = jax.random.permutation(jax.random.key(2), x)
    assert sliced_wasserstein(x, shuffled, jax.random.key(1)) < 1e-6
