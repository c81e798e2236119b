"""Images in time: .gif and .mp4 files."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from genlab.track.grids import enlarge

SIDE = 128  # smaller images are enlarged to at least this
FPS = 12  # images a second
FILMS = (".gif", ".mp4")


def write_film(path: Path, images: UInt8[np.ndarray, "n h w c"]) -> None:
    """Images of 1 or 3 channels one after the other, for ever in a .gif; small ones enlarged by a whole factor."""
    import imageio.v3 as iio

    frames = enlarge(images, SIDE)
    if path.suffix == ".gif":
        shown = frames[..., 0] if frames.shape[-1] == 1 else frames
        iio.imwrite(path, shown, plugin="pillow", duration=round(1000 / FPS), loop=0)
        return
    odd = [(0, 0), *((0, side % 2) for side in frames.shape[1:3]), (0, 0)]  # H.264 has colour for every 2 x 2 pixels
    frames = np.pad(frames, odd, mode="edge")
    frames = np.broadcast_to(frames, (*frames.shape[:3], 3))
    iio.imwrite(path, frames, plugin="FFMPEG", fps=FPS, codec="libx264", macro_block_size=2)
