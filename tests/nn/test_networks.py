"""Networks: shapes, initial scales, normalisations as the official code has them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.nn import dcgan
from genlab.nn.layers import Conv, ConvTranspose, LayerNorm, glorot, he
from genlab.nn.network import Net, decoder, encoder

SMALL = {"mlp": Net("mlp", width=8), "dcgan": Net("dcgan", width=2)}


@pytest.mark.parametrize("backbone", SMALL)
@pytest.mark.parametrize("size", [8, 12, 16, 28, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_networks_fit_every_image_size(backbone, size, channels):
    shape = (size, size, channels)
    net = SMALL[backbone]
    score = nnx.eval_shape(lambda: encoder(net, shape, 5, nnx.Rngs(0))(jnp.zeros((2, *shape))))
    image = nnx.eval_shape(lambda: decoder(net, 7, shape, nnx.Rngs(0))(jnp.zeros((2, 7))))
    assert score.shape == (2, 5)
    assert image.shape == (2, *shape)


def test_dcgan_halves_down_to_four():
    assert dcgan.sides(28) == [28, 14, 7, 4]
    assert dcgan.sides(64) == [64, 32, 16, 8, 4]
    assert dcgan.sides(8) == [8, 4, 2]


@pytest.mark.parametrize("shape", [(2,), (6, 6, 1), (128, 128, 3), (8, 16, 1)])
def test_dcgan_refuses_other_shapes(shape):
    with pytest.raises(Invalid, match="use mlp"):
        encoder(SMALL["dcgan"], shape, 1, nnx.Rngs(0))


def test_initial_scales_are_the_official_ones():
    """Variance 4 / (fan_in + fan_out), the larger side's fan divided by stride^2; uniform, so bounded by sqrt(3) sd."""
    kernel = Conv(64, 128, 5, 2, rngs=nnx.Rngs(0)).kernel[...]
    deviation = (4 / (64 * 25 + 128 * 25 / 4)) ** 0.5
    np.testing.assert_allclose(kernel.std(), deviation, rtol=0.01)
    assert abs(kernel).max() <= 3**0.5 * deviation
    kernel = ConvTranspose(128, 64, 5, 2, rngs=nnx.Rngs(0)).kernel[...]
    np.testing.assert_allclose(kernel.std(), (4 / (128 * 25 / 4 + 64 * 25)) ** 0.5, rtol=0.01)
    np.testing.assert_allclose(he(jax.random.key(0), (300, 200)).std(), (2 / 300) ** 0.5, rtol=0.01)
    np.testing.assert_allclose(glorot(jax.random.key(0), (300, 200)).std(), (2 / 500) ** 0.5, rtol=0.01)


def test_layer_norm_is_over_the_whole_example():
    """Mean 0 and variance 1 over height, width and channels; one scale and shift per channel."""
    x = 3 + 2 * jax.random.normal(jax.random.key(0), (2, 4, 4, 3)) * jnp.arange(1, 4)
    norm = LayerNorm(3, rngs=nnx.Rngs(0))
    y = norm(x)
    np.testing.assert_allclose(y.mean((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var((1, 2, 3)), 1, rtol=1e-5)
    assert norm.scale[...].shape == norm.bias[...].shape == (3,)
    channels_only = nnx.LayerNorm(3, epsilon=1e-5, rngs=nnx.Rngs(0))(x)
    assert abs(y - channels_only).max() > 0.1  # what Flax does by default is another function


def test_layer_norm_does_not_couple_examples():
    x = jax.random.normal(jax.random.key(0), (2, 4, 4, 3))
    norm = LayerNorm(3, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(norm(x)[0], norm(x.at[1].add(1))[0])


@pytest.mark.parametrize(("field", "value"), [("width", 0), ("depth", 0)])
def test_bad_fields_are_named(field, value):
    with pytest.raises(Invalid, match=f"{field}: 0 is not at least 1"):
        Net(**{field: value})
