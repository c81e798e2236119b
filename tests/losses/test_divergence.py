"""Divergences in closed form."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from genlab.losses.divergence import SCALES, kl_bernoulli, kl_normal, mmd, sliced_wasserstein


def test_kl_is_zero_at_the_prior_only():
    zeros, ones = jnp.zeros((2, 3)), jnp.ones((2, 3))
    np.testing.assert_array_equal(kl_normal(zeros, zeros), zeros)
    np.testing.assert_allclose(kl_normal(ones, ones, ones, ones), zeros, atol=1e-6)
    for other in ((zeros + 0.1, zeros), (zeros, zeros - 0.1), (zeros, zeros + 0.1)):
        assert (kl_normal(*other) > 0).all()


def test_kl_is_the_mean_log_ratio():
    """KL = E_q[log q - log p], by Gauss-Hermite quadrature, each dimension by itself."""
    mean, log_variance, prior_mean, prior_log_variance = np.array(
        [[[0.7, 0.0]], [[-1.1, 0.4]], [[0.3, -0.5]], [[0.9, -0.6]]], np.float32
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    z = mean[..., None] + np.exp(log_variance[..., None] / 2) * nodes
    q = stats.norm.logpdf(z, mean[..., None], np.exp(log_variance[..., None] / 2))
    p = stats.norm.logpdf(z, prior_mean[..., None], np.exp(prior_log_variance[..., None] / 2))
    expected = (weights * (q - p)).sum(-1) / weights.sum()
    arguments = map(jnp.asarray, (mean, log_variance, prior_mean, prior_log_variance))
    np.testing.assert_allclose(kl_normal(*arguments), expected, rtol=1e-5)


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


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_kl_bernoulli_is_the_mean_log_ratio(p):
    q = np.array([[0.01, 0.5], [p, 0.99]], np.float32)
    expected = [[stats.entropy([p, 1 - p], [r, 1 - r]) for r in row] for row in q.astype(float)]
    np.testing.assert_allclose(kl_bernoulli(p, jnp.asarray(q)), expected, rtol=1e-5, atol=1e-6)


def test_kl_bernoulli_stays_finite_at_certainty():
    assert np.isfinite(kl_bernoulli(0.3, jnp.array([0.0, 1.0]))).all()


def inverse_multiquadratic(a, b, variance):
    """Tolstikhin et al. (2018), section 4: sum over scales of C / (C + |a - b|^2), C = scale * 2 d variance."""
    return sum(s * 2 * len(a) * variance / (s * 2 * len(a) * variance + ((a - b) ** 2).sum()) for s in SCALES)


def loops(x, y, variance):
    """Algorithm 2's sums, one pair at a time."""
    k = {
        (i, j): inverse_multiquadratic(a, b, variance)
        for (i, a), (j, b) in itertools.product(enumerate([*x, *y]), repeat=2)
    }
    n, m = len(x), len(y)
    first = sum(k[i, j] for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    second = sum(k[n + i, n + j] for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return first + second - 2 * sum(k[i, n + j] for i in range(n) for j in range(m)) / (n * m)


@pytest.mark.parametrize(("n", "m", "d", "variance"), [(2, 2, 1, 1.0), (7, 5, 3, 0.5), (4, 9, 16, 2.0)])
def test_mmd_is_the_papers_sums(n, m, d, variance):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(n, d)), 1 + random.normal(size=(m, d))
    np.testing.assert_allclose(mmd(jnp.float32(x), jnp.float32(y), variance), loops(x, y, variance), atol=2e-6)


def test_mmd_is_unbiased():
    """For two distributions on three points: the mean over all samples of 2 and 3 is (p - q)^T K (p - q), exactly."""
    points = np.array([[-1.0, 0], [0.5, 2], [3, -1]])
    p, q = np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.1, 0.3])
    kernel = np.array([[inverse_multiquadratic(a, b, 1.0) for b in points] for a in points])
    draws = list(itertools.product(itertools.product(range(3), repeat=2), itertools.product(range(3), repeat=3)))
    first, second = (np.array([points[list(draw[side])] for draw in draws]) for side in (0, 1))
    weights = np.array([np.prod(p[list(i)]) * np.prod(q[list(j)]) for i, j in draws])
    estimates = jax.vmap(lambda x, y: mmd(x, y, 1.0))(jnp.float32(first), jnp.float32(second))
    np.testing.assert_allclose((weights * np.asarray(estimates)).sum(), (p - q) @ kernel @ (p - q), atol=2e-6)


def test_mmd_of_points_far_apart():
    """Two coinciding points against two others infinitely far away: 2 for every scale, and a slope that is finite."""
    x, y = jnp.zeros((2, 1)), jnp.full((2, 1), 1e6)
    value, slope = jax.value_and_grad(mmd)(x, y, 1.0)
    np.testing.assert_allclose(value, 2 * len(SCALES), rtol=1e-5)
    assert np.isfinite(slope).all()
