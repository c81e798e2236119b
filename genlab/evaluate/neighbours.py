"""Manifolds of k-nearest-neighbour balls: precision, recall, density and coverage; and the nearest real examples."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float64, Int

from genlab.errors import require

CHUNK = 512  # rows of the matrix of distances that are held at a time
ROUNDING = 1e-12  # of the largest squared norm: distances this close are ties, and a ball holds its rim

Features = Float[np.ndarray, "_ d"]
Squared = Float64[np.ndarray, " _"]


def precision_recall(real: Features, fake: Features, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, eq. 1 and 2).

    The share of the fakes inside the balls of the real features, and of the real inside the balls of the fakes. Both
    depend on the numbers of rows: compare only what was measured with as many.

    Raises:
        Invalid: fewer than k + 1 of either.
    """
    precision = balls(fake, real, radii(real, k)) > 0
    recall = balls(real, fake, radii(fake, k)) > 0
    return float(precision.mean()), float(recall.mean())


def density_coverage(real: Features, fake: Features, k: int = 5) -> tuple[float, float]:
    """Density and coverage (Naeem et al. 2020, eq. 3 and 4).

    Density: in how many balls of real features a fake lies on average, over k; it may exceed 1. Coverage: the share of
    the balls of real features that hold a fake, which, unlike recall, outlying fakes cannot raise.

    Raises:
        Invalid: fewer than k + 1 real ones, no fakes.
    """
    require(len(fake) > 0, "n", len(fake), "at least 1")
    squared = radii(real, k)
    density = balls(fake, real, squared).mean() / k
    coverage = nearest(real, fake)[1] <= squared + rounding(real, fake)
    return float(density), float(coverage.mean())


def radii(x: Features, k: int) -> Squared:
    """Squared distance of every row to its k-th nearest other row. Raises `Invalid` for fewer than k + 1 rows."""
    require(len(x) > k, "examples", len(x), f"at least {k + 1}")
    return np.concatenate([np.partition(near, k, axis=1)[:, k] for near in _distances(x, x)])  # the 0-th is itself


def balls(x: Features, centres: Features, squared_radii: Squared) -> Int[np.ndarray, " _"]:
    """In how many of the balls every row lies."""
    rim = squared_radii + rounding(x, centres)
    return np.concatenate([(near <= rim).sum(1) for near in _distances(x, centres)])


def nearest(x: Features, y: Features) -> tuple[Int[np.ndarray, " _"], Squared]:
    """For every row of x the index of the nearest row of y, and the squared distance."""
    found = [(near.argmin(1), near.min(1)) for near in _distances(x, y)]
    indices, squared = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return indices, np.maximum(squared, 0)


def nearest_ratio(train: Features, fake: Features, unseen: Features) -> float:
    """Mean distance of the fakes to their nearest training example, over that of unseen real examples.

    Near 1 the fakes are as new as real examples are; near 0 they are copies.
    """
    fakes, others = (np.sqrt(nearest(x, train)[1]).mean() for x in (fake, unseen))
    return float(fakes / others)


def rounding(*features: Features) -> float:
    """How far squared distances between such rows may be off."""
    return ROUNDING * max(np.square(x, dtype=np.float64).sum(1).max() for x in features)


def _distances(x: Features, y: Features) -> Iterator[Float64[np.ndarray, "_ _"]]:
    """Squared distances of `CHUNK` rows of x at a time to all of y."""
    y = y.astype(np.float64)
    norms = np.square(y).sum(1)
    for start in range(0, len(x), CHUNK):
        rows = x[start : start + CHUNK].astype(np.float64)
        yield np.square(rows).sum(1)[:, None] + norms - 2 * rows @ y.T
