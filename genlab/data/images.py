"""Image files and arrays as uint8 pixels of one size."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Integer, UInt8
from PIL import Image, ImageOps

from genlab.errors import Invalid

CHANNELS = {"L": 1, "RGB": 3}  # the two modes that pixels come in
DEEP = re.compile(r";16[BLN]")  # in Pillow's names of what 16 bits per channel lie in a file as
READ_AT_ONCE = 1024  # images of a set that are looked through at a time


def decode(
    file: Path | bytes, name: str, mode: str, side: int | None, bits: bool = False
) -> UInt8[np.ndarray, "h w c"]:
    """The pixels of an image file in `mode` ("L": c = 1, "RGB": c = 3), fitted to (side, side) unless `side` is None.

    `bits`: it is of a set whose values are all 0 and 1, which are black and white (0 and 255) here. The orientation tag
    of a file is followed, as every viewer does; bytes are of a record, and read as TFDS reads them. Raises `Invalid`,
    calling the file `name`, where it is not a readable image of 8 bits per channel, or not of bits.
    """
    with _reading(file, name) as image:
        image.load()
        if isinstance(file, Path):
            image = ImageOps.exif_transpose(image)
    if image.mode != mode:
        # A palette may hold transparency, which only RGBA can take from it.
        image = (image.convert("RGBA") if image.mode == "P" else image).convert(mode)
    if bits:
        values = np.asarray(image)
        if values.max() > 1:
            raise Invalid(f"data.name: {name} has a value of {values.max()}; its training split has 0 and 1 alone")
        image = Image.fromarray(to_grey_levels(values))
    return _pixels(image, side)


def mode_of(file: Path | bytes, name: str) -> str:
    """The mode to decode a file in: "L" for grey levels, else "RGB". Raises `Invalid` as `decode` does."""
    with _reading(file, name) as image:  # only its header is read
        return "L" if Image.getmodebase(image.mode) == "L" else "RGB"


def to_grey_levels(x: UInt8[np.ndarray, "*shape"] | Bool[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Images as 0..255: those that are bool, or whose values are all 0 and 1, are black and white."""
    return x * np.uint8(255) if x.dtype == bool or x.max(initial=0) <= 1 else x


def is_binary(n: int, brightest: Callable[[Integer[np.ndarray, " some"]], int]) -> bool:
    """Whether none of a set's `n` images has a value above 1; `brightest` gives the largest of some of them.

    Ever more of them at a time, so that almost every set is known by its first image, which has other values.
    """
    start = 0
    while start < n:
        stop = min(n, 2 * start + 1, start + READ_AT_ONCE)
        if brightest(np.arange(start, stop)) > 1:
            return False
        start = stop
    return True


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


@contextmanager
def _reading(file: Path | bytes, name: str) -> Iterator[Image.Image]:
    """The image in a file, open. Raises `Invalid`, calling it `name`, for what cannot be read in it."""
    if isinstance(file, Path) and file.exists() and not file.is_file():  # a pipe would be waited for
        raise Invalid(f"data.name: {name} is no readable image (it is no regular file)")
    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            # of what is wider Pillow would clip grey levels to 255, and drop the lower half of colours
            deep = (
                image.mode if image.mode[0] in "IF" else next((t.args for t in image.tile if "16" in str(t.args)), "")
            )
            if deep:
                raise Invalid(f"data.name: {name} has pixels of mode {deep}; 8 bits per channel are allowed")
            yield image
    except Invalid:
        raise
    except Exception as error:  # decoders meet broken bytes with any exception whatever
        raise Invalid(f"data.name: {name} is no readable image ({one_line(error)})") from error
