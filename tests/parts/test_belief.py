"""Directed layers of bits: draws and their probabilities, by enumeration and by numpy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from genlab.kernels.boltzmann import Energy
from genlab.kernels.random import example_keys
from genlab.parts.belief import distortion, down_pass, recognition, up_pass


def layer(visible, hidden, seed, scale=None):
    rng = np.random.default_rng(seed)
    sizes = ((visible, hidden), visible, hidden)
    return Energy(*(jnp.asarray(rng.normal(size=size), jnp.float32) for size in sizes), scale)


LAYERS = [layer(4, 3, 0), layer(3, 2, 1)]
V = jnp.asarray(np.random.default_rng(2).integers(0, 2, (8, 4)), jnp.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def keys(n, seed=0):
    return example_keys(jax.random.key(seed), jnp.arange(n))


def cross_entropy(bits, p):
    """-log of the probability of bits whose means are p."""
    return -np.log(np.where(np.asarray(bits) == 1, p, 1 - p)).sum(1)


def test_a_pass_draws_every_layer_from_the_one_before():
    """In the mean over 4,000 draws, within 5 standard errors; upwards from one example, downwards from one code."""
    n = 4000
    v, h1, h2 = up_pass(LAYERS, jnp.repeat(V[:1], n, 0), keys(n))
    np.testing.assert_array_equal(v, jnp.repeat(V[:1], n, 0))
    means = sigmoid(V[0] @ LAYERS[0].weights + LAYERS[0].hidden)
    np.testing.assert_allclose(np.mean(h1, 0), means, atol=2.5 / n**0.5)
    np.testing.assert_allclose(np.mean(h2, 0), sigmoid(h1 @ LAYERS[1].weights + LAYERS[1].hidden).mean(0), atol=0.04)
    code = jnp.repeat(jnp.asarray([[1.0, 0.0]]), n, 0)
    v, h1, h2 = down_pass(LAYERS, code, keys(n))
    np.testing.assert_array_equal(h2, code)
    np.testing.assert_allclose(np.mean(h1, 0), sigmoid(LAYERS[1].weights[:, 0] + LAYERS[1].visible), atol=2.5 / n**0.5)
    np.testing.assert_allclose(np.mean(v, 0), sigmoid(h1 @ LAYERS[0].weights.T + LAYERS[0].visible).mean(0), atol=0.04)


def test_without_layers_nothing_is_drawn():
    assert len(up_pass([], V, keys(8))) == 1
    np.testing.assert_array_equal(distortion([], [V]), np.zeros(8))
    np.testing.assert_array_equal(recognition([], [V]), np.zeros(8))


def test_probabilities_of_all_layers():
    units = [np.asarray(u, np.float64) for u in up_pass(LAYERS, V, keys(8))]
    down = [sigmoid(units[i + 1] @ e.weights.T + e.visible) for i, e in enumerate(LAYERS)]
    up = [sigmoid(units[i] @ e.weights + e.hidden) for i, e in enumerate(LAYERS)]
    expected = sum(cross_entropy(units[i], p) for i, p in enumerate(down))
    given = [jnp.asarray(u, jnp.float32) for u in units]
    np.testing.assert_allclose(distortion(LAYERS, given), expected, rtol=1e-5)
    expected = sum(cross_entropy(units[i + 1], p) for i, p in enumerate(up))
    np.testing.assert_allclose(recognition(LAYERS, given), expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_gaussian_units_are_at_the_bottom(scale):
    """-log N(v; b + s W h, s^2)."""
    e, v = layer(4, 3, 3, scale), V - 0.5
    _, h = up_pass([e], v, keys(8))
    mean = e.visible + scale * h @ e.weights.T
    expected = -stats.norm(mean, scale).logpdf(v).sum(1)
    np.testing.assert_allclose(distortion([e], [v, h]), expected, rtol=1e-5)
    drawn = down_pass([e], jnp.repeat(h[:1], 4000, 0), keys(4000))[0]
    np.testing.assert_allclose(np.mean(drawn, 0), mean[0], atol=5 * scale / math.sqrt(4000))
    np.testing.assert_allclose(np.std(drawn, 0), scale, rtol=0.08)
