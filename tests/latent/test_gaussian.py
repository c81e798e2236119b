"""Truncated normals and Ornstein-Uhlenbeck walks, by their moments and quantiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from genlab.kernels.random import example_keys
from genlab.latent.gaussian import truncate, walk

Z = jax.random.normal(jax.random.key(0), (2000, 5))


@pytest.mark.parametrize("threshold", [0.04, 0.5, 2.0])
def test_truncated_draws_have_the_distribution_of_draws_until_inside(threshold):
    found = truncate(Z, threshold)
    assert abs(found).max() <= threshold
    again = Z[abs(Z) < threshold]
    assert stats.ks_2samp(np.asarray(found).ravel(), np.asarray(again)).pvalue > 1e-3
    exact = stats.truncnorm(-threshold, threshold).ppf(stats.norm.cdf(np.asarray(Z[0], np.float64)))
    np.testing.assert_allclose(found[0], exact, rtol=1e-4)


def test_a_wide_threshold_changes_nothing_and_extremes_stay_inside():
    np.testing.assert_allclose(truncate(Z, 20.0), Z, rtol=1e-3, atol=1e-6)
    far = jnp.array([[-30.0, -6.0, 0.0, 6.0, 30.0]])
    found = truncate(far, 5.0)[0]
    assert np.isfinite(found).all() and abs(found).max() <= 5 and found[2] == 0
    assert (np.diff(found) >= 0).all()


def test_a_walk_is_stationary_and_forgets():
    """Every step is N(0, 1) when the first one is; steps k apart correlate as c^k."""
    keys = example_keys(jax.random.key(1), jnp.arange(2000))
    found = jax.jit(walk, static_argnums=(2, 3))(Z, keys, 6, 0.8)
    assert found.shape == (2000, 6, 5)
    np.testing.assert_array_equal(found[:, 0], Z)
    for k in range(6):
        assert abs(found[:, k].mean()) < 4 / 100 and abs(found[:, k].var() - 1) < 4 * 2**0.5 / 100
        assert abs((found[:, 0] * found[:, k]).mean() - 0.8**k) < 4 * 2**0.5 / 100
    np.testing.assert_allclose(found[7:9], walk(Z[7:9], keys[7:9], 6, 0.8), rtol=1e-5, atol=1e-6)


def test_walks_of_no_memory_and_of_no_movement():
    keys = example_keys(jax.random.key(1), jnp.arange(4))
    still, free = walk(Z[:4], keys, 3, 1.0), walk(Z[:4], keys, 3, 0.0)
    np.testing.assert_array_equal(still, jnp.repeat(Z[:4, None], 3, 1))
    np.testing.assert_array_equal(free[:, 1:], walk(Z[4:8], keys, 3, 0.0)[:, 1:])
    assert abs(free[:, 1] - free[:, 2]).min() > 0
