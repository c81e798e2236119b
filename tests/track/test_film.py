"""Films play back what was written."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence

from genlab.track.film import write_film

X = np.random.default_rng(0).integers(0, 256, (4, 9, 8, 3), np.uint8)
SMOOTH = np.linspace(0, 255, 4 * 81).astype(np.uint8).reshape(4, 9, 9, 1)


def frames(film, mode):
    with Image.open(film) as image:
        return np.stack([frame.convert(mode) for frame in ImageSequence.Iterator(image)])


def played(film):
    """All the bytes that ffmpeg decodes."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", film, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8)


def test_a_gif_of_greys_is_exact_and_loops(tmp_path):
    write_film(tmp_path / "x.gif", X[..., :1])
    found = frames(tmp_path / "x.gif", "L")
    np.testing.assert_array_equal(found, X[..., 0].repeat(16, 1).repeat(16, 2))
    with Image.open(tmp_path / "x.gif") as film:
        assert film.info["loop"] == 0


def test_a_gif_of_colours(tmp_path):
    write_film(tmp_path / "x.gif", X)
    found = frames(tmp_path / "x.gif", "RGB")
    np.testing.assert_array_equal(found, X.repeat(16, 1).repeat(16, 2))


@pytest.mark.parametrize("images", [SMOOTH, np.broadcast_to(SMOOTH, (4, 9, 9, 3))])
def test_an_mp4_of_any_side(tmp_path, images):
    """15 times 9 is odd, which the format cannot be: a row and a column are repeated. Colours lose a little."""
    write_film(tmp_path / "x.mp4", images)
    found = played(tmp_path / "x.mp4").reshape(4, 136, 136, 3)
    expected = np.broadcast_to(SMOOTH, (4, 9, 9, 3)).repeat(15, 1).repeat(15, 2)
    assert abs(found[:, :135, :135].astype(int) - expected).mean() < 4


def test_an_mp4_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_film(tmp_path / "absent" / "x.mp4", SMOOTH)
