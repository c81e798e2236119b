"""Manifolds of k-nearest-neighbour balls: precision, recall, density and coverage; and the nearest real examples."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int

from genlab.errors import require
from genlab.evaluate.pairs import Features, over_pairs, products

PRECISION_K, DENSITY_K = 3, 5  # neighbours: of Kynkaanniemi et al. (2019), and of Naeem et al. (2020)
ROUNDING = 1e-12  # of the largest squared norm: distances this close are ties, and a ball holds its boundary

Squared = Float64[np.ndarray, " _"]
SquaredRadii = Float64[np.ndarray, "_ k"]


class Overlap(NamedTuple):
    """How the manifolds of the real and of the fakes lie to each other.

    All depend on the numbers of rows: compare only what was measured with as many.
    """

    precision: float
    """The share of the fakes inside the balls of the real features, Kynkaanniemi et al. (2019), eq. 1 and 2."""
    recall: float
    """The share of the real inside the balls of the fakes, likewise."""
    density: float
    """In how many balls of real ones a fake lies on average, over k, Naeem et al. (2020), eq. 3; it may exceed 1."""
    coverage: float
    """The share of the balls of real ones that hold a fake, eq. 4; unlike recall, outlying fakes cannot raise it."""


def overlap(
    real: Features,
    fake: Features,
    real_radii: SquaredRadii | None = None,
    k: int = PRECISION_K,
    density_k: int = DENSITY_K,
) -> Overlap:
    """All four from one pass over the pairs, with balls to the k-th neighbour, for density and coverage to another.

    `real_radii` are `squared_radii(real, n)` for an n no less than either, where it is known already.

    Raises:
        Invalid: fewer than max(k, density_k) + 1 real ones, fewer than k + 1 fakes.
    """
    real_radii = squared_radii(real, max(k, density_k)) if real_radii is None else real_radii
    rounding = ROUNDING * max(squared_norms(x).max() for x in (real, fake))
    radii = real_radii[:, [k - 1, density_k - 1]] + rounding
    columns = (squared_norms(fake), squared_radii(fake, k)[:, k - 1] + rounding)
    found = over_pairs(_overlap, real, fake, "overlap", (radii,), columns)
    precise, balls, recalled = zip(*found, strict=True)
    counts = np.concatenate(balls)
    return Overlap(
        precision=float(np.any(precise, 0).mean()),
        recall=float(np.concatenate(recalled).mean()),
        density=float(counts.sum() / (density_k * len(fake))),
        coverage=float((counts > 0).mean()),
    )


def squared_radii(x: Features, k: int) -> SquaredRadii:
    """Squared distances of every row to its k nearest other rows, in order; `Invalid` for fewer than k + 1 rows."""
    require(len(x) > k, "examples", len(x), f"at least {k + 1}")
    near = over_pairs(partial(_smallest, k=k + 1), x, x, "radii", (), (squared_norms(x),))
    return np.maximum(np.concatenate(near)[:, 1:], 0)  # the 0-th is the row itself


def nearest(x: Features, y: Features) -> tuple[Int[np.ndarray, " _"], Squared]:
    """For every row of x the index of the nearest row of y, and the squared distance."""
    found = over_pairs(_nearest, x, y, "nearest", (), (squared_norms(y),))
    indices, squared = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return indices, np.maximum(squared, 0)


def nearest_ratio(train: Features, fake: Features, held_out: Features) -> float:
    """Mean distance of the fakes to their nearest training example, over that of held-out real examples.

    Near 1 the fakes are as new as real examples are; near 0 they are copies.
    """
    of_fakes, of_held_out = (np.sqrt(nearest(x, train)[1]).mean() for x in (fake, held_out))
    return float(of_fakes / of_held_out)


def squared_norms(x: Features) -> Squared:
    """Of every row."""
    return np.einsum("nd,nd->n", x, x, dtype=np.float64)


def _squared(x: Float[Array, "m d"], y: Float[Array, "n d"], y_norms: Float[Array, " n"]) -> Float[Array, "m n"]:
    return jnp.square(x).sum(1)[:, None] + y_norms - 2 * products(x, y)


@jax.jit
def _overlap(
    real: Float[Array, "m d"],
    fake: Float[Array, "n d"],
    rows: tuple[Float[Array, "m 2"]],
    columns: tuple[Float[Array, " n"], Float[Array, " n"]],
) -> tuple[Bool[Array, " n"], Int[Array, " m"], Bool[Array, " m"]]:
    """Which fakes lie in some ball of these real ones; how many in each of the others; which real lie in fakes'."""
    (radii,), (norms, fake_radii) = rows, columns
    squared = _squared(real, fake, norms)
    precise = (squared <= radii[:, :1]).any(0)
    return precise, (squared <= radii[:, 1:]).sum(1), (squared <= fake_radii).any(1)


@jax.jit
def _nearest(
    x: Float[Array, "m d"], y: Float[Array, "n d"], rows: tuple, columns: tuple[Float[Array, " n"]]
) -> tuple[Int[Array, " m"], Float[Array, " m"]]:
    squared = _squared(x, y, *columns)
    return squared.argmin(1), squared.min(1)


@partial(jax.jit, static_argnames="k")
def _smallest(
    x: Float[Array, "m d"], y: Float[Array, "n d"], rows: tuple, columns: tuple[Float[Array, " n"]], k: int
) -> Float[Array, "m k"]:
    """The k smallest squared distances of every row, in order.

    They lie in the k groups of columns whose own smallest are smallest, so that few need to be sorted.
    """
    squared = _squared(x, y, *columns)
    side = max(k, math.isqrt(len(y)))
    squared = jnp.pad(squared, ((0, 0), (0, -len(y) % side)), constant_values=jnp.inf)
    groups = squared.reshape(len(x), -1, side)
    if groups.shape[1] > k:
        chosen = jax.lax.top_k(-groups.min(2), k)[1]
        groups = jnp.take_along_axis(groups, chosen[:, :, None], 1)
    return jnp.sort(groups.reshape(len(x), -1), 1)[:, :k]
