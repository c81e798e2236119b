"""Augmentation against the paper's definitions in NumPy, its limits, its derivative, and its draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.kernels.augment import (
    Kind,
    augment,
    brightness,
    contrast,
    crop,
    cutout,
    mirror,
    saturation,
    shift,
    uniform_integers,
)
from genlab.kernels.random import example_keys, fold, uniform

KINDS = ("color", "translation", "cutout", "flip")


def images(n=5, height=8, width=6, channels=3):
    return np.random.default_rng(0).uniform(-1, 1, (n, height, width, channels)).astype(np.float32)


def keys(n, seed=0):
    return example_keys(jax.random.key(seed), jnp.arange(n))


def color(image, u):
    """Brightness, saturation, contrast of one image (h, w, c)."""
    image = image + (u[0] - 0.5)
    grey = image.mean(2, keepdims=True)
    image = (image - grey) * (u[1] * 2) + grey
    return (image - image.mean()) * (u[2] + 0.5) + image.mean()


def translation(image, u):
    """Pixel by pixel; zeros come in."""
    h, w, _ = image.shape
    moved = np.zeros_like(image)
    down, right = (int(np.floor(u[i] * (2 * int(n / 8 + 0.5) + 1))) - int(n / 8 + 0.5) for i, n in ((0, h), (1, w)))
    for i in range(h):
        for j in range(w):
            if 0 <= i + down < h and 0 <= j + right < w:
                moved[i, j] = image[i + down, j + right]
    return moved


def hole(image, u):
    """The paper's code: indices of the hole, clamped to the image."""
    image, (h, w, _) = image.copy(), image.shape
    sizes = [int(n / 2 + 0.5) for n in (h, w)]
    offsets = [int(np.floor(u[i] * (n + 1 - s % 2))) for i, (n, s) in enumerate(zip((h, w), sizes, strict=True))]
    rows, columns = (
        np.clip(np.arange(s) + o - s // 2, 0, n - 1) for s, o, n in zip(sizes, offsets, (h, w), strict=True)
    )
    image[np.ix_(rows, columns)] = 0
    return image


def flipped(image, u):
    return image[:, ::-1] if u[0] < 0.5 else image


PLAIN = dict(zip(KINDS, (color, translation, hole, flipped), strict=True))


@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), KINDS, ("cutout", "color")])
@pytest.mark.parametrize(("height", "width", "channels"), [(8, 6, 3), (9, 9, 1), (20, 7, 3)])
def test_it_is_what_the_paper_defines(kinds, height, width, channels):
    """One image at a time; 40 of them, so that every translation and hole at the border occurs."""
    x, k = images(40, height, width, channels), keys(40)
    expected = []
    for i, image in enumerate(x):
        for kind in kinds:
            image = PLAIN[kind](image, np.asarray(uniform(fold(k[i : i + 1], KINDS.index(kind)), (3,)))[0])
        expected.append(image)
    np.testing.assert_allclose(augment(jnp.asarray(x), k, kinds), expected, atol=2e-6)


def test_at_no_strength_nothing_changes():
    x = jnp.asarray(images())
    zero, one, still = jnp.zeros(5), jnp.ones(5), jnp.zeros((5, 2), jnp.int32)
    for same in (
        augment(x, keys(5), ()),
        brightness(x, zero),
        saturation(x, one),
        contrast(x, one),
        shift(x, still, 2, "constant"),
        shift(x, still, 2, "reflect"),
        crop(x, keys(5), 0),
        cutout(x, still, (0, 0)),
        mirror(x, zero > 0),
    ):
        np.testing.assert_allclose(same, x, atol=2e-7)


def test_the_same_keys_change_real_and_fake_images_alike():
    """An example's change is that of its key alone, whatever the image and the others of the batch."""
    x = jnp.broadcast_to(images(1), (6, 8, 6, 3))
    k = keys(6)
    one, other = (np.asarray(augment(x, k, KINDS)) for k in (k, keys(6, 1)))
    np.testing.assert_array_equal(one[:3], augment(x[:3], k[:3], KINDS))
    assert (
        all(abs(one[i] - one[i + 1]).max() > 0.1 for i in range(5)) and abs(one - other).max(axis=(1, 2, 3)).min() > 0.1
    )
    brighter = np.asarray(augment(x + 0.25, k, KINDS))
    np.testing.assert_array_equal(one == 0, brighter == 0)  # the same holes and borders
    np.testing.assert_allclose((brighter - one)[one != 0], 0.25, atol=1e-6)  # and the same change of everything else


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences(kind: Kind):
    """In double precision along a random direction, to 1e-7: a generator learns through every kind."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(1)
        x, v, w = (jnp.asarray(rng.normal(size=(4, 8, 8, 3))) for _ in range(3))
        k = keys(4)

        def f(x):
            return (w * augment(x, k, (kind,)) ** 2).sum()

        slope = (jax.grad(f)(x) * v).sum()
        assert abs(slope) > 1
        np.testing.assert_allclose(slope, (f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5, rtol=1e-7)


def test_crops_mirror_what_lies_outside():
    """NumPy's own padding; every place occurs among 200, the farthest ones too."""
    x = images(200, 5, 5, 1)
    seen, found = np.asarray(crop(jnp.asarray(x), keys(200), 2)), set()
    for image, cropped in zip(x, seen, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        places = [(i, j) for i in range(5) for j in range(5) if (padded[i : i + 5, j : j + 5] == cropped).all()]
        assert len(places) == 1
        found.add(places[0])
    assert found == {(i, j) for i in range(5) for j in range(5)}


def test_a_translation_may_bring_in_the_mirror_image():
    """NumPy's own padding, moved by the same draws as with zeros; those are the default, as in DiffAugment."""
    x, k = images(40, 8, 6), keys(40)
    by = np.asarray(uniform(fold(k, KINDS.index("translation")), (3,)))
    expected = []
    for image, u in zip(x, by, strict=True):
        down, right = int(np.floor(u[0] * 3)), int(np.floor(u[1] * 3))
        expected.append(np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")[down : down + 8, right : right + 6])
    np.testing.assert_array_equal(augment(jnp.asarray(x), k, ("translation",), "reflect"), expected)
    assert (np.asarray(augment(jnp.asarray(x), k, ("translation",))) != expected).any()


def test_whole_numbers_are_equally_likely():
    """Of 4,000 draws, a third each within 5 standard errors; the largest draw there is stays in range."""
    drawn = np.asarray(uniform_integers(uniform(keys(4000)), -1, 1))
    np.testing.assert_allclose(np.bincount(drawn + 1) / 4000, 1 / 3, atol=5 * (2 / 9 / 4000) ** 0.5)
    largest = jnp.asarray([1 - 2.0**-23])
    assert (
        all(uniform_integers(largest, -n, n)[0] == n for n in range(64))
        and uniform_integers(0 * largest, -3, 3)[0] == -3
    )
