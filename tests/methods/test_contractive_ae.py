"""The contractive autoencoder: the penalty is that of the encoder's Jacobian, exact or estimated."""

import dataclasses

import jax
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.methods.ae import AE
from genlab.nn.net import Net
from genlab.parts.contraction import Contraction

SMALL = Net(width=4, depth=1, activation="tanh")
METHOD = AE(latent=3, encoder=SMALL, decoder=SMALL, contraction=Contraction(2.0))
IMAGE = (2, 2, 1)


def images():
    return np.random.default_rng(0).uniform(-1, 1, (8, *IMAGE)).astype(np.float32)


def jacobians(method, networks):
    """One for each example, (b, latent, h, w, c)."""
    return jax.vmap(jax.jacrev(lambda x: method.encode(networks, x[None])[0]))


def test_the_penalty_is_the_jacobians_norm_and_adds_to_the_error(evaluate, compiled, fresh, keys):
    networks, x = fresh(METHOD, IMAGE), images()
    norms = np.square(compiled(jacobians(METHOD, networks))(x)).sum((1, 2, 3, 4))
    seen = evaluate(METHOD.loss, networks, x, keys(8))
    np.testing.assert_allclose(seen.metrics["penalty"], 2 * norms.mean(), rtol=1e-5)
    plain = AE(latent=3, encoder=SMALL, decoder=SMALL)
    error = evaluate(plain.loss, networks, x, keys(8)).loss
    np.testing.assert_allclose(seen.loss, error + seen.metrics["penalty"], rtol=1e-6)


def test_the_estimate_is_exact_for_one_latent(evaluate, fresh, keys):
    """A single row times a sign: |v J| = |J|; the gradients agree as well."""
    exact = dataclasses.replace(METHOD, latent=1)
    estimated = dataclasses.replace(exact, contraction=Contraction(2.0, exact=False))
    networks, x = fresh(exact, IMAGE), images()
    ours, theirs = (evaluate(method.loss, networks, x, keys(8)) for method in (exact, estimated))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, theirs)


def test_the_estimate_is_unbiased(compiled, fresh, evaluate, keys):
    """One example 4,096 times, each with its own signs: the mean is within 5 standard errors of the exact norm."""
    estimate = dataclasses.replace(METHOD, contraction=Contraction(1.0, exact=False))
    networks, x = fresh(estimate, IMAGE), images()[:1]
    jacobian = np.asarray(compiled(jacobians(estimate, networks))(x)).reshape(3, -1)
    seen = evaluate(estimate.loss, networks, np.repeat(x, 4096, axis=0), keys(4096))
    products = jacobian @ jacobian.T
    deviation = np.sqrt(2 * (np.square(products).sum() - np.square(np.diag(products)).sum()))  # of one draw
    np.testing.assert_allclose(seen.metrics["penalty"], np.trace(products), atol=5 * deviation / 64)


def test_devices_agree(evaluate, fresh, keys):
    method = dataclasses.replace(METHOD, contraction=Contraction(2.0, exact=False))
    networks, x = fresh(method, IMAGE), images()
    one, two = (evaluate(method.loss, networks, x, keys(8), n) for n in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, two)


def test_batch_norm_is_refused_in_the_encoder():
    with pytest.raises(Invalid, match="^encoder.norm: 'batch' is not allowed under a contractive penalty: .*"):
        AE(encoder=Net(norm="batch"), contraction=Contraction(0.1))
    AE(decoder=Net(norm="batch"), contraction=Contraction(0.1))
    AE(encoder=Net(norm="batch"))
