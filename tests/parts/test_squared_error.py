"""The squared error as a loss and as a metric."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.nn.layers import AXIS
from genlab.parts.squared_error import error, rmse


@pytest.mark.parametrize("devices", [1, 2])
def test_a_sum_over_an_example_and_a_root_mean_over_the_whole_batch(devices):
    """The root is taken of the mean over all devices, of which one alone would have another."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 8, 3, 2)).astype(np.float32)
    cut = [jnp.asarray(a).reshape(devices, -1, 3, 2) for a in (x, y)]
    loss, metrics = jax.vmap(error, axis_name=AXIS)(*cut)
    np.testing.assert_allclose(loss.mean(), ((x - y) ** 2).sum((1, 2)).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["rmse"], np.full(devices, ((x - y) ** 2).mean() ** 0.5), rtol=1e-5)


def test_the_metric_has_no_gradient():
    x = jnp.ones((2, 3))
    np.testing.assert_array_equal(jax.vmap(jax.grad(rmse), axis_name=AXIS)(x[None], 2 * x[None]), 0)
