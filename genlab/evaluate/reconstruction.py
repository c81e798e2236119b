"""Structural similarity of images, Wang et al. (2004)."""

import numpy as np
from jaxtyping import Float

WINDOW, DEVIATION = 11, 1.5  # pixels
K1, K2 = 0.01, 0.03

Images = Float[np.ndarray, "n h w c"]


def ssim(x: Images, y: Images) -> Float[np.ndarray, " n"]:
    """SSIM of images in [0, 1], one value each: the mean of eq. 13 over all windows inside the image and all channels.

    The window is Gaussian, 11 pixels wide; in smaller images as wide as an odd number of pixels can be.
    """
    down, across = (_weights(side) for side in x.shape[1:3])

    def mean(z: np.ndarray) -> np.ndarray:
        return np.einsum("ih,nhwc,jw->nijc", down, z, across, optimize=True)

    x, y = x.astype(np.float64), y.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy, covariance = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    luminance = (2 * mx * my + K1**2) / (mx**2 + my**2 + K1**2)
    structure = (2 * covariance + K2**2) / (vx + vy + K2**2)
    return (luminance * structure).mean((1, 2, 3))


def _weights(side: int) -> Float[np.ndarray, "windows side"]:
    """Each window's weights of the pixels along one side."""
    width = min(WINDOW, side - 1 + side % 2)
    window = np.exp(-0.5 * ((np.arange(width) - width // 2) / DEVIATION) ** 2)
    return np.stack([np.roll(np.pad(window / window.sum(), (0, side - width)), i) for i in range(side - width + 1)])
