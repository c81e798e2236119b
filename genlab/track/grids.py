"""Pictures of what a model makes: grids of images and scatter plots of points."""

import math

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

Images = UInt8[np.ndarray, "n height width channels"]
Pixels = UInt8[np.ndarray, "rows columns 3"]

GUTTER = (64, 84, 120)  # between images; slate, which no grey image holds
SIDE = 48  # smaller images are enlarged to at least this


def picture(image: UInt8[np.ndarray, "height width channels"]) -> Image.Image:
    """An image of 1 or 3 channels as Pillow knows it, which gives grey ones no third axis."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def enlarge(images: Images, side: int) -> UInt8[np.ndarray, "n rows columns channels"]:
    """Images whose shorter side is at least `side` pixels, by the least whole factor."""
    scale = math.ceil(side / min(images.shape[1:3]))
    return images.repeat(scale, axis=1).repeat(scale, axis=2)


def tile(images: Images, columns: int | None = None) -> Pixels:
    """Images in rows, one pixel apart, small ones enlarged by a whole factor.

    Args:
      images: n images of 1 or 3 channels, uint8.
      columns: images a row; as near a square as possible if None.

    Returns:
      One RGB picture.
    """
    images = enlarge(images, SIDE)
    n, height, width = images.shape[0], images.shape[1] + 1, images.shape[2] + 1
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cells = np.full((rows * columns, height, width, 3), GUTTER, np.uint8)
    cells[:n, 1:, 1:] = images
    page = np.full((rows * height + 1, columns * width + 1, 3), GUTTER, np.uint8)
    grid = cells.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    page[:-1, :-1] = grid.reshape(rows * height, columns * width, 3)
    return page


def pairs(real: Images, reconstruction: Images, columns: int = 8) -> Pixels:
    """Rows of images, under each the row of their reconstructions; both of one shape."""
    columns = min(columns, len(real))
    n, *shape, _ = real.shape
    rows = math.ceil(n / columns)
    cells = np.full((2, rows * columns, *shape, 3), GUTTER, np.uint8)
    cells[:, :n] = np.stack([real, reconstruction])
    interleaved = cells.reshape(2, rows, columns, *shape, 3).swapaxes(0, 1)
    return tile(interleaved.reshape(-1, *shape, 3), columns)


def scatter(points: Float[np.ndarray, "n 2"], real: Float[np.ndarray, "m 2"]) -> Pixels:
    """Points of a model over real ones (grey), in axes that only depend on the real ones, 480 by 480 pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=(4.8, 4.8), dpi=100))
    axes = canvas.figure.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[])
    centre, half_width = (real.max(0) + real.min(0)) / 2, 0.62 * np.ptp(real, axis=0).max()
    axes.set(xlim=centre[0] + half_width * np.array([-1, 1]), ylim=centre[1] + half_width * np.array([-1, 1]))
    axes.scatter(real[:, 0], real[:, 1], s=30, color="0.8", linewidths=0)
    axes.scatter(points[:, 0], points[:, 1], s=5, color="tab:blue", alpha=0.6, linewidths=0)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
