"""Image files and arrays as uint8 pixels of one size."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from genlab.errors import Invalid

CHANNELS = {"L": 1, "RGB": 3}  # the two modes that pixels come in


def decode(file: Path | bytes, name: str, mode: str, side: int | None) -> UInt8[np.ndarray, "h w c"]:
    """The pixels of an image file in `mode` ("L": c = 1, "RGB": c = 3), fitted to (side, side) unless `side` is None.

    Orientation tags are not followed. Raises `Invalid`, calling the file `name`, where it is not a readable image.
    """
    image = _open(file, name)
    if image.mode != mode:
        # A palette may hold transparency, which only RGBA can take from it.
        image = (image.convert("RGBA") if image.mode == "P" else image).convert(mode)
    return _pixels(image, side)


def mode_of(file: Path | bytes, name: str) -> str:
    """The mode to decode a file in: "L" for grey levels, else "RGB". Raises `Invalid` as `decode` does."""
    return "L" if Image.getmodebase(_open(file, name).mode) == "L" else "RGB"


def fit(x: UInt8[np.ndarray, "n h w c"], side: int | None) -> UInt8[np.ndarray, "n h2 w2 c"]:
    """Every image resized (shorter side, antialiased) and centre-cropped to (side, side); unchanged for None."""
    if side is None or x.shape[1:3] == (side, side):
        return x
    return np.stack([_pixels(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image), side) for image in x])


def one_line(message: object) -> str:
    """Someone else's message, made fit for an `Invalid`."""
    return " ".join(str(message).split())


def _pixels(image: Image.Image, side: int | None) -> UInt8[np.ndarray, "h w c"]:
    if side is not None and image.size != (side, side):
        image = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _open(file: Path | bytes, name: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            image.load()
    except Exception as error:  # decoders meet broken bytes with any exception whatever
        raise Invalid(f"data.name: {name} is no readable image ({one_line(error)})") from error
    if image.mode[0] in "IF":  # Pillow would clip these to 255
        raise Invalid(f"data.name: {name} has pixels of mode {image.mode}; 8 bits per channel are allowed")
    return image
