"""The sparse autoencoder: its two penalties, over the batch of all devices."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from genlab.errors import Invalid
from genlab.methods.ae import AE
from genlab.nn.net import Net
from genlab.parts.sparsity import Sparsity

SMALL = Net(width=4, depth=1)
METHOD = AE(latent=3, encoder=SMALL, decoder=SMALL, sparsity=Sparsity("kl", 2.0, 0.2))
L1 = dataclasses.replace(METHOD, sparsity=Sparsity("l1", 2.0))
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


def test_bad_fields_are_named():
    with pytest.raises(Invalid, match="^latent: 0 is not at least 1$"):
        AE(latent=0, sparsity=Sparsity("kl"))
