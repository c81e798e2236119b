"""The ways to compute a convolution and its two gradients, and the rule that picks one on a CPU.

A convolution is one trilinear form in the image x (NHWC), the kernel w (HWIO) and the output y (NHWC),

    sum over n, p, t, i, o of x[n, stride p + t - low, i] w[t, i, o] y[n, p, o],

and each of the three operations is its derivative by the operand it returns: "y" is the convolution of x and w, "x" the
input gradient of w and y, "w" the weight gradient of x and y. A form gets the two other operands, in the order x, w, y.
"""

import functools
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Operand = Literal["x", "w", "y"]
Tensor = Float[Array, "_ _ _ _"]
Sizes = tuple[Any, ...]  # integers, or symbols in a program that is made for batches of any size
_LAYOUT = ("NHWC", "HWIO", "NHWC")


class Geometry(NamedTuple):
    """What the shapes of two operands leave open: (height, width) pairs, and (low, high) padding of each."""

    stride: int
    image: tuple[int, ...]
    kernel: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]

    @property
    def output(self) -> tuple[int, ...]:
        """Side lengths of y."""
        sides = zip(self.image, self.kernel, self.padding, strict=True)
        return tuple((side + low + high - kernel) // self.stride + 1 for side, kernel, (low, high) in sides)


def shape(wanted: Operand, geometry: Geometry, a: Sizes, b: Sizes) -> Sizes:
    """Shape of the operation `wanted` from those of its operands."""
    if wanted == "y":
        return (a[0], *geometry.output, b[3])
    if wanted == "x":
        return (b[0], *geometry.image, a[2])
    return (*geometry.kernel, a[3], b[3])


def native(wanted: Operand, geometry: Geometry, a: Tensor, b: Tensor) -> Tensor:
    """XLA's own convolution and the transposes JAX gives it."""
    stride = (geometry.stride, geometry.stride)
    forward = partial(
        jax.lax.conv_general_dilated, window_strides=stride, padding=geometry.padding, dimension_numbers=_LAYOUT
    )
    if wanted == "y":
        return forward(a, b)
    result = jax.ShapeDtypeStruct(shape(wanted, geometry, a.shape, b.shape), b.dtype)
    function: Callable = (lambda x: forward(x, a)) if wanted == "x" else (lambda w: forward(a, w))
    return jax.linear_transpose(function, result)(b)[0]


def patches(geometry: Geometry, x: Tensor) -> Tensor:
    """The pixels under the kernel at each place of the output, (batch, height, width, taps * inputs)."""
    (height, width), (rows, columns), stride = geometry.output, geometry.kernel, geometry.stride
    padded = jnp.pad(x, ((0, 0), *geometry.padding, (0, 0)))
    last_row, last_column = (height - 1) * stride + 1, (width - 1) * stride + 1
    shifts = [
        padded[:, row : row + last_row : stride, column : column + last_column : stride]
        for row in range(rows)
        for column in range(columns)
    ]
    return jnp.concatenate(shifts, axis=-1)


def matmul(wanted: Operand, geometry: Geometry, a: Tensor, b: Tensor) -> Tensor:
    """One matrix product with the patches of the image: best for 1x1 kernels and for images of few channels."""
    result = shape(wanted, geometry, a.shape, b.shape)
    if wanted == "y":
        return jnp.tensordot(patches(geometry, a), b.reshape(-1, b.shape[3]), axes=1)
    if wanted == "w":
        return jnp.tensordot(patches(geometry, a), b, axes=((0, 1, 2), (0, 1, 2))).reshape(result)
    columns = jnp.tensordot(b, a.reshape(-1, a.shape[3]), axes=((3,), (1,)))
    return jax.linear_transpose(partial(patches, geometry), jax.ShapeDtypeStruct(result, b.dtype))(columns)[0]


def phases(geometry: Geometry, w: Tensor, y: Tensor) -> Tensor:
    """Input gradient as stride^2 forward convolutions of y, one for each phase of the image's grid, interleaved.

    Pixel `stride u + phase` meets the taps `first + stride d`, each at the place `u + ahead - d` of the output.
    With stride 1 it is the one convolution with the kernel flipped and its channels exchanged.
    """
    stride, flipped = geometry.stride, w[::-1, ::-1].swapaxes(2, 3)
    grid = [-(-side // stride) for side in geometry.image]

    def plan(axis: int, phase: int) -> tuple[slice, tuple[int, int]]:
        kernel, low = geometry.kernel[axis], geometry.padding[axis][0]
        ahead, first = divmod(phase + low, stride)
        taps = len(range(first, kernel, stride))
        start = (kernel - 1 - first) % stride if taps else kernel
        return slice(start, None, stride), (taps - 1 - ahead, grid[axis] + ahead - geometry.output[axis])

    def one(row_phase: int, column_phase: int) -> Tensor:
        (rows, row_padding), (columns, column_padding) = plan(0, row_phase), plan(1, column_phase)
        taps = flipped[rows, columns]
        if taps.size == 0:
            return jnp.zeros((y.shape[0], *grid, w.shape[2]), y.dtype)
        return jax.lax.conv_general_dilated(y, taps, (1, 1), (row_padding, column_padding), dimension_numbers=_LAYOUT)

    rows = [jnp.stack([one(row, column) for column in range(stride)], axis=3) for row in range(stride)]
    image = jnp.stack(rows, axis=2).reshape(y.shape[0], grid[0] * stride, grid[1] * stride, w.shape[2])
    return image[:, : geometry.image[0], : geometry.image[1]]


def exchanged(geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
    """Weight gradient as a forward convolution in which batch and channels change places, a few images at a time.

    About 1,024 pixels of y in a chunk feed the matrix unit and still fit the caches; 16 chunks bound the program.
    """
    stride, kernel, low = geometry.stride, geometry.kernel, [low for low, _ in geometry.padding]
    if stride == 1 and y.shape[3] < x.shape[3]:  # the operand with more channels makes the better kernel
        margins = tuple((kernel[i] - 1 - low, kernel[i] - 1 - high) for i, (low, high) in enumerate(geometry.padding))
        swapped = geometry._replace(image=geometry.output, padding=margins)
        return exchanged(swapped, y, x)[::-1, ::-1].swapaxes(2, 3)
    size = max(1024 // math.prod(geometry.output), -(-y.shape[0] // 16), 1)
    # pads, or cuts, so that the image ends where its last window does
    ends = [(geometry.output[i] - 1) * stride + kernel[i] - geometry.image[i] - low[i] for i in (0, 1)]
    convolve = partial(
        jax.lax.conv_general_dilated,
        window_strides=(1, 1),
        padding=list(zip(low, ends, strict=True)),
        rhs_dilation=(stride, stride),
        dimension_numbers=_LAYOUT,
    )
    chunks = [slice(at, at + size) for at in range(0, y.shape[0], size)]
    parts = [convolve(x[chunk].transpose(3, 1, 2, 0), y[chunk].transpose(1, 2, 0, 3)) for chunk in chunks]
    return functools.reduce(jnp.add, parts).transpose(1, 2, 0, 3)


def cpu(wanted: Operand, geometry: Geometry, a: Tensor, b: Tensor) -> Tensor:
    """The fastest form measured on a CPU; XLA's own gradients there are up to 100 times slower inside a loop."""
    if geometry.kernel == (1, 1) and geometry.stride == 1:
        return matmul(wanted, geometry, a, b)
    if wanted == "y":  # of colour images: pixels of three numbers, which XLA's own reads one by one
        return matmul(wanted, geometry, a, b) if a.shape[3] == 3 else native(wanted, geometry, a, b)
    if wanted == "w":
        return exchanged(geometry, a, b)
    # the product sums over taps at its end, and XLA does so anew in each slice that the next convolution takes of it
    few = a.shape[2] == 1 or (a.shape[2] <= 4 and geometry.stride == 1)
    return matmul(wanted, geometry, a, b) if few else phases(geometry, a, b)
