"""Spectral norm and dropout of layers, normalisations, initialisers; against PyTorch and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.kernels.random import example_keys
from genlab.nn.layers import Conv, ConvTranspose, Dropout, Linear, Resample, start_update
from genlab.nn.norms import InstanceNorm

LAYERS = {
    "linear": lambda **options: Linear(5, 4, gain=1, **options),
    "conv": lambda **options: Conv(3, 4, 3, 2, **options),
    "transposed": lambda **options: ConvTranspose(3, 4, 5, 2, **options),
    "pooled": lambda **options: Resample(3, 4, "half", **options),
}
# the layer of PyTorch, and where its axes are among ours
TORCH = {
    "linear": (lambda torch: torch.nn.Linear(5, 4), (1, 0)),
    "conv": (lambda torch: torch.nn.Conv2d(3, 4, 3, 2), (3, 2, 0, 1)),
    "transposed": (lambda torch: torch.nn.ConvTranspose2d(3, 4, 5, 2), (3, 2, 0, 1)),
    "pooled": (lambda torch: torch.nn.Conv2d(3, 4, 3), (3, 2, 0, 1)),
}


def keys(n=2, seed=0):
    return example_keys(jax.random.key(seed), jnp.arange(n))


def spectral(name):
    return LAYERS[name](spectral=True, rngs=nnx.Rngs(0))


def as_matrix(name, kernel):
    """(outputs, all else)."""
    return np.moveaxis(kernel, -2 if name == "transposed" else -1, 0).reshape(4, -1)


@pytest.mark.parametrize("name", LAYERS)
def test_the_weight_in_use_has_spectral_norm_1(name):
    layer = spectral(name)
    layer.u[...] = jnp.asarray(np.linalg.svd(as_matrix(name, layer.kernel[...]))[0][:, 0])
    start_update(layer, keys())
    assert abs(np.linalg.norm(as_matrix(name, layer.kernel[...]), 2) - 1) > 0.01
    np.testing.assert_allclose(np.linalg.norm(as_matrix(name, layer.weight()), 2), 1, rtol=1e-5)
    x = jax.random.normal(jax.random.key(1), (2, 5) if name == "linear" else (2, 6, 6, 3))
    layer.bias[...] = jnp.arange(4.0)
    np.testing.assert_allclose(layer(x), layer.linear(x, layer.weight()) + jnp.arange(4.0), rtol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_kernels_start_the_same_with_spectral_norm_and_without(name):
    """And so do those of all layers that are made after them."""
    kernels = []
    for spectral in (False, True):
        rngs = nnx.Rngs(0)
        kernels.append([LAYERS[name](spectral=spectral, rngs=rngs).kernel[...] for _ in range(2)])
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0][0] != kernels[0][1]).any()


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm`|.*spectral_norm.*:FutureWarning")
@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("passes", [1, 3])
def test_spectral_norm_is_pytorchs(torch, name, passes):
    """The weight in use and the gradient by the parameter: 1e-5. PyTorch moves u in a pass, we in the next update."""
    layer, (make, axes) = spectral(name), TORCH[name]
    theirs = torch.nn.utils.spectral_norm(make(torch))
    kernel = np.array(layer.kernel[...])
    c = np.random.default_rng(0).normal(size=kernel.shape).astype(np.float32)
    with torch.no_grad():
        theirs.weight_orig.copy_(torch.tensor(kernel.transpose(axes)))
        theirs.weight_u.copy_(torch.tensor(np.array(layer.u[...])))
    for _ in range(passes):
        theirs(torch.zeros(1, 5) if name == "linear" else torch.zeros(1, 3, 6, 6))
    (theirs.weight * torch.tensor(c.transpose(axes))).sum().backward()
    for _ in range(passes - 1):
        start_update(layer, keys())
    np.testing.assert_allclose(layer.weight().transpose(axes), theirs.weight.detach(), atol=1e-5)
    graph, params, stats = nnx.split(layer, nnx.Param, ...)
    gradient = jax.grad(lambda p: (nnx.merge(graph, p, stats).weight() * c).sum())(params)["kernel"][...]
    np.testing.assert_allclose(gradient.transpose(axes), theirs.weight_orig.grad, atol=1e-5)


def test_only_a_training_update_moves_u():
    layer = spectral("conv")
    start = np.array(layer.u[...])
    layer(jnp.ones((1, 4, 4, 3)))
    layer.eval()
    start_update(layer, keys())
    np.testing.assert_array_equal(layer.u[...], start)
    layer.train()
    start_update(layer, keys())
    assert abs(np.array(layer.u[...]) - start).max() > 0.1
    np.testing.assert_allclose(np.linalg.norm(layer.u[...]), 1, rtol=1e-6)


def test_instance_norm_is_pytorchs(torch):
    """Values and gradients by input, scale and shift: 1e-5."""
    x = np.random.default_rng(0).normal(2, 3, size=(2, 4, 6, 3)).astype(np.float32)
    c = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    scale, shift = np.array([0.5, -1, 2], np.float32), np.array([1, 0, -2], np.float32)
    norm, theirs = InstanceNorm(3, rngs=nnx.Rngs(0)), torch.nn.InstanceNorm2d(3, affine=True)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(scale))
        theirs.bias.copy_(torch.tensor(shift))
    leaf = torch.tensor(x, requires_grad=True)
    expected = theirs(leaf.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    (expected * torch.tensor(c)).sum().backward()

    graph = nnx.graphdef(norm)
    y, transpose = jax.vjp(
        lambda x, scale, shift: nnx.merge(graph, {"scale": scale, "bias": shift})(x), x, scale, shift
    )
    np.testing.assert_allclose(y, expected.detach(), atol=1e-5)
    for gradient, other in zip(transpose(c), (leaf.grad, theirs.weight.grad, theirs.bias.grad), strict=True):
        np.testing.assert_allclose(gradient, other, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("name", ["linear", "conv", "transposed"])
@pytest.mark.parametrize("init", ["glorot", "he", "orthogonal"])
def test_initialisers(name, init):
    """Variances by the numbers of inputs an output sums, and of outputs an input reaches; orthonormal rows or columns.

    Weights are uniform and so bounded under glorot, normal under he.
    """
    options = {"init": init, "rngs": nnx.Rngs(0)}
    layer, fan_in, fan_out = {
        "linear": (Linear(200, 300, **options), 200, 300),
        "conv": (Conv(32, 64, 5, 2, **options), 32 * 25, 64 * 25 / 4),
        "transposed": (ConvTranspose(64, 32, 5, 2, **options), 64 * 25 / 4, 32 * 25),
    }[name]
    kernel = np.array(layer.kernel[...], np.float64)
    matrix = np.moveaxis(kernel, -2 if name == "transposed" else -1, 0).reshape(-1, kernel.size // len(layer.bias[...]))
    assert layer.kernel[...].dtype == jnp.float32 and abs(kernel.mean()) < 0.05 * kernel.std()
    if init == "orthogonal":
        small = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-5)
        return
    variance = 2 / fan_in if init == "he" else 2 / (fan_in + fan_out)
    np.testing.assert_allclose(kernel.var(), variance, rtol=0.02)
    assert (abs(kernel).max() <= (3 * variance) ** 0.5) == (init == "glorot")


@pytest.mark.parametrize("layer", [Conv(2, 3, 4, 2, rngs=nnx.Rngs(0)), ConvTranspose(2, 3, 4, 2, rngs=nnx.Rngs(0))])
def test_the_fans_of_a_convolution_are_those_it_has(layer):
    """Counted in the middle of an image: the weights that an output sums, and those that an input goes through."""
    ones = jnp.ones(layer.kernel.shape)
    y, transpose = jax.vjp(lambda x: layer.linear(x, ones), jnp.ones((1, 16, 16, 2)))
    (back,) = transpose(jnp.ones_like(y))
    np.testing.assert_allclose(y[0, 3:5, 3:5].mean(), layer.fans.inputs)
    np.testing.assert_allclose(back[0, 6:10, 6:10].mean(), layer.fans.outputs)


def test_dropout_drops_a_share_and_keeps_the_mean():
    layer = Dropout(0.3)
    start_update(layer, keys(200))
    y = np.array(layer(jnp.ones((200, 50))))
    assert set(np.unique(y)) == {0, np.float32(1 / np.float32(0.7))}
    assert abs((y == 0).mean() - 0.3) < 5 * (0.3 * 0.7 / y.size) ** 0.5
    assert abs((y == 0).mean(1) - 0.3).max() > 0.1  # every example has units of its own


def test_dropout_goes_by_the_example():
    """The same units in every pass and for every copy of the batch; others for other examples, layers and updates."""
    layers = nnx.List([Dropout(0.5), Dropout(0.5)])
    start_update(layers, keys(4))
    x = jnp.ones((4, 30))
    first, second = (np.array(layer(x)) for layer in layers)
    np.testing.assert_array_equal(layers[0](jnp.concatenate([x, 2 * x])), np.concatenate([first, 2 * first]))
    np.testing.assert_array_equal(layers[0](x), first)
    assert (first != second).any() and (first[0] != first[1]).any()
    start_update(layers, keys(4, seed=1))
    assert (np.array(layers[0](x)) != first).any()
    start_update(layers, keys(4)[2:])  # another device's half of the batch
    np.testing.assert_array_equal(layers[0](x[2:]), first[2:])
    with pytest.raises(Invalid, match="^dropout: 3 rows for 2 examples"):
        layers[0](x[:3])


def test_dropout_is_off_outside_updates():
    x = jnp.ones((4, 30))
    layer = Dropout(0.5)
    np.testing.assert_array_equal(layer(x), x)
    layer.eval()
    start_update(layer, keys(4))
    np.testing.assert_array_equal(layer(x), x)
