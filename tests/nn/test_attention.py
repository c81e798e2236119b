"""Self-attention against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.nn.attention import SelfAttention


def block(gamma, channels=8):
    module = SelfAttention(channels, rngs=nnx.Rngs(0))
    module.gamma[...] = jnp.asarray(gamma)
    return module


def images(side, channels=8):
    return 2 * jax.random.normal(jax.random.key(1), (2, side, side, channels))


def test_it_starts_as_the_identity():
    x = images(4)
    np.testing.assert_array_equal(SelfAttention(8, rngs=nnx.Rngs(0))(x), x)
    assert abs(block(0.5)(x) - x).max() > 0.1


@pytest.mark.parametrize("side", [4, 5])
def test_it_is_the_papers(side):
    """Eq. 1 to 3 place by place in NumPy; keys and values of even sides are the maxima of 2x2 blocks."""
    module, x = block(0.7), np.array(images(side), np.float64)
    w = {name: np.array(getattr(module, name).kernel[...], np.float64)[0, 0] for name in ("query", "key", "value")}
    f, g, h = (x @ w[name] for name in ("query", "key", "value"))
    assert f.shape[-1] == 1 and h.shape[-1] == 4
    if side % 2 == 0:
        g, h = (np.stack([a[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]).max(0) for a in (g, h))
    g, h = (a.reshape(2, -1, a.shape[-1]) for a in (g, h))
    expected = x.copy()
    for b, i, j in np.ndindex(2, side, side):
        match = np.exp(g[b] @ f[b, i, j])
        beta = match / match.sum()
        expected[b, i, j] += 0.7 * (beta @ h[b]) @ np.array(module.output.kernel[...], np.float64)[0, 0]
    np.testing.assert_allclose(module(jnp.asarray(x, jnp.float32)), expected, atol=1e-5)


@pytest.mark.parametrize(("side", "others"), [(4, 4), (5, 25)])
def test_rows_of_the_weights_sum_to_1(side, others):
    weights = block(1.0).weights(images(side))
    assert weights.shape == (2, side**2, others) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(2), 1, rtol=1e-5)
    assert weights.std(2).min() > 1e-3  # and they are no mere mean
    assert block(1.0).weights(images(side).astype(jnp.bfloat16)).dtype == jnp.float32


def test_moving_places_moves_what_comes_out():
    """Without pooling, places are a set."""
    module, x = block(0.7), images(5)
    order = np.random.default_rng(0).permutation(25)

    def shuffled(x):
        return x.reshape(2, 25, 8)[:, order].reshape(x.shape)

    np.testing.assert_allclose(module(shuffled(x)), shuffled(module(x)), atol=1e-5)


def test_examples_do_not_see_each_other():
    module, x = block(0.7), images(4)
    np.testing.assert_array_equal(module(x)[0], module(x.at[1].add(1))[0])
