"""The convolution against XLA's own, to third order, alone, in a loop, mapped and over devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from jax.test_util import check_grads

from genlab.errors import Invalid
from genlab.kernels import forms
from genlab.kernels.convolution import _geometry, conv, conv_mean_pool, conv_transpose, upsample_conv


def xla(x, w, stride=1, padding="SAME"):
    return jax.lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def operands(batch, image, kernel, inputs, outputs, dtype=float):
    keys = jax.random.split(jax.random.key(0))
    x = jax.random.normal(keys[0], (batch, *image, inputs), dtype)
    return x, jax.random.normal(keys[1], (*kernel, inputs, outputs), dtype) / np.sqrt(inputs * kernel[0] * kernel[1])


def derivatives(function, x, w):
    """The value and the gradients by image and kernel to third order, each of a function of the one before."""
    tower = [lambda x, w: jnp.sum(jnp.tanh(function(x, w)))]
    for argument in (0, 1):
        tower.append(lambda x, w, f=tower[-1], i=argument: jnp.sum(jnp.sin(jax.grad(f, i)(x, w))))
    return function(x, w), [jax.grad(f, (0, 1))(x, w) for f in tower]


def close(a, b, tolerance=1e-10):
    jax.tree.map(partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance), a, b)


@pytest.mark.parametrize(
    ("image", "kernel", "stride", "inputs", "outputs", "padding"),
    [
        ((7, 7), (3, 3), 1, 5, 6, "SAME"),
        ((7, 7), (5, 5), 2, 6, 7, "SAME"),
        ((14, 14), (4, 4), 2, 1, 5, "SAME"),
        ((6, 9), (1, 1), 1, 3, 2, "SAME"),
        ((8, 6), (3, 2), 2, 5, 4, "VALID"),
    ],
)
def test_equals_xla_to_third_order(image, kernel, stride, inputs, outputs, padding):
    with jax.enable_x64(True):
        x, w = operands(3, image, kernel, inputs, outputs)
        ours, theirs = (
            jax.jit(partial(derivatives, partial(function, stride=stride, padding=padding)))(x, w)
            for function in (conv, xla)
        )
        close(ours, theirs)


@pytest.mark.parametrize(
    ("side", "stride", "kernel", "inputs", "outputs"),
    [(7, 1, 5, 2, 6), (14, 1, 4, 6, 2), (28, 2, 5, 1, 6), (7, 2, 1, 5, 6), (8, 3, 2, 5, 6), (1, 2, 3, 5, 6)],
)
def test_every_form_of_every_operation_agrees(side, stride, kernel, inputs, outputs):
    with jax.enable_x64(True):
        x, w = operands(19, (side, side), (kernel, kernel), inputs, outputs)  # 19 images leave a last, smaller chunk
        padding = tuple(jax.lax.padtype_to_pads((side, side), (kernel, kernel), (stride, stride), "SAME"))
        geometry = forms.Geometry(stride, (side, side), (kernel, kernel), padding)
        y, transpose = jax.vjp(lambda x, w: xla(x, w, stride), x, w)
        expected = dict(zip("xw", transpose(y), strict=True)) | {"y": y}

        @jax.jit
        def computed(x, w, y):
            both = {"y": (x, w), "x": (w, y), "w": (x, y)}
            general = (forms.native, forms.matmul, forms.cpu)
            results = {name: [form(name, geometry, *both[name]) for form in general] for name in both}
            results["x"].append(forms.phases(geometry, w, y))
            results["w"].append(forms.exchanged(geometry, x, y))
            return results

        for name, results in computed(x, w, y).items():
            for result in results:
                close(result, expected[name], 1e-9)


def test_forward_and_reverse_mode_to_second_order():
    with jax.enable_x64(True):
        function = jax.jit(lambda x, w: jnp.sin(conv(x, w, 2)))
        check_grads(function, operands(2, (5, 5), (3, 3), 2, 3), order=2, modes=("fwd", "rev"))


def test_transpose_is_the_adjoint():
    with jax.enable_x64(True):
        for stride, kernel in ((1, 3), (2, 5)):
            y, _ = operands(2, (4, 4), (kernel, kernel), 6, 3)
            x, w = operands(2, (4 * stride, 4 * stride), (kernel, kernel), 3, 6)
            forward, back = (jax.jit(f, static_argnums=2) for f in (conv, conv_transpose))
            np.testing.assert_allclose(jnp.vdot(forward(x, w, stride), y), jnp.vdot(x, back(y, w, stride)))


def test_transpose_has_exact_derivatives():
    def theirs(y, w):
        image = jax.ShapeDtypeStruct((2, 8, 8, 5), y.dtype)
        return jax.linear_transpose(lambda x: xla(x, w, 2), image)(y)[0]

    with jax.enable_x64(True):
        y, w = jnp.ones((2, 4, 4, 6)) / 7, operands(1, (1, 1), (5, 5), 5, 6)[1]
        ours = jax.jit(partial(derivatives, lambda y, w: conv_transpose(y, w, 2)))(y, w)
        close(ours, jax.jit(partial(derivatives, theirs))(y, w))


def test_the_same_inside_a_scan():
    with jax.enable_x64(True):
        x, w = operands(3, (7, 7), (5, 5), 2, 6)
        step = partial(derivatives, partial(conv, stride=2))
        _, stacked = jax.lax.scan(lambda carry, x: (carry, step(x, w)), 0, jnp.stack([x, 2 * x]))
        close(jax.tree.map(lambda leaf: leaf[1], stacked), jax.jit(step)(2 * x, w))


@pytest.mark.parametrize("axes", [(0, None), (None, 4), (1, 0)])
def test_vmap_is_a_loop(axes):
    with jax.enable_x64(True):
        x, w = operands(2, (5, 5), (3, 3), 2, 3)
        stacks = [[a, 2 * a, jnp.cos(a)] if axis is not None else [a] * 3 for a, axis in zip((x, w), axes, strict=True)]
        mapped = [jnp.stack(s, axis) if axis is not None else s[0] for s, axis in zip(stacks, axes, strict=True)]
        step = partial(derivatives, partial(conv, stride=2))
        out = jax.jit(jax.vmap(step, in_axes=axes))(*mapped)
        alone = jax.jit(step)
        for i, one in enumerate(zip(*stacks, strict=True)):
            close(jax.tree.map(lambda leaf, i=i: leaf[i], out), alone(*one))


def test_convolutions_of_many_networks():
    """Gradients of a vmap of both operands, too; each is a convolution of its own, on a CPU without a product with the
    patches of all images, and on others as XLA's own is mapped."""
    with jax.enable_x64(True):
        x, w = (jnp.stack([a, 2 * a, jnp.cos(a)]) for a in operands(2, (5, 5), (3, 3), 2, 3))
        many = jax.vmap(partial(conv, stride=2))
        gradients = jax.jit(jax.grad(lambda x, w: jnp.sum(jnp.sin(many(x, w))), argnums=(0, 1)))
        for i in range(3):
            alone = jax.grad(lambda x, w: jnp.sum(jnp.sin(conv(x, w, 2))), argnums=(0, 1))(x[i], w[i])
            close(jax.tree.map(lambda leaf, i=i: leaf[i], gradients(x, w)), alone)
        assert " dot(" not in jax.jit(many).lower(x, w).as_text("hlo")
        tensors = {"x": x, "w": w, "y": many(x, w)}
        for wanted in tensors:
            given = [tensor for name, tensor in tensors.items() if name != wanted]
            form = partial(forms.native, wanted, _geometry((5, 5), (3, 3), 2, "SAME"))
            expected = jnp.stack([form(*(tensor[i] for tensor in given)) for i in range(3)])
            close(jax.vmap(form)(*given), expected)


@pytest.mark.parametrize("mapper", ["pmap", "shard_map", "shard_map that tracks what varies"])
def test_the_same_over_devices(mapper):
    x, w = operands(8, (7, 7), (3, 3), 2, 5)

    tracks = mapper.endswith("varies")

    def gradient(x, w):
        partial_sum = jax.grad(lambda w: jnp.sum(jnp.sin(conv(x, w, 2))))(w)
        return partial_sum if tracks else jax.lax.psum(partial_sum, "data")  # tracking, JAX has summed it already

    if mapper == "pmap":
        out = jax.pmap(gradient, "data", in_axes=(0, None), out_axes=None)(x.reshape(2, 4, 7, 7, 2), w)
    else:
        mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
        specs, whole = (PartitionSpec("data"), PartitionSpec()), PartitionSpec()
        out = jax.jit(jax.shard_map(gradient, mesh=mesh, in_specs=specs, out_specs=whole, check_vma=tracks))(x, w)
    close(out, jax.grad(lambda w: jnp.sum(jnp.sin(xla(x, w, 2))))(w), 1e-4)


@pytest.mark.parametrize(("platform", "convolutions"), [("cpu", 4), ("cuda", 1), ("tpu", 1)])
def test_form_is_chosen_where_it_is_lowered(platform, convolutions):
    """The input gradient of stride 2: four interleaved convolutions on CPU, XLA's own elsewhere."""
    y, w = jnp.ones((2, 4, 4, 6)), jnp.ones((5, 5, 5, 6))
    program = jax.jit(partial(conv_transpose, stride=2)).trace(y, w).lower(lowering_platforms=(platform,)).as_text()
    assert program.count("stablehlo.convolution(") == convolutions


@pytest.mark.parametrize("kernel", [(3, 3), (1, 5), (2, 2)])
def test_pooling_and_upsampling_are_exact(kernel):
    def pooled(x, w):
        return xla(x, w).reshape(2, 4, 2, 3, 2, 4).mean((2, 4))

    def upsampled(x, w):
        return xla(x.repeat(2, 1).repeat(2, 2), w)

    with jax.enable_x64(True):
        x, w = operands(2, (8, 6), kernel, 3, 4)
        close(jax.jit(conv_mean_pool)(x, w), jax.jit(pooled)(x, w))
        if kernel == (2, 2):
            pytest.raises(Invalid, upsample_conv, x, w).match("kernel 2x2; its sides must be odd")
        else:
            close(jax.jit(upsample_conv)(x, w), jax.jit(upsampled)(x, w))
        pytest.raises(Invalid, conv_mean_pool, x[:, 1:], w).match("image 7x6; its sides must be even")


def test_bfloat16_stays_bfloat16():
    x, w = operands(2, (8, 8), (3, 3), 4, 8)
    y = conv(x.astype("bfloat16"), w.astype("bfloat16"))
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype("float32"), xla(x, w), atol=0.05)


def test_refuses_unlike_channels_and_unknown_padding():
    x, w = jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 1, 2))
    with pytest.raises(Invalid, match="the image has 2 channels; the kernel .* takes 1"):
        conv(x, w)
    with pytest.raises(Invalid, match="conv_transpose: the image has 1 channels"):
        conv_transpose(x[..., :1], w, 2)
