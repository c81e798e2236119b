"""Improved precision and recall (Kynkaanniemi et al. 2019): the manifold of a sample is the union of its k-NN balls."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Float64

from genlab.errors import require

CHUNK = 512  # rows of the matrix of distances that are held at a time
ROUNDING = 1e-12  # of the largest squared norm: distances this close are ties, and a ball holds its rim


def precision_recall(real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], k: int = 3) -> tuple[float, float]:
    """Share of the fakes inside the balls of the real features, and of the real inside the balls of the fakes.

    Both depend on n and m: compare only what was measured with as many.

    Raises:
        Invalid: fewer than k + 1 of either.
    """
    for name, features in (("real examples", real), ("n", fake)):
        require(len(features) > k, name, len(features), f"at least {k + 1}")
    precision = inside(fake, real, radii(real, k)).mean()
    recall = inside(real, fake, radii(fake, k)).mean()
    return float(precision), float(recall)


def radii(x: Float[np.ndarray, "n d"], k: int) -> Float64[np.ndarray, " n"]:
    """Squared distance of every row to its k-th nearest other row."""
    return np.concatenate([np.partition(near, k, axis=1)[:, k] for near in _distances(x, x)])  # the 0-th is itself


def inside(
    x: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "m d"], squared_radii: Float64[np.ndarray, " m"]
) -> Bool[np.ndarray, " n"]:
    """Which rows lie in any of the balls (eq. 1 of the paper)."""
    rim = squared_radii + ROUNDING * np.square(centres, dtype=np.float64).sum(1).max()
    return np.concatenate([(near <= rim).any(1) for near in _distances(x, centres)])


def _distances(x: np.ndarray, y: np.ndarray) -> Iterator[Float64[np.ndarray, "chunk m"]]:
    """Squared distances of `CHUNK` rows of x at a time to all of y."""
    y = y.astype(np.float64)
    norms = np.square(y).sum(1)
    for start in range(0, len(x), CHUNK):
        rows = x[start : start + CHUNK].astype(np.float64)
        yield np.square(rows).sum(1)[:, None] + norms - 2 * rows @ y.T
