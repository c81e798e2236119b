"""Spectral normalisation: the largest singular value of a matrix, by power iteration."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

TINY = 1e-12  # below any length that is divided by


def power_iteration(
    matrix: Float[Array, "outputs inputs"], u: Float[Array, " outputs"]
) -> tuple[Float[Array, " outputs"], Float[Array, " inputs"]]:
    """One iteration towards the first singular vectors (left, right), of length 1, from any u that is not 0."""
    v = _unit(matrix.T @ u)
    return _unit(matrix @ v), v


def spectral_norm(matrix: Float[Array, "outputs inputs"], u: Float[Array, " outputs"]) -> Float[Array, ""]:
    """u' W v, an estimate from below of W's largest singular value, one power iteration from u.

    Miyato et al. (2018), Algorithm 1 and eq. 12: the singular vectors are constants in its derivative, which so is
    that of the singular value itself where the iteration has converged.
    """
    left, right = power_iteration(jax.lax.stop_gradient(matrix), jax.lax.stop_gradient(u))
    return left @ matrix @ right


def _unit(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    return vector / jnp.maximum(jnp.linalg.norm(vector), TINY)
