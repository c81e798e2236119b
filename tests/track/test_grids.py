"""Grids: every image is found again, enlarged, in its cell."""

import numpy as np
import pytest

from genlab.track.grids import GUTTER, SIDE, pairs, scatter, tile


def images(n, side, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def cell(picture, side, row, column):
    """The image in a cell, shrunk back to `side`."""
    scale = -(-SIDE // side)
    pitch = side * scale + 1
    top, left = row * pitch + 1, column * pitch + 1
    return picture[top : top + pitch - 1 : scale, left : left + pitch - 1 : scale]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "enlarged"), [(8, 48), (28, 56), (64, 64)])
def test_tile_holds_every_image(side, enlarged, channels):
    x = images(7, side, channels)
    picture = tile(x)
    assert picture.shape == (3 * (enlarged + 1) + 1, 3 * (enlarged + 1) + 1, 3) and picture.dtype == np.uint8
    for i in range(7):
        np.testing.assert_array_equal(cell(picture, side, *divmod(i, 3)), x[i] * np.ones(3, np.uint8))
    assert (cell(picture, side, 2, 1) == GUTTER).all()  # an empty place


def test_enlarging_repeats_pixels_and_gutters_are_one_pixel():
    picture = tile(np.full((4, 8, 8, 1), 255, np.uint8))
    line = (picture == GUTTER).all(-1)
    assert line.all(axis=1).nonzero()[0].tolist() == line.all(axis=0).nonzero()[0].tolist() == [0, 49, 98]
    assert (picture[~line] == 255).all()


def test_columns():
    assert tile(images(6, 48, 1), columns=6).shape == (50, 6 * 49 + 1, 3)


def test_pairs_puts_each_reconstruction_under_its_image():
    real, reconstruction = images(5, 8, 3), images(5, 8, 3, seed=1)
    picture = pairs(real, reconstruction, columns=3)
    for i in range(5):
        row, column = divmod(i, 3)
        np.testing.assert_array_equal(cell(picture, 8, 2 * row, column), real[i])
        np.testing.assert_array_equal(cell(picture, 8, 2 * row + 1, column), reconstruction[i])
    assert (cell(picture, 8, 2, 2) == GUTTER).all() and (cell(picture, 8, 3, 2) == GUTTER).all()


def test_scatter_keeps_its_axes_and_shows_both_clouds():
    real = np.array([[-1.0, -1.0], [1.0, 1.0]])
    empty, far = scatter(np.full((1, 2), np.inf), real), scatter(np.array([[50.0, 50.0]]), real)
    np.testing.assert_array_equal(empty, far)
    assert empty.shape == (480, 480, 3) and empty.dtype == np.uint8
    middle = scatter(np.zeros((1, 2)), real)
    changed = (middle != empty).any(-1).nonzero()
    assert abs(changed[0].mean() - 239.5) < 2 and abs(changed[1].mean() - 239.5) < 2
    assert (empty[:240, 240:] < 255).any() and (empty[240:, 240:] == 255).all()  # y grows upwards
