"""SSIM against its definition window by window, and in closed form."""

import numpy as np
import pytest

from genlab.evaluate.reconstruction import ssim


def definition(x, y):
    """Wang et al. (2004), eq. 13, of one image of one channel, over every window of 11 (in small images 7) pixels."""
    width = min(11, x.shape[0] - 1 + x.shape[0] % 2)
    line = np.exp(-0.5 * ((np.arange(width) - width // 2) / 1.5) ** 2)
    weights = np.outer(line, line) / line.sum() ** 2
    found = []
    for i in range(x.shape[0] - width + 1):
        for j in range(x.shape[1] - width + 1):
            a, b = (z[i : i + width, j : j + width] for z in (x, y))
            ma, mb = (weights * a).sum(), (weights * b).sum()
            va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
            cov = (weights * (a - ma) * (b - mb)).sum()
            c1, c2 = 0.01**2, 0.03**2
            found.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return np.mean(found)


@pytest.mark.parametrize("shape", [(8, 8), (16, 13), (28, 28)])
def test_it_is_the_definition(shape):
    x, y = np.random.default_rng(0).uniform(size=(2, 3, *shape, 2))
    expected = [np.mean([definition(a[..., c], b[..., c]) for c in range(2)]) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y), expected, rtol=1e-9)


def test_equal_images_have_one_and_flat_ones_only_their_luminance():
    x = np.random.default_rng(1).uniform(size=(2, 12, 12, 1))
    np.testing.assert_allclose(ssim(x, x), 1, rtol=1e-12)
    a, b = 0.2, 0.6
    flat = ssim(np.full_like(x, a), np.full_like(x, b))
    np.testing.assert_allclose(flat, (2 * a * b + 1e-4) / (a * a + b * b + 1e-4), rtol=1e-9)
