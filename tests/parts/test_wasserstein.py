"""The distance as a linear critic measures it, with labels and without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.kernels.random import example_keys
from genlab.nn.layers import AXIS
from genlab.nn.net import Net
from genlab.parts.adversarial import make_examples
from genlab.parts.wasserstein import check_critic, wasserstein_loss

W = np.array([[3.0, -4.0], [0.6, 0.8]], np.float32)
REAL, FAKE = np.random.default_rng(0).normal(size=(2, 4, 2)).astype(np.float32)
LABELS = np.array([0, 1, 1, 1], np.int32)


class Linear(nnx.Module):
    """D(x, y) = w_y x, and the numbers of x as logits."""

    def __call__(self, x, labels):
        return jnp.column_stack([(jnp.asarray(W)[labels] * x).sum(1), x])


def test_it_is_the_difference_of_the_means_with_the_slope_at_every_point():
    """Each fake example has the label of its real one, and so its slope; logits are those of the real ones."""
    keys = example_keys(jax.random.key(0), jnp.arange(4))
    examples = make_examples(jnp.asarray(REAL), jnp.asarray(FAKE), jnp.asarray(LABELS), keys)
    found = jax.vmap(lambda _: wasserstein_loss(Linear(), examples), axis_name=AXIS)(jnp.zeros(1))
    value, logits, metrics = jax.tree.map(lambda a: a[0], found)
    expected = ((W[LABELS] * FAKE).sum(1) - (W[LABELS] * REAL).sum(1)).mean()
    np.testing.assert_allclose([value, metrics["wasserstein"]], [expected, -expected], rtol=1e-5)
    np.testing.assert_array_equal(logits, REAL)
    for at in ("_real", "_fake"):
        np.testing.assert_allclose(metrics[f"slope_mean{at}"], 2, rtol=1e-6)  # of 5, 1, 1 and 1
        np.testing.assert_allclose(metrics[f"slope_std{at}"], np.sqrt(3), rtol=1e-6)


def test_a_critic_treats_examples_one_by_one():
    check_critic(Net(norm="layer"))
    with pytest.raises(Invalid, match="^critic.norm: 'batch' is not allowed in a critic, .*: use layer or none$"):
        check_critic(Net(norm="batch"))
