"""The exact optimal-transport distance between two samples of points."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from genlab.errors import require


def transport_distance(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"]) -> float:
    """The Wasserstein-1 distance of two samples of one size: the mean distance of the best pairing, O(n^3).

    Raises:
        Invalid: samples of two sizes.
    """
    require(len(x) == len(y), "n", len(y), f"{len(x)}, as many as there are of the others")
    cost = cdist(x, y)
    return float(cost[linear_sum_assignment(cost)].mean())
