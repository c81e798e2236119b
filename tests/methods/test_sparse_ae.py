"""The sparse autoencoder: its two penalties, over the batch of all devices."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from genlab.errors import Invalid
from genlab.methods.sparse_ae import SparseAE
from genlab.nn.layers import AXIS
from genlab.nn.network import Net

SMALL = Net(width=4, depth=1)
METHOD = SparseAE(latent=3, encoder=SMALL, decoder=SMALL, weight=2.0, rate=0.2)
L1 = dataclasses.replace(METHOD, penalty="l1")
IMAGE = (2, 2, 1)


def images():
    return np.random.default_rng(0).uniform(-1, 1, (8, *IMAGE)).astype(np.float32)


@pytest.mark.parametrize("penalty", ["kl", "l1"])
def test_the_loss_is_error_plus_penalty(evaluate, compiled, fresh, keys, penalty):
    """By numpy and scipy from the latents: the decoder sees the units, and their activity is what is charged."""
    method = {"kl": METHOD, "l1": L1}[penalty]
    networks, x = fresh(method, IMAGE), images()
    z = np.asarray(compiled(lambda x: method.encode(networks, x))(x), float)
    if penalty == "kl":
        active = special.expit(z)
        expected = sum(stats.entropy([0.2, 0.8], [rate, 1 - rate]) for rate in active.mean(0))
    else:
        active = np.maximum(z, 0)
        expected = abs(active).sum(1).mean()
    decoded = np.asarray(compiled(lambda a: jnp.tanh(networks["decoder"](a)))(active.astype(np.float32)))
    seen = evaluate(method.loss, networks, x, keys(8))
    np.testing.assert_allclose(seen.metrics["penalty"], 2 * expected, rtol=1e-4)
    np.testing.assert_allclose(seen.metrics["activity"], active.mean(), rtol=1e-5)
    np.testing.assert_allclose(seen.loss, ((x - decoded) ** 2).sum((1, 2, 3)).mean() + 2 * expected, rtol=1e-4)


@pytest.mark.parametrize("method", [METHOD, L1], ids=["kl", "l1"])
@pytest.mark.parametrize("devices", [2, 4])
def test_devices_agree(evaluate, fresh, keys, method, devices):
    """The divergence is not linear in the batch: a mean of the devices' own would be larger."""
    networks, x = fresh(method, IMAGE), images()
    one, more = (evaluate(method.loss, networks, x, keys(8), n) for n in (1, devices))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, more)


def charge(z):
    """The penalty and its gradient by the latents."""
    f = jax.vmap(jax.value_and_grad(lambda z: METHOD.charge(METHOD.units(z))), axis_name=AXIS)
    return [np.asarray(a)[0] for a in f(jnp.asarray(z, jnp.float32)[None])]


def test_units_at_the_rate_cost_nothing():
    """Their mean alone counts: half of them at 0.1 and half at 0.3 are as good as all at 0.2, where the slope is 0."""
    z = special.logit([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    value, slope = charge(z)
    np.testing.assert_allclose(value, 0, atol=1e-6)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


@pytest.mark.parametrize(("rate", "sign"), [(0.05, -1), (0.6, 1)])
def test_units_off_the_rate_are_driven_to_it(rate, sign):
    value, slope = charge(special.logit(np.full((2, 3), rate)))
    assert value > 0
    assert (np.sign(slope) == sign).all()


@pytest.mark.parametrize("z", [-200.0, 200.0])
def test_saturated_units_stay_finite(z):
    assert all(np.isfinite(a).all() for a in charge(np.full((2, 3), z)))


@pytest.mark.parametrize(("field", "value"), [("weight", -1.0), ("rate", 0.0), ("rate", 1.0), ("latent", 0)])
def test_bad_fields_are_named(field, value):
    with pytest.raises(Invalid, match=f"^{field}: {value} is not "):
        SparseAE(**{field: value})
