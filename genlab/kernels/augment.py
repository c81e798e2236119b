"""Random changes of images that can be differentiated (DiffAugment, Zhao et al. 2020), one key per image.

The same keys change any images in the same way. Images are (batch, h, w, c) around 0, and may leave [-1, 1].
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from genlab.kernels.random import Keys, fold, uniform

Kind = Literal["color", "translation", "cutout", "flip"]
Images = Float[Array, "batch h w c"]
PerImage = Float[Array, " batch"]
Pixels = Int[Array, "batch 2"]  # down and to the right
Outside = Literal["constant", "reflect"]  # what comes in where an image is moved: zeros, or its mirror image
SHIFT, HOLE = 1 / 8, 1 / 2  # the largest translation and the side of the hole, in sides of the image


def augment(x: Images, keys: Keys, kinds: tuple[Kind, ...], outside: Outside = "constant") -> Images:
    """The kinds in their order, as strong as in the paper's code; flip mirrors every second image.

    `outside`: what a translation brings in, zeros as in that code, or the mirror image.
    """
    height, width = x.shape[1:3]
    for kind in kinds:
        u = uniform(fold(keys, get_args(Kind).index(kind)), (3,))
        match kind:
            case "color":
                x = contrast(saturation(brightness(x, u[:, 0] - 0.5), 2 * u[:, 1]), u[:, 2] + 0.5)
            case "translation":
                down, right = _share(height, SHIFT), _share(width, SHIFT)
                by = jnp.stack([uniform_integers(u[:, 0], -down, down), uniform_integers(u[:, 1], -right, right)], 1)
                x = shift(x, by, max(down, right), outside)
            case "cutout":
                size = _share(height, HOLE), _share(width, HOLE)
                centre = [
                    uniform_integers(u[:, 0], 0, height - size[0] % 2),
                    uniform_integers(u[:, 1], 0, width - size[1] % 2),
                ]
                x = cutout(x, jnp.stack(centre, 1), size)
            case "flip":
                x = mirror(x, u[:, 0] < 0.5)
    return x


def crop(x: Images, keys: Keys, most: int) -> Images:
    """Each image moved by up to `most` pixels either way, what comes in mirrored at the edge."""
    return shift(x, uniform_integers(uniform(keys, (2,)), -most, most), most, "reflect")


def brightness(x: Images, by: PerImage) -> Images:
    """`by` is added to every number."""
    return x + _per_image(by)


def saturation(x: Images, factor: PerImage) -> Images:
    """`factor` times every pixel's distance from its grey, the mean of its channels."""
    grey = x.mean(3, keepdims=True)
    return grey + _per_image(factor) * (x - grey)


def contrast(x: Images, factor: PerImage) -> Images:
    """`factor` times every number's distance from the mean of its image."""
    mean = x.mean((1, 2, 3), keepdims=True)
    return mean + _per_image(factor) * (x - mean)


def shift(x: Images, by: Pixels, most: int, outside: Outside) -> Images:
    """What was at `by`, at most `most` pixels from the corner, comes to the corner; outside is 0, or a mirror image."""
    padded = jnp.pad(x, ((0, 0), (most, most), (most, most), (0, 0)), mode=outside)

    def cut(image: Float[Array, "h2 w2 c"], at: Int[Array, " 2"]) -> Float[Array, "h w c"]:
        return jax.lax.dynamic_slice(image, (*at, jnp.zeros_like(at[0])), x.shape[1:])

    return jax.vmap(cut)(padded, by + most)


def cutout(x: Images, centre: Pixels, size: tuple[int, int]) -> Images:
    """0 in a rectangle of `size` that begins size // 2 before `centre`; it may leave the image."""

    def covered(axis: int) -> Bool[Array, "batch side"]:
        from_start = jnp.arange(x.shape[axis + 1]) - centre[:, axis, None] + size[axis] // 2
        return (from_start >= 0) & (from_start < size[axis])

    hole = covered(0)[:, :, None] & covered(1)[:, None]
    return jnp.where(hole[..., None], 0, x)


def mirror(x: Images, chosen: Bool[Array, " batch"]) -> Images:
    """Left and right exchanged in the chosen images."""
    return jnp.where(_per_image(chosen), x[:, :, ::-1], x)


def uniform_integers(u: Float[Array, "batch *n"], least: int, most: int) -> Int[Array, "batch *n"]:
    """Draws from U[0, 1) to whole numbers from `least` to `most`, all equally likely."""
    return least + (u * (most - least + 1)).astype(jnp.int32)


def _share(side: int, share: float) -> int:
    """As the paper's code rounds: halves upwards."""
    return int(side * share + 0.5)


def _per_image(values: Shaped[Array, " batch"]) -> Shaped[Array, "batch 1 1 1"]:
    return values[:, None, None, None]
