"""From images or seeds to the images between them."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from genlab.data.feed import to_uint8
from genlab.data.images import CHANNELS, decode, to_grey_levels
from genlab.errors import Invalid, require
from genlab.kernels.random import example_keys
from genlab.latent.geodesic import geodesic
from genlab.latent.paths import lerp, path, slerp
from genlab.latent.projection import project
from genlab.model import Model
from genlab.train.state import stream

Curve = Literal["lerp", "slerp", "geodesic"]
Paths = Float[Array, "paths steps latent"]

_project = jax.jit(project, static_argnums=3)


def end_latents(model: Model, ends: Sequence[str], label: int | None = None) -> Float[np.ndarray, "ends latent"]:
    """A latent for each seed (that of the seed's first sample) and for each image file: encoded, or else projected.

    Raises:
        Invalid: what is neither a seed nor a file, or an image that cannot be read or has another size.
    """
    return np.concatenate([_seed(model, end) if end.isdecimal() else _file(model, end, label) for end in ends])


def _seed(model: Model, seed: str) -> Float[np.ndarray, "1 latent"]:
    require(len(seed) <= 10 and int(seed) < 2**32, "between", seed, "a seed below 2^32")
    return model.prior(1, int(seed))


def _file(model: Model, name: str, label: int | None) -> Float[np.ndarray, "1 latent"]:
    x = read_image(Path(name), model.shape)[None]
    if model.encodes:
        return model.encode(x, label)
    keys = example_keys(stream(0, "projection"), jnp.arange(1))
    return np.asarray(_project(model.decoder(label), jnp.asarray(x), keys, model.method.latent).z)


def read_image(file: Path, shape: tuple[int, ...]) -> Float[np.ndarray, "h w c"]:
    """An image file as data of `shape`, in [-1, 1]; colour or grey as that is, of nothing but 0 and 1 black and white.

    Raises:
        Invalid: it cannot be read, or has another size.
    """
    if not os.path.isfile(file):
        raise Invalid(f"between: {file} is neither a seed (0, 1, ...) nor an image file")
    mode = next(mode for mode, channels in CHANNELS.items() if channels == shape[-1])
    try:
        pixels = to_grey_levels(decode(file, str(file), mode, None))
    except Invalid as error:
        raise Invalid(str(error).replace("data.name", "between", 1)) from None
    (height, width), (h, w) = pixels.shape[:2], shape[:2]
    require((height, width) == (h, w), "between", str(file), f"of {w} x {h} pixels, but of {width} x {height}")
    return pixels.astype(np.float32) / 127.5 - 1


def interpolate(
    model: Model, points: Float[np.ndarray, "ends latent"], steps: int, curve: Curve | None, label: int | None = None
) -> Paths:
    """From each latent to the next in `steps` latents, both ends included; by default slerp where they are N(0, I)."""
    curves: dict[str, Callable] = {
        "lerp": partial(path, steps=steps, curve=lerp),
        "slerp": partial(path, steps=steps, curve=slerp),
        "geodesic": lambda two: geodesic(model.decoder(label), two[0], two[1], steps),
    }
    draw = jax.jit(curves[curve or ("slerp" if model.gaussian else "lerp")])
    return jnp.stack([draw(jnp.asarray(two)) for two in zip(points[:-1], points[1:], strict=True)])


def frames(
    model: Model, ends: Sequence[str], steps: int, curve: Curve | None, label: int | None
) -> UInt8[np.ndarray, "n h w c"]:
    """The images from each end, a seed or an image file, to the next: `steps` of them, one path after the other.

    Raises:
        Invalid: a model of points, fewer than two ends or steps, and what `end_latents` raises.
    """
    require(len(model.shape) == 3, "run_dir", model.config.data.name, "data of images, which can be interpolated")
    require(len(ends) >= 2, "between", " ".join(ends), "at least two seeds or image files")
    require(steps >= 2, "steps", steps, "at least 2, the ends")
    found = interpolate(model, end_latents(model, ends, label), steps, curve, label)
    return to_uint8(model.decode(np.asarray(found.reshape(-1, found.shape[-1])), label))


def looping_frames(
    model: Model, ends: Sequence[str], steps: int, curve: Curve | None, label: int | None
) -> UInt8[np.ndarray, "n h w c"]:
    """The same images, and back to the first one, every end once: a loop."""
    closed = frames(model, [*ends, ends[0]] if ends else ends, steps, curve, label)
    return closed[np.arange(len(closed)) % steps < steps - 1]
