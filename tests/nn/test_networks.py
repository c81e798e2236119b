"""Networks: shapes, initial scales, normalisations as the official code has them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab import cli
from genlab.errors import Invalid
from genlab.kernels import convolution
from genlab.kernels.penalty import Penalty, gradient_penalty, slopes
from genlab.kernels.random import example_keys
from genlab.nn import dcgan
from genlab.nn.attention import SelfAttention
from genlab.nn.builder import Builder
from genlab.nn.initialisers import glorot, he
from genlab.nn.layers import AXIS, Affine, Conv, ConvTranspose, start_update
from genlab.nn.net import Net
from genlab.nn.network import BACKBONES, decoder, encoder, projector
from genlab.nn.norms import LayerNorm

SMALL = {
    "mlp": Net("mlp", width=8),
    "dcgan": Net("dcgan", width=2),
    "resnet": Net("resnet", width=2),
    "densenet": Net("densenet", width=2, depth=1),
}


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


@pytest.mark.parametrize("backbone", ["dcgan", "resnet", "densenet"])
@pytest.mark.parametrize("shape", [(2,), (6, 6, 1), (128, 128, 3), (8, 16, 1)])
def test_convolutions_refuse_other_shapes(backbone, shape):
    with pytest.raises(Invalid, match="use mlp"):
        encoder(SMALL[backbone], shape, 1, nnx.Rngs(0))


@pytest.mark.parametrize("backbone", ["resnet", "densenet"])
def test_halving_refuses_odd_sides(backbone):
    with pytest.raises(Invalid, match=f"backbone: '{backbone}' is not for images of 9 pixels: it halves even sides"):
        decoder(SMALL[backbone], 2, (9, 9, 1), nnx.Rngs(0))


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


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [("width", 0, "at least 1"), ("depth", 0, "from 1 to 100"), ("depth", 101, "from 1 to")],
)
def test_bad_fields_are_named(field, value, allowed):
    with pytest.raises(Invalid, match=f"{field}: {value} is not {allowed}"):
        Net(**{field: value})


def parameters(network):
    return nnx.to_pure_dict(nnx.state(network, nnx.Param))


def test_resnet_is_that_of_the_paper():
    """Parameters as counted in the official code at 32x32x3, which has a bias in every layer.

    Those left out here, of the three convolutions of each of the generator's blocks, are those without a gradient.
    """
    net = Net("resnet", width=128)
    count = jax.tree.leaves(nnx.eval_shape(lambda: parameters(encoder(net, (32, 32, 3), 1, nnx.Rngs(0)))))
    first = 3 * 9 * 128 + 128 + 128 * 9 * 128 + 128 + 3 * 128 + 128
    same = 2 * (128 * 9 * 128 + 128)
    assert sum(leaf.size for leaf in count) == first + (same + 128 * 128 + 128) + 2 * same + 128 + 1
    generator = nnx.eval_shape(
        lambda: parameters(decoder(dataclasses.replace(net, norm="batch"), 128, (32, 32, 3), nnx.Rngs(0)))
    )
    double = 2 * (128 * 9 * 128 + 128) + (128 * 128 + 128) + 2 * 2 * 128
    official = (128 * 2048 + 2048) + 3 * double + 2 * 128 + (128 * 9 * 3 + 3)
    assert sum(leaf.size for leaf in jax.tree.leaves(generator)) == official - 3 * 3 * 128


def naive(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pooled(x):
    return x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).mean((2, 4))


def doubled(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def residual(p, x, side, pixels=False):
    """A block as the official code writes it: convolve at the larger side, then pool; double, then convolve."""
    activate = (lambda x: x) if pixels else jax.nn.relu
    up, down = (doubled if side == "double" else (lambda x: x)), (pooled if side == "half" else (lambda x: x))
    h = naive(up(activate(x)), p["first"]["kernel"]) + p["first"]["bias"]
    h = down(naive(jax.nn.relu(h), p["second"]["kernel"]) + p["second"]["bias"])
    if "shortcut" not in p:
        return x + h
    weight, bias = p["shortcut"]["kernel"], p["shortcut"]["bias"]
    return h + (naive(down(x), weight) if pixels else down(naive(up(x), weight))) + bias


@pytest.mark.parametrize("pool", ["mean", "sum"])
def test_resnet_encoder_is_the_official_function(noisy, pool):
    """The mean is the official WGAN-GP code's, the sum that of Miyato et al. (2018)."""
    network = noisy(encoder(Net("resnet", width=4, pool=pool), (16, 16, 2), 3, nnx.Rngs(0)))
    p, x = parameters(network), jax.random.normal(jax.random.key(0), (2, 16, 16, 2))
    blocks, h = p["blocks"]["layers"], x
    for i, side in enumerate(["half", "same", "same"]):
        h = residual(blocks[i], h, side, pixels=i == 0)
    h = getattr(jax.nn.relu(h), pool)((1, 2))
    expected = h @ p["output"]["kernel"] + p["output"]["bias"]
    np.testing.assert_allclose(jax.jit(network)(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "opponent", "pool"),
    [
        ("sngan", "discriminator", "sum"),
        ("cgan", "discriminator", "sum"),
        ("sn_wgan", "critic", "sum"),
        ("wgan_gp_cifar10", "critic", "mean"),
    ],
)
def test_presets_pool_as_their_papers(name, opponent, pool):
    assert getattr(cli.preset(name).method, opponent).pool == pool


def test_resnet_decoder_is_the_official_function(noisy):
    network = noisy(decoder(Net("resnet", width=4), 3, (16, 16, 2), nnx.Rngs(0)))
    p, z = parameters(network), jax.random.normal(jax.random.key(0), (2, 3))
    h = (z @ p["input"]["kernel"] + p["input"]["bias"]).reshape(2, 4, 4, 4)
    for i in range(2):
        h = residual(p["blocks"]["layers"][i], h, "double")
    expected = naive(jax.nn.relu(h), p["output"]["kernel"]) + p["output"]["bias"]
    np.testing.assert_allclose(jax.jit(network)(z), expected, rtol=1e-4, atol=1e-5)


HALF = [(backbone, norm) for backbone in ("mlp", "dcgan", "resnet") for norm in ("none", "layer")]
HALF += [("dcgan", "instance"), ("densenet", "layer")]


@pytest.mark.parametrize(("backbone", "norm"), HALF)
def test_bfloat16_slopes_are_within_a_percent(backbone, norm):
    """Root mean square over the batch; parameters, their gradients and what comes out stay float32."""
    width, depth = {"mlp": (128, 3), "dcgan": (16, 1), "resnet": (32, 1), "densenet": (16, 1)}[backbone]
    net = Net(backbone, width, depth, norm, activation="leaky_relu")
    exact, half = (
        encoder(dataclasses.replace(net, compute=compute), (16, 16, 3), 1, nnx.Rngs(0))
        for compute in ("float32", "bfloat16")
    )
    x = jax.random.normal(jax.random.key(0), (32, 16, 16, 3)) / 2

    def slope(network):
        return slopes(lambda x: network(x)[:, 0], x)

    expected, seen = jax.jit(lambda: (slope(exact), slope(half)))()
    assert seen.dtype == jnp.float32
    assert 0 < np.linalg.norm(seen - expected) < 0.01 * np.linalg.norm(expected)
    graph, params = nnx.split(half)
    gradients = jax.eval_shape(jax.grad(lambda p: slope(nnx.merge(graph, p)).mean()), params)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves((params, gradients, nnx.eval_shape(half, x))))


def test_bfloat16_generators_follow_float32():
    """Batch norm's statistics too; to 2 % of the spread of the pixels."""
    z = jax.random.normal(jax.random.key(0), (1, 32, 8))

    def images(compute):
        network = decoder(Net("resnet", width=16, norm="batch", compute=compute), 8, (16, 16, 3), nnx.Rngs(0))
        graph, state = nnx.split(network)

        def one(state, z):
            merged = nnx.merge(graph, state)
            return merged(z), nnx.to_pure_dict(nnx.state(merged, nnx.BatchStat))

        return jax.jit(jax.vmap(one, in_axes=(None, 0), axis_name=AXIS))(nnx.to_pure_dict(state), z)

    (exact, stats), (half, half_stats) = images("float32"), images("bfloat16")
    assert half.dtype == jnp.float32
    assert np.sqrt(np.square(half - exact).mean()) < 0.02 * exact.std()
    for a, b in zip(jax.tree.leaves(stats), jax.tree.leaves(half_stats), strict=True):
        assert b.dtype == jnp.float32
        np.testing.assert_allclose(a, b, atol=0.02)


IMAGES = ("dcgan", "resnet", "densenet")
NORMED = [(backbone, norm) for backbone in IMAGES for norm in ("none", "batch", "layer", "instance")]


SHAPE = (16, 16, 1)


def made(role, net):
    if role == "encoder":
        return encoder(net, SHAPE, 3, nnx.Rngs(0))
    return decoder(net, 3, SHAPE, nnx.Rngs(0), 3 if role == "labelled decoder" else 0)


CASES = [(role, backbone, norm, a) for backbone, norm in NORMED for a in (0, 8) for role in ("encoder", "decoder")]
CASES += [(role, "mlp", norm, 0) for norm in ("none", "batch", "layer") for role in ("encoder", "decoder")]
CASES += [("labelled decoder", b, "batch", a) for b, a in (("mlp", 0), ("dcgan", 8), ("resnet", 8), ("densenet", 8))]


def biases(network):
    """Those of the linear layers by path, None where there is none; attention has none, by its paper."""
    modules = dict(nnx.iter_modules(network))
    layers = {path: layer for path, layer in modules.items() if isinstance(layer, Affine)}
    return {path: layer.bias for path, layer in layers.items() if not isinstance(modules[path[:-1]], SelfAttention)}


@pytest.mark.parametrize(("role", "backbone", "norm", "attention"), CASES)
def test_a_bias_is_left_out_exactly_where_its_gradient_is_zero(monkeypatch, role, backbone, norm, attention):
    """With every bias there, in float64 and at generic parameters: zero to rounding, or far from it."""
    net, draw = Net(backbone, 4, 1, norm, attention=attention, activation="silu"), np.random.default_rng(0)
    build = functools.partial(nnx.eval_shape, lambda: made(role, net))
    real = {path for path, bias in biases(build()).items() if bias is not None}
    monkeypatch.setattr(Builder, "needs_bias", lambda build, *sides: True)
    network = build()
    assert None not in biases(network).values()
    graph, bias, rest = nnx.split(network, lambda path, _: path[-1] == "bias", ...)
    with jax.enable_x64(True):
        bias, rest = (
            jax.tree.map(lambda a: jnp.asarray(draw.normal(0, 0.4, a.shape)), nnx.to_pure_dict(part))
            for part in (bias, rest)
        )
        x = jnp.asarray(draw.normal(size=(1, 5, *(SHAPE if role == "encoder" else (3,)))))
        weights = jnp.asarray(draw.normal(size=(5, *((3,) if role == "encoder" else SHAPE))))

        def loss(bias, x):
            y = nnx.merge(graph, bias, rest)(x, jnp.arange(5) % 3)
            return (weights * jnp.sin(y)).sum()

        run = jax.jit(jax.vmap(jax.grad(loss), in_axes=(None, 0), axis_name=AXIS))
        gradients = nnx.merge(graph, jax.tree.map(lambda a: a[0], run(bias, x)), rest)
    sizes = {path: abs(np.asarray(bias[...])).max() for path, bias in biases(gradients).items()}
    for threshold in (1e-10, 1e-6):
        assert {path for path, size in sizes.items() if size > threshold} == real, sizes


@pytest.mark.parametrize(("backbone", "norm"), [*NORMED, ("mlp", "none"), ("mlp", "batch"), ("mlp", "layer")])
@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_everything_goes_with_everything(backbone, norm, role):
    """Attention, spectral norm, dropout, an initialiser, bfloat16: in training, statistics and results stay float32."""
    side = 0 if backbone == "mlp" else 8
    net = Net(backbone, 2, 1, norm, spectral=True, attention=side, dropout=0.5, init="he", compute="bfloat16")

    def run(x, keys):
        network = made(role, net)
        start_update(network, keys)
        return network(x), nnx.to_pure_dict(nnx.state(network, nnx.BatchStat))

    into, out = (SHAPE, (3,)) if role == "encoder" else ((3,), SHAPE)
    keys = example_keys(jax.random.key(0), jnp.arange(2))[None]
    y, stats = jax.eval_shape(jax.vmap(run, axis_name=AXIS), jnp.zeros((1, 2, *into)), keys)
    assert y.shape == (1, 2, *out)
    assert {leaf.dtype for leaf in jax.tree.leaves((y, stats))} == {jnp.dtype("float32")}


PLACES = [(b, role, side) for b in IMAGES for role, sides in BACKBONES[b].maps(16).items() for side in sides]


@pytest.mark.parametrize(("backbone", "role", "side"), PLACES)
def test_attention_stands_where_it_is_asked_for(backbone, role, side):
    """Once, after a map of that side."""
    seen = []
    network = made(role, Net(backbone, 2, 1, attention=side))
    for _, module in nnx.iter_modules(network):
        if isinstance(module, SelfAttention):
            module.query.linear = lambda x, kernel: seen.append(x.shape[1:3]) or convolution.conv(x, kernel)
    jax.eval_shape(network, jnp.zeros((2, *(SHAPE if role == "encoder" else (3,)))))
    assert seen == [(side, side)]


def critic(net, keys):
    """A critic of 8x8 images in float64 with its singular vectors found, attention at work and its units dropped."""
    network = encoder(net, (8, 8, 1), 1, nnx.Rngs(0))
    for _, module in nnx.iter_modules(network):
        if isinstance(module, SelfAttention):
            module.gamma[...] = jnp.ones(())
        if isinstance(module, Affine):
            u = np.linalg.svd(np.moveaxis(module.kernel[...], -1, 0).reshape(len(module.u[...]), -1))[0][:, 0]
            module.u[...] = jnp.asarray(u)
    graph, state = nnx.split(network)
    network = nnx.merge(graph, jax.tree.map(lambda a: a.astype(jnp.float64), state))
    start_update(network, keys)
    return network


@pytest.mark.parametrize(
    ("backbone", "norm", "attention"),
    [("mlp", "layer", 0), ("dcgan", "instance", 4), ("resnet", "layer", 4), ("densenet", "none", 8)],
)
def test_a_penalty_is_differentiated_through_all_of_it(backbone, norm, attention):
    """The parameters' gradient of the gradient penalty, along a direction, by central differences in float64."""
    net = Net(backbone, 3, 1, norm, spectral=True, attention=attention, activation="silu", dropout=0.3)
    with jax.enable_x64(True):
        keys = example_keys(jax.random.key(0), jnp.arange(3))
        real, fake = jax.random.normal(jax.random.key(1), (2, 3, 8, 8, 1))
        graph, params, rest = nnx.split(critic(net, keys), nnx.Param, ...)
        leaves, tree = jax.tree.flatten(params)
        direction = tree.unflatten(jax.random.normal(jax.random.key(i), leaf.shape) for i, leaf in enumerate(leaves))

        def penalty(params):
            network = nnx.merge(graph, params, rest)
            return gradient_penalty(lambda x: network(x)[:, 0], real, fake, keys, Penalty())[0].mean()

        def moved(h):
            """The penalty a step along the direction, and its slope along it there."""
            value, gradient = jax.value_and_grad(penalty)(jax.tree.map(lambda p, d: p + h * d, params, direction))
            products = jax.tree.map(lambda g, d: (g * d).sum(), gradient, direction)
            return value, sum(jax.tree.leaves(products))

        run = jax.jit(moved, compiler_options={"xla_backend_optimization_level": 0})
        numeric = (run(1e-5)[0] - run(-1e-5)[0]) / 2e-5
        assert abs(numeric) > 1e-3
        np.testing.assert_allclose(run(0.0)[1], numeric, rtol=1e-6)


def test_spectral_norm_reaches_every_layer():
    """Conditional networks' too, and what a projection discriminator has in place of the last one."""
    net = Net("dcgan", 2, spectral=True)
    made = (encoder(net, SHAPE, 1, nnx.Rngs(0), 3), decoder(net, 2, SHAPE, nnx.Rngs(0), 3))
    for network, count in zip((*made, projector(net, SHAPE, nnx.Rngs(0), 3)), (3, 3, 4), strict=True):
        layers = [module for _, module in nnx.iter_modules(network) if isinstance(module, Affine)]
        assert len(layers) == count and all(layer.u is not None for layer in layers)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"norm": "instance"}, "norm: 'instance' is not allowed in an mlp"),
        ({"attention": 8}, "attention: 8 is not allowed in an mlp"),
        ({"dropout": 1.0}, r"dropout: 1.0 is not in \[0, 1\)"),
    ],
)
def test_what_cannot_work_is_refused(fields, message):
    with pytest.raises(Invalid, match=f"^{message}"):
        Net(**fields)


def test_attention_lists_the_sides_there_are():
    with pytest.raises(Invalid, match="^attention: 16 is not the side of a map of this dcgan encoder: 14, 7, 4, or 0"):
        encoder(Net("dcgan", attention=16), (28, 28, 1), 1, nnx.Rngs(0))
    with pytest.raises(Invalid, match="^attention: 9 is not the side of a map of this resnet decoder: 7, 14, 28, or 0"):
        decoder(Net("resnet", attention=9), 2, (28, 28, 1), nnx.Rngs(0))
