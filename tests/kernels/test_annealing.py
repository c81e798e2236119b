"""Annealed importance sampling against the exact partition function."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.kernels.annealing import base_rates, log_mean, log_partition
from genlab.kernels.boltzmann import Energy
from genlab.kernels.random import example_keys

RUNS = jax.jit(log_partition, static_argnums=3)


def machine(v, h, size, scale=None, seed=0):
    """Random, with parameters of a standard deviation of `size`."""
    w, b, c = (np.random.default_rng(seed).normal(size=n) * size for n in ((v, h), v, h))
    return Energy(*(jnp.asarray(p, jnp.float32) for p in (w, b, c)), scale)


def keys(n, seed=0):
    return jax.jit(example_keys)(jax.random.key(seed), jnp.arange(n))


def exact(e):
    """log Z, by summing over all hidden states what is left when the visible units are summed or integrated out."""
    w, b, c = (np.asarray(p, np.float64) for p in (e.weights, e.visible, e.hidden))
    h = np.array(list(itertools.product([0.0, 1.0], repeat=len(c))))
    if e.scale is None:
        terms = h @ c + np.logaddexp(0, b + h @ w.T).sum(1)
    else:
        means = b + e.scale * h @ w.T
        terms = h @ c + ((means**2).sum(1) - (b**2).sum()) / (2 * e.scale**2)
        terms = terms + len(b) * np.log(e.scale * np.sqrt(2 * np.pi))
    return np.logaddexp.reduce(terms)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_within_a_tenth_of_a_nat_of_a_machine_of_10_by_8(seed):
    """Weights of order 1, far from independent units; the standard error says how near it is."""
    e = machine(10, 8, 1.0, seed=seed)
    value, error = log_mean(RUNS(e, e.visible, keys(500), 500))
    assert abs(value - exact(e)) < 0.1
    assert abs(value - exact(e)) < 4 * error < 0.1


def test_any_base_will_do():
    e = machine(10, 8, 1.0)
    for base in (jnp.zeros(10), jnp.linspace(-2, 2, 10)):
        value, error = log_mean(RUNS(e, base, keys(500), 500))
        assert abs(value - exact(e)) < min(4 * error, 0.1)


def test_gaussian_visible_units():
    e = machine(6, 5, 0.7, scale=0.5)
    value, error = log_mean(RUNS(e, e.visible, keys(1000), 500))
    assert abs(value - exact(e)) < min(4 * error, 0.1)


def test_one_temperature_is_plain_importance_sampling():
    """Of the base, which without weights is the machine itself: every run is exact."""
    e = machine(5, 4, 1.0)
    free = Energy(jnp.zeros((5, 4)), e.visible, jnp.zeros(4))
    np.testing.assert_allclose(RUNS(free, e.visible, keys(500), 1), exact(free), rtol=1e-5)
    far = machine(5, 4, 2.0)
    one, many = (RUNS(far, far.visible, keys(500), n).std() for n in (1, 300))
    assert many < one / 3  # annealing is what makes runs agree


def test_estimates_of_z_are_unbiased():
    """Already with 3 temperatures, where single runs are far off: the mean of 20,000 within 4 standard errors."""
    e = machine(4, 3, 1.0)
    value, error = log_mean(RUNS(e, e.visible, keys(20_000), 3))
    assert error < 0.01
    assert abs(value - exact(e)) < 4 * error


def test_the_base_has_the_rates_it_is_given():
    """sigmoid(base) = (sum + 1) / (n + 2) for bits, which is never 0 or 1; Gaussian units take the mean."""
    v = jnp.asarray([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(jax.nn.sigmoid(base_rates(machine(3, 2, 1.0), v)), [1 / 4, 3 / 4, 1 / 2], rtol=1e-6)
    np.testing.assert_allclose(base_rates(machine(3, 2, 1.0, 0.5), v), [0, 1, 0.5])


def test_the_mean_and_its_error():
    logs = np.log([1.0, 2.0, 3.0, 6.0]).astype(np.float32)
    value, error = log_mean(jnp.asarray(logs) + 1000)
    np.testing.assert_allclose(value, 1000 + np.log(3), rtol=1e-6)
    np.testing.assert_allclose(error, np.std([1, 2, 3, 6], ddof=1) / 2 / 3, rtol=1e-4)


def test_the_error_is_the_spread_of_repeated_estimates():
    """Over 200 independent estimates of 50 runs each, within a fifth."""
    e = machine(6, 5, 1.0)
    logs = RUNS(e, e.visible, keys(10_000), 30).reshape(200, 50)
    values, errors = jax.vmap(log_mean)(logs)
    np.testing.assert_allclose(values.std(), errors.mean(), rtol=0.2)
