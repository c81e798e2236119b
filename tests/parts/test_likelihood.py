"""Likelihoods: their probabilities add up to 1, their means and draws are those of the density."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from genlab.errors import Invalid
from genlab.kernels.random import example_keys
from genlab.parts.likelihood import (
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    Likelihood,
    Logistic,
    LogisticMixture,
)

LEVELS = np.arange(256) / 127.5 - 1
OUTPUTS = [-30.0, -2.0, -0.09, 0.0, 0.05, 0.11, 3.0, 40.0]


def pixel(values):
    return jnp.asarray(np.asarray(values, np.float32).reshape(-1, 1, 1, 1))


def keys(n=20_000):
    return example_keys(jax.random.key(5), jnp.arange(n))


def test_bits_add_up_to_one():
    outputs = np.random.default_rng(0).normal(0, 2, (1, 2, 2, 1)).astype(np.float32)
    images = np.array(list(itertools.product([-1, 1], repeat=4)), np.float32).reshape(-1, 2, 2, 1)
    total = np.exp(Bernoulli().log_probability(jnp.asarray(images), jnp.tile(outputs, (16, 1, 1, 1)))).sum()
    np.testing.assert_allclose(total, 1, rtol=1e-5)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_continuous_bernoulli_is_a_density_of_that_mean(output):
    """By quadrature in float64 over [-1, 1], of the log-densities of 4,001 pixels; 1e-4 is what it is good for."""
    x = np.linspace(-1, 1, 4001)
    model = ContinuousBernoulli()
    log_density = np.asarray(model.log_probability(pixel(x), pixel(np.full(4001, output))), float)
    np.testing.assert_allclose(np.trapezoid(np.exp(log_density), x), 1, rtol=2e-4)
    mean = np.trapezoid(x * np.exp(log_density), x)
    np.testing.assert_allclose(model.mean(pixel([output]))[0, 0, 0, 0], mean, atol=2e-4)
    drawn = np.asarray(model.sample(pixel(np.full(20_000, output)), keys()))
    assert abs(drawn).max() <= 1
    np.testing.assert_allclose(drawn.mean(), mean, atol=0.025)


def test_the_continuous_bernoulli_of_its_paper_and_not_the_bernoulli():
    """Eq. 8 with p = 0.8 and 0.2, by numpy; a pixel in [-1, 1] has half the density of one in [0, 1]."""
    for p in (0.8, 0.2):
        constant = 2 * np.arctanh(1 - 2 * p) / (1 - 2 * p)
        expected = np.log(p**0.3 * (1 - p) ** 0.7 * constant / 2)
        found = ContinuousBernoulli().log_probability(pixel([-0.4]), pixel([special.logit(p)]))
        np.testing.assert_allclose(found, [expected], rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 0.02, 0.3, 5.0])
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_levels_of_a_logistic_add_up_to_one(scale, output):
    model = Logistic(scale, False)
    logs = np.asarray(model.log_probability(pixel(LEVELS), pixel(np.full(256, output))), float)
    assert np.isfinite(logs).all()
    np.testing.assert_allclose(np.exp(logs).sum(), 1, rtol=1e-4)
    mean = np.tanh(output)
    edges = stats.logistic.cdf((LEVELS[:-1] + 1 / 255 - mean) / scale)
    expected = np.diff(np.concatenate([[0], edges, [1]]))
    seen = expected > 1e-9  # below, the difference of float64s is rounding
    np.testing.assert_allclose(np.exp(logs)[seen], expected[seen], rtol=3e-3)


def test_a_level_that_is_all_but_impossible_still_pulls():
    def cost(output):
        return -Logistic(0.01, False).log_probability(pixel([1.0]), pixel([0.0]) + output).sum()

    assert jax.grad(cost)(-1.0) < -1 and np.isfinite(cost(-3.0))


def mixture(channels, n, seed=0):
    size = Likelihood("logistic_mixture", components=3).outputs((1, 1, channels))[2]
    outputs = np.random.default_rng(seed).normal(0, 1, (1, 1, 1, size)).astype(np.float32)
    return LogisticMixture(channels, 3), jnp.tile(outputs, (n, 1, 1, 1))


def test_a_pixel_of_a_mixture_has_one_in_all():
    """Over the 256 levels of a channel, and over all 65,536 pairs of two channels of which one goes by the other."""
    model, outputs = mixture(1, 256)
    np.testing.assert_allclose(np.exp(model.log_probability(pixel(LEVELS), outputs)).sum(), 1, rtol=1e-4)
    model, outputs = mixture(2, 256)
    total = 0.0
    for first in LEVELS:
        pairs = np.stack([np.full(256, first), LEVELS], -1).reshape(-1, 1, 1, 2).astype(np.float32)
        total += float(np.exp(model.log_probability(jnp.asarray(pairs), outputs)).sum())
    np.testing.assert_allclose(total, 1, rtol=1e-3)


def test_channels_go_by_those_before_them():
    """The covariance of two channels of 20,000 draws, beside that of the levels' probabilities."""
    model, outputs = mixture(2, 256, seed=1)
    weights = np.zeros((256, 256))
    for i, first in enumerate(LEVELS):
        pairs = np.stack([np.full(256, first), LEVELS], -1).reshape(-1, 1, 1, 2).astype(np.float32)
        weights[i] = np.exp(model.log_probability(jnp.asarray(pairs), outputs))
    means = weights.sum(1) @ LEVELS, weights.sum(0) @ LEVELS
    expected = LEVELS @ weights @ LEVELS - means[0] * means[1]
    drawn = np.asarray(model.sample(jnp.tile(outputs[:1], (20_000, 1, 1, 1)), keys())).reshape(-1, 2)
    np.testing.assert_allclose(drawn.mean(0), means, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T)[0, 1], expected, atol=0.03)
    on_levels = np.abs((drawn + 1) * 127.5 - np.round((drawn + 1) * 127.5))
    assert on_levels.max() < 1e-3


def test_draws_of_bits_and_gaussians():
    bits = np.asarray(Bernoulli().sample(pixel(np.full(20_000, 0.7)), keys()))
    assert set(np.unique(bits)) == {-1.0, 1.0}
    np.testing.assert_allclose(bits.mean(), 2 * special.expit(0.7) - 1, atol=0.04)
    gaussian = np.asarray(Gaussian(0.3, False).sample(pixel(np.full(20_000, 0.7)), keys()))
    np.testing.assert_allclose([gaussian.mean(), gaussian.std()], [np.tanh(0.7), 0.3], atol=0.015)
    logistic = np.asarray(Logistic(0.05, False).sample(pixel(np.full(20_000, 0.2)), keys()))
    np.testing.assert_allclose([logistic.mean(), logistic.std()], [np.tanh(0.2), 0.05 * np.pi / 3**0.5], atol=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "bernoulli", "learn_scale": True}, "learn_scale: True is not for bernoulli, which has none"),
        ({"name": "logistic", "scale": 0.0}, "scale: 0.0 is not above 0"),
        ({"name": "logistic_mixture", "components": 0}, "components: 0 is not at least 1"),
    ],
)
def test_what_cannot_work_is_refused(settings, message):
    with pytest.raises(Invalid, match=f"^{message}"):
        Likelihood(**settings)


@pytest.mark.parametrize("name", ["bernoulli", "continuous_bernoulli", "logistic", "logistic_mixture"])
def test_points_need_the_gaussian(name):
    with pytest.raises(Invalid, match=f"^method.likelihood.name: '{name}' is not for points: use gaussian$"):
        Likelihood(name).outputs((2,))
    assert Likelihood("gaussian").outputs((2,)) == (2,)
