"""Images in time: .gif and .mp4 files."""

import io
import subprocess
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from genlab.track.grids import enlarge, picture

SIDE = 128  # smaller images are enlarged to at least this
FPS = 12  # images a second
FILMS = (".gif", ".mp4")


def write_film(path: Path, images: UInt8[np.ndarray, "n h w c"]) -> None:
    """Images of 1 or 3 channels one after the other, for ever in a .gif; small ones enlarged by a whole factor.

    Raises:
        OSError: it cannot be written.
    """
    frames = enlarge(images, SIDE)
    _gif(path, frames) if path.suffix == ".gif" else _mp4(path, frames)


def _gif(path: Path, frames: UInt8[np.ndarray, "n h w c"]) -> None:
    first, *others = map(picture, frames)
    film = io.BytesIO()
    first.save(film, "gif", save_all=True, append_images=others, duration=round(1000 / FPS), loop=0)
    path.write_bytes(film.getvalue())


def _mp4(path: Path, frames: UInt8[np.ndarray, "n h w c"]) -> None:
    """H.264 by the ffmpeg that imageio brings, run here so that its exit code is seen."""
    import imageio_ffmpeg

    odd = [(0, 0), *((0, side % 2) for side in frames.shape[1:3]), (0, 0)]  # H.264 has colour for every 2 x 2 pixels
    frames = np.pad(frames, odd, mode="edge")
    pixels, (height, width) = "gray" if frames.shape[-1] == 1 else "rgb24", frames.shape[1:3]
    input_options = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-r", str(FPS), "-i", "-"]
    output_options = ["-codec:v", "libx264", "-pix_fmt", "yuv420p", "-y", str(path)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *input_options, *output_options]
    done = subprocess.run(command, input=frames.tobytes(), capture_output=True)
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or "ffmpeg failed")
