"""Samples to files."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from genlab.data.feed import to_uint8
from genlab.errors import Invalid
from genlab.track import grids


def write_samples(out: Path, x: Float[np.ndarray, "n *shape"]) -> None:
    """Write samples: one picture (.png), one array (.npz, named `images` or `points`), or a folder of images.

    Args:
        out: where to; a folder must be empty or not exist yet.
        x: images in [-1, 1], written as uint8, or points (n, 2), written as they are.

    Raises:
        Invalid: points into a folder of images, a folder that holds something, a place that cannot be written to.
    """
    images = x.ndim == 4
    pixels = to_uint8(x) if images else x
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".npz":
            np.savez(out, images=pixels) if images else np.savez(out, points=pixels)
        elif out.suffix == ".png":
            Image.fromarray(grids.tile(pixels) if images else grids.scatter(pixels, pixels)).save(out)
        elif not images:
            raise Invalid(f"out: {out}; points go to a .npz or a .png file")
        else:
            _write_folder(out, pixels)
    except OSError as error:
        raise Invalid(f"out: {out} cannot be written ({error.strerror or error})") from None


def _write_folder(out: Path, pixels: np.ndarray) -> None:
    out.mkdir(exist_ok=True)
    if any(out.iterdir()):
        raise Invalid(f"out: {out}; the folder must be empty")
    for i, image in enumerate(pixels):
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(out / f"{i:06d}.png")
