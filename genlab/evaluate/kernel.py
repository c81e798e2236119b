"""The kernel distance of Binkowski et al. (2018), on Inception's features the KID: unbiased, whatever the number.

The squared maximum mean discrepancy under the kernel (x.y / d + 1)^3.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Float64

from genlab.errors import require
from genlab.evaluate.pairs import Features, over_pairs, products

Rows = Float64[np.ndarray, " _"]


class Estimate(NamedTuple):
    """A number and its standard error; value +- 1.96 error is an interval of 95 %."""

    value: float
    error: float


def kernel_distance(x: Features, y: Features) -> Estimate:
    """The unbiased estimate from all pairs (Gretton et al. 2012, eq. 3), and its jackknife standard error.

    It may be negative. The jackknife leaves out one row at a time, of x and of y in turn, which the sums over rows
    give at no further cost.

    Raises:
        Invalid: fewer than 3 rows of either.
    """
    for name, rows in (("examples", x), ("n", y)):
        require(len(rows) > 2, name, len(rows), "at least 3")
    m, n = len(x), len(y)
    xx, yy = (_sums(z, z)[0] - _own(z) for z in (x, y))
    xy, yx = _sums(x, y)
    within_x, within_y, between = xx.sum() / (m * (m - 1)), yy.sum() / (n * (n - 1)), xy.sum() / (m * n)
    without_x = (xx.sum() - 2 * xx) / ((m - 1) * (m - 2)) + within_y - 2 * (xy.sum() - xy) / ((m - 1) * n)
    without_y = (yy.sum() - 2 * yy) / ((n - 1) * (n - 2)) + within_x - 2 * (yx.sum() - yx) / ((n - 1) * m)
    variance = without_x.var() * (m - 1) + without_y.var() * (n - 1)
    return Estimate(float(within_x + within_y - 2 * between), float(np.sqrt(variance)))


def kernel_subsets(x: Features, y: Features, subsets: int, size: int, seed: int) -> Estimate:
    """The mean and standard deviation of the estimate over random subsets, as published KIDs are computed.

    Raises:
        Invalid: fewer rows than `size`.
    """
    require(size <= min(len(x), len(y)), "n", min(len(x), len(y)), f"at least {size}, the size of KID's subsets")
    random = np.random.RandomState(seed)
    found = []
    for _ in range(subsets):
        rows = (z[random.choice(len(z), size, replace=False)] for z in (x, y))
        found.append(kernel_distance(*rows).value)
    return Estimate(float(np.mean(found)), float(np.std(found)))


def _sums(x: Features, y: Features) -> tuple[Rows, Rows]:
    """sum_j k(x_i, y_j) and sum_i k(x_i, y_j)."""
    of_rows, of_columns = zip(*over_pairs(_chunk_sums, x, y, "kernel"), strict=True)
    return np.concatenate(of_rows), np.sum(of_columns, 0)


@jax.jit
def _chunk_sums(
    x: Float[Array, "m d"], y: Float[Array, "n d"], rows: tuple, columns: tuple
) -> tuple[Float[Array, " m"], Float[Array, " n"]]:
    kernels = (products(x, y) / x.shape[1] + 1) ** 3
    return kernels.sum(1), kernels.sum(0)


def _own(x: Features) -> Rows:
    """k(x_i, x_i)."""
    return (np.square(x, dtype=np.float64).mean(1) + 1) ** 3
