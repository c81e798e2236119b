"""Interpolation from the command line: pictures and films, seeds and images, and mistakes."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from genlab.data.feed import to_uint8
from genlab.errors import Invalid
from genlab.model import load
from genlab.track.grids import tile


@pytest.fixture
def interpolate(script):
    return script("interpolate")


def written(path, side=(8, 8), value=0, mode="L"):
    Image.new(mode, side, value if mode == "L" else (value,) * 3).save(path)
    return path


def strip_of(path, rows, columns):
    """The images of a grid of 8 x 8 greys, each enlarged by 6 and set apart by a pixel."""
    pixels = np.asarray(Image.open(path))[..., 0]
    assert pixels.shape == (49 * rows + 1, 49 * columns + 1)
    return pixels[1:, 1:].reshape(rows, 49, columns, 49).swapaxes(1, 2)[:, :, :48:6, :48:6]


@pytest.mark.parametrize("method", ["lerp", "slerp", "geodesic"])
def test_a_strip_goes_from_sample_to_sample(interpolate, saved, tmp_path, method):
    run = saved("wgan_gp")
    interpolate(run, "--between", 4, 7, 5, "--steps", 5, "--method", method, "--out", tmp_path / "x.png")
    found = strip_of(tmp_path / "x.png", 2, 5)
    model = load(run)
    samples = [to_uint8(model.sample(1, seed))[0, ..., 0] for seed in (4, 7, 5)]
    for image, sample in zip(
        (found[0, 0], found[0, -1], found[1, 0], found[1, -1]), np.array(samples)[[0, 1, 1, 2]], strict=True
    ):
        np.testing.assert_allclose(image.astype(int), sample, atol=1)
    half = {"lerp": 0.5, "slerp": None, "geodesic": None}[method]
    if half:
        z = (model.prior(1, 4) + model.prior(1, 7)) / 2
        np.testing.assert_allclose(found[0, 2].astype(int), to_uint8(model.decode(z))[0, ..., 0], atol=1)


def test_films_return_to_their_start_and_show_every_end_once(interpolate, saved, tmp_path):
    run = saved("wgan_gp")
    for name in ("x.gif", "x.mp4"):
        interpolate(run, "--between", 1, 2, "--steps", 4, "--out", tmp_path / name)
    with Image.open(tmp_path / "x.gif") as image:
        film = np.stack([frame.convert("L") for frame in ImageSequence.Iterator(image)])
    interpolate(run, "--between", 1, 2, 1, "--steps", 4, "--out", tmp_path / "x.png")
    strip = strip_of(tmp_path / "x.png", 2, 4).reshape(8, 8, 8)
    assert len(film) == 6
    np.testing.assert_array_equal(film[:, ::16, ::16], strip[[0, 1, 2, 4, 5, 6]])
    assert (tmp_path / "x.mp4").read_bytes()[4:8] == b"ftyp"


def test_images_are_encoded(interpolate, saved, tmp_path):
    run, rng = saved("vae"), np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 8, 8), np.uint8)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, image in zip(files, pixels, strict=True):
        Image.fromarray(image).save(file)
    interpolate(run, "--between", *files, "--steps", 3, "--out", tmp_path / "x.png")
    again = to_uint8(load(run).reconstruct((pixels[..., None] / 127.5 - 1).astype(np.float32)))
    expected = tile(np.stack([again[0], again[0], again[1]]), 3)
    found = np.asarray(Image.open(tmp_path / "x.png"))
    for column in (0, 2):
        at = slice(49 * column, 49 * column + 50)
        np.testing.assert_allclose(found[:, at].astype(int), expected[:, at], atol=1)


def test_images_are_projected_where_there_is_no_encoder(interpolate, saved, tmp_path):
    """A sample is found again."""
    run = saved("wgan_gp")
    sample = to_uint8(load(run).sample(1, 3))[0, ..., 0]
    Image.fromarray(sample).save(tmp_path / "a.png")
    interpolate(run, "--between", tmp_path / "a.png", 1, "--steps", 2, "--out", tmp_path / "x.png")
    np.testing.assert_allclose(strip_of(tmp_path / "x.png", 1, 2)[0, 0].astype(int), sample, atol=2)


def test_mistakes_are_named(interpolate, saved, tmp_path):
    run, points = saved("wgan_gp"), saved("wgan_gp_points", (2,))
    out = tmp_path / "x.png"
    out.write_text("mine")
    written(tmp_path / "c.png", (9, 7))
    (tmp_path / "b.png").write_bytes(written(tmp_path / "a.png").read_bytes()[:40])
    for message, arguments in (
        ("must be the folder of a run", (tmp_path, "--out", out)),
        ("run_dir: 'points:8gaussians' is not data of images", (points, "--out", out)),
        ("b.png is no readable image", (run, "--between", 0, tmp_path / "b.png", "--out", out)),
        ("between: .* is not of 8 x 8 pixels, but of 9 x 7", (run, "--between", tmp_path / "c.png", 1, "--out", out)),
        ("absent.png is neither a seed .* nor an image file", (run, "--between", 0, "absent.png", "--out", out)),
        ("between: -1 is neither", (run, "--between", "-1", "0", "--out", out)),
        ("between: '0' is not at least two", (run, "--between", 0, "--out", out)),
        ("steps: 1 is not at least 2", (run, "--steps", 1, "--out", out)),
        ("out: '.*x.txt' is not a .png, .gif or .mp4 file", (run, "--out", tmp_path / "x.txt")),
        ("labels: '3' is not possible: WGANGP", (run, "--label", 3, "--out", out)),
        ("cannot be written", (run, "--out", out / "y.gif")),
    ):  # fmt: skip
        with pytest.raises(Invalid, match=message) as error:
            interpolate(*arguments)
        assert "\n" not in str(error.value)
    assert out.read_text() == "mine"
