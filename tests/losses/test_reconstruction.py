"""Reconstruction losses against scipy's densities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from genlab.losses.reconstruction import bernoulli, gaussian, squared_error


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((4, 3, 3, 3), np.float32), rng.normal(size=(4, 3, 3, 3)).astype(np.float32)


def test_bernoulli_is_the_log_probability_of_bits(images):
    x, logits = images[0] > 0.5, images[1]
    expected = -stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits.astype(float)))).sum((1, 2, 3))
    np.testing.assert_allclose(bernoulli(jnp.asarray(x, jnp.float32), jnp.asarray(logits)), expected, rtol=1e-5)


def test_bernoulli_sums_over_channels(images):
    """Lucic et al.'s VAE averaged over the channels, which made it a beta = 3 VAE on colour images."""
    x, logits = map(jnp.asarray, images)
    by_channel = sum(bernoulli(x[..., c : c + 1], logits[..., c : c + 1]) for c in range(3))
    np.testing.assert_allclose(bernoulli(x, logits), by_channel, rtol=1e-5)


def test_bernoulli_survives_extreme_logits():
    """Flax's VAE example overflows here: log(-expm1(log_sigmoid(x))) is -inf for large logits."""
    x, logits = jnp.array([[1.0, 0.0]]), jnp.array([[200.0, -200.0]])
    assert bernoulli(x, logits) == 0
    gradient = jax.grad(lambda logits: bernoulli(1 - x, logits).sum())(logits)
    np.testing.assert_array_equal(gradient, [[1, -1]])


@pytest.mark.parametrize("variance", ["one", "each"])
def test_gaussian_is_the_log_density(images, variance):
    """Of one variance for all, as data under a decoder have, and of one for each dimension."""
    x, mean = images
    log_variance = np.float32(2 * np.log(0.3)) if variance == "one" else 0.3 * mean
    expected = -stats.norm.logpdf(x.astype(float), mean, np.exp(log_variance / 2)).sum((1, 2, 3))
    np.testing.assert_allclose(gaussian(*map(jnp.asarray, (x, mean, log_variance))), expected, rtol=1e-5)


def test_gaussian_with_nothing_is_the_standard_normal(images):
    expected = -stats.norm.logpdf(images[1]).sum((1, 2, 3))
    np.testing.assert_allclose(gaussian(jnp.asarray(images[1]), 0.0, 0.0), expected, rtol=1e-5)


def test_squared_error_is_per_example(images):
    x, y = images
    expected = np.linalg.norm((x - y).reshape(4, -1), axis=1) ** 2
    np.testing.assert_allclose(squared_error(jnp.asarray(x), jnp.asarray(y)), expected, rtol=1e-5)
