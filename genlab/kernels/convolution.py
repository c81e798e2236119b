"""Convolutions in NHWC with HWIO kernels."""

import jax
from jaxtyping import Array, Float

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv(
    x: Float[Array, "batch height width inputs"],
    w: Float[Array, "kh kw inputs outputs"],
    stride: int = 1,
    padding: str = "SAME",
) -> Float[Array, "batch out_height out_width outputs"]:
    """Cross-correlation of NHWC images with an HWIO kernel; the output side is `ceil(side / stride)` under "SAME"."""
    return jax.lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=_LAYOUT)


def conv_transpose(
    x: Float[Array, "batch height width inputs"],
    w: Float[Array, "kh kw outputs inputs"],
    stride: int,
) -> Float[Array, "batch out_height out_width outputs"]:
    """The exact linear transpose of `conv(., w, stride)` from images of side `stride * side`.

    The kernel keeps the layout of the convolution it transposes, (kh, kw, outputs, inputs): `outputs` are the channels of the result.
    """
    batch, height, width, _ = x.shape
    result = jax.ShapeDtypeStruct((batch, stride * height, stride * width, w.shape[2]), x.dtype)
    (y,) = jax.linear_transpose(lambda image: conv(image, w, stride), result)(x)
    return y
