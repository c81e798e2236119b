"""The penalty on an encoder's Jacobian, of a linear encoder, whose Jacobian is its matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.errors import Invalid
from genlab.kernels.random import example_keys
from genlab.parts.contraction import Contraction

W = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def cost(contraction, n, w=W):
    keys = example_keys(jax.random.key(0), jnp.arange(n))
    x = jnp.ones((n, 2, 2))
    return jax.jit(lambda k: contraction.penalty(lambda x: x.reshape(len(x), -1) @ w, x, k))(keys)


def test_it_is_the_jacobians_norm():
    np.testing.assert_allclose(cost(Contraction(2.0), 5), 2 * np.square(W).sum(), rtol=1e-6)


def test_the_estimate_is_unbiased():
    """4,096 draws of signs: the mean is within 5 standard errors of the exact norm; of one latent it is exact."""
    products = W.T @ W
    deviation = np.sqrt(2 * (np.square(products).sum() - np.square(np.diag(products)).sum()))  # of one draw
    estimate = cost(Contraction(1.0, exact=False), 4096)
    np.testing.assert_allclose(estimate, np.trace(products), atol=5 * deviation / 64)
    assert abs(cost(Contraction(1.0, exact=False), 1) - np.trace(products)) > 1e-3  # planted: it is no exact norm
    np.testing.assert_allclose(cost(Contraction(1.0, exact=False), 2, W[:, :1]), np.square(W[:, 0]).sum(), rtol=1e-6)


def test_a_negative_weight_is_refused():
    with pytest.raises(Invalid, match="^weight: -1.0 is not at least 0$"):
        Contraction(-1.0)
