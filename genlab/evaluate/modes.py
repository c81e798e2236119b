"""Mode coverage of points whose true modes are known.

A point is good when it lies within `GOOD` standard deviations of a centre, and then belongs to the nearest one.
"""

import numpy as np
from jaxtyping import Float, Int

GOOD = 4.0  # standard deviations
COVERED = 0.1  # of the fair share


def good_share(points: Float[np.ndarray, "n 2"], centres: Float[np.ndarray, "modes 2"], deviation: float) -> float:
    """Share of the points that are good; a true sample scores 1 - exp(-GOOD^2 / 2) = 0.9997."""
    return float(good_points(points, centres, deviation).sum() / len(points))


def modes_covered(points: Float[np.ndarray, "n 2"], centres: Float[np.ndarray, "modes 2"], deviation: float) -> int:
    """How many modes have at least one good point and at least `COVERED` of the fair share, n / modes, of them."""
    least = max(1.0, COVERED * len(points) / len(centres))
    return int((good_points(points, centres, deviation) >= least).sum())


def good_points(
    points: Float[np.ndarray, "n 2"], centres: Float[np.ndarray, "modes 2"], deviation: float
) -> Int[np.ndarray, " modes"]:
    """The number of good points of each mode."""
    distance = np.linalg.norm(points[:, None] - centres, axis=-1)
    good = distance.min(1) <= GOOD * deviation
    return np.bincount(distance.argmin(1)[good], minlength=len(centres))
