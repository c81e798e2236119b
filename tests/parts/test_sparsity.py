"""The activity of a code's units and what it costs, over the batch of all devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from genlab.errors import Invalid
from genlab.nn.layers import AXIS
from genlab.parts.sparsity import Sparsity

KL = Sparsity("kl", rate=0.2)
Z = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


def cost(sparsity, z, devices=1):
    """The penalty and its gradient by the latents."""
    cut = jnp.asarray(z, jnp.float32).reshape(devices, -1, z.shape[1])
    f = jax.vmap(jax.value_and_grad(lambda z: sparsity.penalty(sparsity.units(z))), axis_name=AXIS)
    value, slope = f(cut)
    return np.mean(value), np.asarray(slope).reshape(z.shape) / devices


def test_the_penalties_by_numpy_and_scipy():
    active = special.expit(Z.astype(float))
    np.testing.assert_allclose(KL.units(jnp.asarray(Z)), active, rtol=1e-5)
    expected = sum(stats.entropy([0.2, 0.8], [rate, 1 - rate]) for rate in active.mean(0))
    np.testing.assert_allclose(cost(KL, Z)[0], expected, rtol=1e-4)
    np.testing.assert_allclose(cost(Sparsity("kl", 2.0, 0.2), Z)[0], 2 * expected, rtol=1e-4)
    active = np.maximum(Z, 0)
    np.testing.assert_array_equal(Sparsity("l1").units(jnp.asarray(Z)), active)
    np.testing.assert_allclose(cost(Sparsity("l1", 3.0), Z)[0], 3 * active.sum(1).mean(), rtol=1e-5)


def test_without_sparsity_the_units_are_the_latents():
    np.testing.assert_array_equal(Sparsity().units(jnp.asarray(Z)), Z)


@pytest.mark.parametrize("sparsity", [KL, Sparsity("l1")], ids=["kl", "l1"])
@pytest.mark.parametrize("devices", [2, 4])
def test_devices_agree(sparsity, devices):
    """The divergence is not linear in the batch: a mean of the devices' own would be larger."""
    one, more = cost(sparsity, Z), cost(sparsity, Z, devices)
    np.testing.assert_allclose(more[0], one[0], rtol=1e-5)


def test_units_at_the_rate_cost_nothing():
    """Their mean alone counts: half of them at 0.1 and half at 0.3 are as good as all at 0.2, where the slope is 0."""
    value, slope = cost(KL, special.logit([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]))
    np.testing.assert_allclose(value, 0, atol=1e-6)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


@pytest.mark.parametrize(("rate", "sign"), [(0.05, -1), (0.6, 1)])
def test_units_off_the_rate_are_driven_to_it(rate, sign):
    value, slope = cost(KL, special.logit(np.full((2, 3), rate)))
    assert value > 0
    assert (np.sign(slope) == sign).all()


@pytest.mark.parametrize("z", [-200.0, 200.0])
def test_saturated_units_stay_finite(z):
    assert all(np.isfinite(a).all() for a in cost(KL, np.full((2, 3), z)))


@pytest.mark.parametrize(("field", "value"), [("weight", -1.0), ("rate", 0.0), ("rate", 1.0)])
def test_bad_fields_are_named(field, value):
    with pytest.raises(Invalid, match=f"^{field}: {value} is not "):
        Sparsity(**{field: value})
