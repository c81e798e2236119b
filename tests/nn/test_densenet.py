"""DenseNet against the paper's function, written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.nn import densenet
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder


def convolve(p, x):
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, p["kernel"], (1, 1), "SAME", dimension_numbers=dimensions) + p["bias"]


def dense(p, x):
    """Every layer reads all that came before it."""
    seen = [x]
    for i in range(2):
        seen.append(convolve(p["convolutions"][i], jax.nn.relu(jnp.concatenate(seen, axis=-1))))
    return jnp.concatenate(seen, axis=-1)


def parameters(network):
    """Its parameters, with biases that are not zero."""
    graph, params = nnx.split(network)
    keys = iter(jax.random.split(jax.random.key(1), 100))
    params = jax.tree.map(lambda p: p + 0.1 * jax.random.normal(next(keys), p.shape), params)
    return nnx.merge(graph, params), nnx.to_pure_dict(params)


@pytest.mark.parametrize("pool", ["mean", "sum"])
def test_encoder_is_the_papers_function(pool):
    """Blocks at 16 and 8 pixels; half the channels between them, convolved before the means are taken.

    The paper's last maps go by their mean.
    """
    network, p = parameters(encoder(Net("densenet", width=3, depth=2, pool=pool), (16, 16, 2), 5, nnx.Rngs(0)))
    x = jax.random.normal(jax.random.key(0), (2, 16, 16, 2))
    first, transition, second = (p["blocks"]["layers"][i] for i in range(3))
    h = dense(first, convolve(p["input"], x))
    assert h.shape == (2, 16, 16, 2 * 3 + 2 * 3)
    h = convolve(transition["conv"], jax.nn.relu(h))
    assert h.shape[-1] == 6
    h = dense(second, h.reshape(2, 8, 2, 8, 2, 6).mean((2, 4)))
    expected = getattr(jax.nn.relu(h), pool)((1, 2)) @ p["output"]["kernel"] + p["output"]["bias"]
    np.testing.assert_allclose(jax.jit(network)(x), expected, rtol=1e-4, atol=1e-5)


def test_decoder_mirrors_it():
    network, p = parameters(decoder(Net("densenet", width=3, depth=2), 4, (8, 8, 2), nnx.Rngs(0)))
    z = jax.random.normal(jax.random.key(0), (2, 4))
    first, transition, second = (p["blocks"]["layers"][i] for i in range(3))
    h = dense(first, (z @ p["input"]["kernel"] + p["input"]["bias"]).reshape(2, 4, 4, 6))
    h = dense(second, convolve(transition["conv"], jax.nn.relu(h).repeat(2, axis=1).repeat(2, axis=2)))
    expected = convolve(p["output"], jax.nn.relu(h))
    np.testing.assert_allclose(jax.jit(network)(z), expected, rtol=1e-4, atol=1e-5)


def test_every_side_has_a_block():
    assert densenet.maps(32) == {"encoder": [32, 16, 8], "decoder": [4, 8, 16, 32]}
    assert densenet.maps(28) == {"encoder": [28, 14, 7], "decoder": [7, 14, 28]}
    assert densenet.maps(8) == {"encoder": [8, 4], "decoder": [4, 8]}
