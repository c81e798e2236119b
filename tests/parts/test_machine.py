"""A machine's parameters, what its visible units are to the data, and how probable it says bits are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.kernels.boltzmann import Energy, log_pseudo_likelihood
from genlab.kernels.random import example_keys
from genlab.parts.machine import UNITS, Machine, VisibleUnits, machine, negative_pseudo_likelihood

IMAGE = (2, 2, 1)
X = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (8, *IMAGE)), jnp.float32)


def test_fresh_parameters():
    """Weights of N(0, 0.01^2), or 0 by a spread of 0, and biases of 0."""
    model = Machine((20, 20, 1), 100, None, nnx.Rngs(0))
    e = model.energy
    assert e.weights.shape == (400, 100) and not e.visible.any() and not e.hidden.any()
    np.testing.assert_allclose(e.weights.std(), 0.01, rtol=0.02)  # 5.6 standard errors of 40,000 draws
    assert not Machine(IMAGE, 3, None, nnx.Rngs(0), spread=0.0).energy.weights.any()
    assert machine({"machine": model}, "machine") is model


@pytest.mark.parametrize("visible", [VisibleUnits(), VisibleUnits("gaussian", 0.5)], ids=["binary", "gaussian"])
def test_units_and_data_are_each_others_inverse(visible):
    model = visible.machine(IMAGE, 3, nnx.Rngs(0))
    flat = np.asarray(X).reshape(8, 4)
    np.testing.assert_allclose(model.units(X), (flat + 1) / 2 if visible.kind == "binary" else flat, rtol=1e-6)
    np.testing.assert_allclose(model.data(model.units(X)), X, atol=1e-6)
    assert model.energy.scale == (None if visible.kind == "binary" else 0.5)
    assert visible.observation == {"binary": "bernoulli", "gaussian": "gaussian"}[visible.kind]


def test_images_are_clipped_and_points_are_not():
    image, points = (VisibleUnits("gaussian").machine(shape, 3, nnx.Rngs(0)) for shape in (IMAGE, (4,)))
    v = jnp.full((1, 4), 3.0)
    np.testing.assert_array_equal(image.data(v), np.ones((1, *IMAGE)))
    np.testing.assert_array_equal(points.data(v), v)


def test_biases_start_at_the_data():
    mean = np.random.default_rng(1).uniform(-0.9, 0.9, IMAGE).astype(np.float32)
    bits, gaussian = (VisibleUnits(kind).machine(IMAGE, 3, nnx.Rngs(0)) for kind in ("binary", "gaussian"))
    for model in (bits, gaussian):
        model.centre(jnp.asarray(mean))
    p = (mean.reshape(-1) + 1) / 2
    np.testing.assert_allclose(bits.energy.visible, np.log(p / (1 - p)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(gaussian.energy.visible, mean.reshape(-1))


@pytest.mark.parametrize(("turn", "k"), [(0, 1), (None, UNITS)])
def test_the_pseudo_likelihood_is_of_one_bit_in_training(turn, k):
    """And of 64 held out, of 100 here."""
    rng = np.random.default_rng(0)
    weights, visible, hidden = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((100, 3), 100, 3))
    energy, v = Energy(weights, visible, hidden), jnp.asarray(rng.integers(0, 2, (8, 100)), jnp.float32)
    keys = example_keys(jax.random.key(0), jnp.arange(8))
    found = negative_pseudo_likelihood(energy, v, keys, turn)
    np.testing.assert_allclose(found, -log_pseudo_likelihood(energy, v, keys, k).mean(), rtol=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(Invalid, match="^method.visible.kind: 'binary' is not for points: use gaussian$"):
        VisibleUnits().machine((2,), 3, nnx.Rngs(0))
    with pytest.raises(Invalid, match="^scale: 0.0 is not above 0$"):
        VisibleUnits(scale=0.0)
