"""The Wasserstein autoencoder: its discrepancy is that of all codes of the batch, on however many devices."""

import dataclasses

import jax
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.random import normal
from genlab.losses.divergence import SCALES, mmd
from genlab.methods.wae import WAE
from genlab.nn.net import Net

SMALL = Net(width=4, depth=1)
METHOD = WAE(latent=2, encoder=SMALL, decoder=SMALL)
IMAGE = (2, 2, 1)


def images():
    return np.random.default_rng(0).uniform(-1, 1, (8, *IMAGE)).astype(np.float32)


def test_the_loss_is_error_plus_discrepancy(evaluate, compiled, fresh, keys):
    """From the codes and the prior's draws of the same keys, with the paper's C = 2 d sigma^2 for sigma = 1."""
    networks, x, k = fresh(METHOD, IMAGE), images(), keys(8)
    z, y, prior = compiled(lambda x, k: (METHOD.encode(networks, x), METHOD.reconstruct(networks, x), normal(k, (2,))))(
        x, k
    )
    seen = evaluate(METHOD.loss, networks, x, k)
    np.testing.assert_allclose(seen.metrics["mmd"], mmd(z, prior, 1.0), rtol=1e-5)
    expected = np.square(x - np.asarray(y)).sum((1, 2, 3)).mean() + 10 * seen.metrics["mmd"]
    np.testing.assert_allclose(seen.loss, expected, rtol=1e-5)


@pytest.mark.parametrize("devices", [2, 4])
def test_devices_agree(evaluate, fresh, keys, devices):
    """Loss and gradients; devices that looked at their own codes alone would make another estimate."""
    networks, x = fresh(METHOD, IMAGE), images()
    one, more = (evaluate(METHOD.loss, networks, x, keys(8), n) for n in (1, devices))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), one, more)


def test_the_prior_has_the_least_discrepancy(compiled, keys):
    """Among N(m, s^2) the mean estimate from 512 points is least at the prior; nearly 0 there, far off at most 7."""
    z, prior = (compiled(lambda k: normal(k, (2,)))(keys(512, seed)) for seed in (1, 2))
    seen = {(m, s): float(mmd(m + s * z, prior, 1.0)) for m in (0.0, 0.7) for s in (0.5, 1.0, 2.0)}
    assert min(seen, key=seen.__getitem__) == (0.0, 1.0)
    assert abs(seen[0.0, 1.0]) < 0.02 < 0.05 < min(value for at, value in seen.items() if at != (0.0, 1.0))
    assert max(seen.values()) < len(SCALES)


def test_a_negative_weight_is_refused():
    with pytest.raises(Invalid, match="^weight: -1.0 is not at least 0$"):
        WAE(weight=-1.0)


@pytest.mark.parametrize(("quarter", "weight"), [(1, 200.0), (4, 800.0)], ids=["[-1, 1]", "[0, 1]"])
def test_the_official_objective_is_this_one_with_another_weight(evaluate, fresh, keys, quarter, weight):
    """0.05 times the squared error, of pixels of half the range a quarter, plus 10 times the discrepancy."""
    method = dataclasses.replace(METHOD, weight=weight)
    seen = evaluate(method.loss, fresh(METHOD, IMAGE), images(), keys(8))
    error = 4 * seen.metrics["rmse"] ** 2 / quarter
    official = 0.05 * error + 10 * seen.metrics["mmd"]
    np.testing.assert_allclose(0.05 / quarter * seen.loss, official, rtol=1e-5)
