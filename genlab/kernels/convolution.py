"""A convolution that is closed under differentiation, and its transpose.

The convolution, its input gradient and its weight gradient are one primitive: each is linear in either operand, and its
transposes are the other two. So derivatives of any order, forward or reverse, are made of the same three operations,
and each of these is lowered to the form that is fastest on its platform: XLA's own on GPU and TPU, `forms.cpu` on CPU.
"""

import functools
from functools import partial
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from genlab.errors import Invalid
from genlab.kernels import forms
from genlab.kernels.forms import Geometry, Operand

Padding = Literal["SAME", "VALID"]


def conv(
    x: Float[Array, "batch height width inputs"],
    w: Float[Array, "kh kw _ outputs"],
    stride: int = 1,
    padding: Padding = "SAME",
) -> Float[Array, "batch out_height out_width outputs"]:
    """Cross-correlation of NHWC images with an HWIO kernel; the output side is `ceil(side / stride)` under "SAME".

    Raises Invalid for channels that do not match and for an unknown padding.
    """
    if x.shape[3] != w.shape[2]:
        raise Invalid(f"conv: the image has {x.shape[3]} channels; the kernel {w.shape} takes {w.shape[2]}")
    if padding not in get_args(Padding):
        raise Invalid(f"conv: padding {padding!r}; it is one of {', '.join(get_args(Padding))}")
    return _contract("y", _geometry(x.shape[1:3], w.shape[:2], stride, padding), x=x, w=w)


def conv_transpose(
    x: Float[Array, "batch height width inputs"],
    w: Float[Array, "kh kw outputs _"],
    stride: int = 1,
) -> Float[Array, "batch out_height out_width outputs"]:
    """The exact linear transpose of `conv(., w, stride)` from images of side `stride * side`.

    The kernel keeps the layout of the convolution it transposes, (kh, kw, outputs, inputs), `outputs` being the
    channels of the result. Raises Invalid for channels that do not match.
    """
    if x.shape[3] != w.shape[3]:
        raise Invalid(f"conv_transpose: the image has {x.shape[3]} channels; the kernel {w.shape} takes {w.shape[3]}")
    image = (stride * x.shape[1], stride * x.shape[2])
    return _contract("x", _geometry(image, w.shape[:2], stride, "SAME"), w=w, y=x)


def conv_mean_pool(
    x: Float[Array, "batch height width inputs"], w: Float[Array, "kh kw _ outputs"]
) -> Float[Array, "batch out_height out_width outputs"]:
    """The mean over 2x2 blocks of `conv(x, w)`, as one convolution of stride 2; 4/9 of the work for a 3x3 kernel.

    Raises Invalid for odd sides.
    """
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise Invalid(f"conv_mean_pool: image {x.shape[1]}x{x.shape[2]}; its sides must be even")
    return conv(x, _blocks(w) / 4, 2)


def upsample_conv(
    x: Float[Array, "batch height width inputs"], w: Float[Array, "kh kw _ outputs"]
) -> Float[Array, "batch out_height out_width outputs"]:
    """`conv` of the image with each pixel repeated 2x2, as one transposed convolution; 4/9 of the work for a 3x3.

    It is the transpose of a convolution summed over 2x2 blocks. Raises Invalid for kernels of even side.
    """
    if not (w.shape[0] % 2 and w.shape[1] % 2):
        raise Invalid(f"upsample_conv: kernel {w.shape[0]}x{w.shape[1]}; its sides must be odd")
    return conv_transpose(x, _blocks(w[::-1, ::-1].swapaxes(2, 3)), 2)


def _blocks(w: jax.Array) -> jax.Array:
    """The kernel whose outputs at stride 2 are the sums over 2x2 blocks of the outputs of w at stride 1."""
    places = [(row, column) for row in (0, 1) for column in (0, 1)]
    shifted = [jnp.pad(w, ((row, 1 - row), (column, 1 - column), (0, 0), (0, 0))) for row, column in places]
    return functools.reduce(jnp.add, shifted)


def _geometry(image: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: Padding) -> Geometry:
    """Padding as XLA and TensorFlow do it: the odd pixel goes to the end."""
    pairs = jax.lax.padtype_to_pads(image, kernel, (stride, stride), padding)
    return Geometry(stride, tuple(image), tuple(kernel), tuple((int(low), int(high)) for low, high in pairs))


_primitive = Primitive("genlab_conv")


def _contract(wanted: Operand, geometry: Geometry, **operands: jax.Array) -> jax.Array:
    a, b = (operands[name] for name in _others(wanted))
    dtype = jnp.promote_types(a.dtype, b.dtype)
    a, b = _varying(a, b), _varying(b, a)
    return _primitive.bind(a.astype(dtype), b.astype(dtype), wanted=wanted, geometry=geometry)


def _varying(a: jax.Array, b: jax.Array) -> jax.Array:
    """`a`, varying over the mapped axes that b varies over: `shard_map` then sums its cotangent over them."""
    return jax.lax.pcast(a, tuple(jax.typeof(b).mat.varying - jax.typeof(a).mat.varying), to="varying")


def _others(wanted: Operand) -> list[Operand]:
    return [name for name in get_args(Operand) if name != wanted]


def _transpose(position: int, cotangent: jax.Array, a, b, *, wanted: Operand, geometry: Geometry) -> jax.Array:
    """The same trilinear form with one operand and the result exchanged."""
    names = _others(wanted)
    known = {names[1 - position]: (a, b)[1 - position], wanted: cotangent}
    return _contract(names[position], geometry, **known)


def _batch(operands, axes, *, wanted: Operand, geometry: Geometry) -> tuple[jax.Array, int]:
    """One mapped operand: its new axis joins the one it shares with the result. Two: see `_each`."""
    names = _others(wanted)
    bind = partial(_primitive.bind, wanted=wanted, geometry=geometry)
    if None not in axes:
        return _each(wanted, geometry, *map(partial(jnp.moveaxis, destination=0), operands, axes)), 0
    position = 0 if axes[1] is None else 1
    mapped, axis = operands[position], axes[position]
    entry, result = _SHARED[names[position], wanted]
    count = mapped.shape[axis]
    folded = jnp.moveaxis(mapped, axis, entry)
    folded = folded.reshape(*folded.shape[:entry], -1, *folded.shape[entry + 2 :])
    out = bind(*(folded if i == position else operand for i, operand in enumerate(operands)))
    return out.reshape(*out.shape[:result], count, -1, *out.shape[result + 1 :]), result


def _each(wanted: Operand, geometry: Geometry, a: jax.Array, b: jax.Array) -> jax.Array:
    """As many of the operation, of operands with a leading axis.

    On a CPU one after the other, each at full speed: one product with the patches of all takes 1.3 to 13 times as long,
    but for images of a few numbers. Elsewhere as XLA maps its own, to a grouped convolution.
    """
    bind = partial(_primitive.bind, wanted=wanted, geometry=geometry)
    return jax.lax.platform_dependent(
        a,
        b,
        cpu=lambda a, b: jax.lax.map(lambda pair: bind(*pair), (a, b)),
        default=jax.vmap(partial(forms.native, wanted, geometry)),
    )


# the axis that two operands have in common, in the first and in the second
_SHARED: dict[tuple[Operand, Operand], tuple[int, int]] = {
    ("x", "y"): (0, 0),
    ("y", "x"): (0, 0),
    ("w", "y"): (3, 3),
    ("y", "w"): (3, 3),
    ("x", "w"): (3, 2),
    ("w", "x"): (2, 3),
}


def _lower(form, a: jax.Array, b: jax.Array, *, wanted: Operand, geometry: Geometry) -> jax.Array:
    return form(wanted, geometry, a, b)


_compiled = jax.jit(_primitive.bind, static_argnames=("wanted", "geometry"))
_primitive.def_impl(_compiled)
_primitive.def_abstract_eval(
    lambda a, b, *, wanted, geometry: a.update(shape=forms.shape(wanted, geometry, a.shape, b.shape))
)
ad.defbilinear(_primitive, partial(_transpose, 0), partial(_transpose, 1))
batching.primitive_batchers[_primitive] = _batch
mlir.register_lowering(_primitive, mlir.lower_fun(partial(_lower, forms.native), multiple_results=False))
mlir.register_lowering(_primitive, mlir.lower_fun(partial(_lower, forms.cpu), multiple_results=False), platform="cpu")
