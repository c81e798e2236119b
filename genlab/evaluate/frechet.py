"""Frechet distance between Gaussians fitted to features (Dowson and Landau 1982; Heusel et al. 2017)."""

import numpy as np
from jaxtyping import Float, Float64

from genlab.errors import Invalid, require

CHUNK = 4096  # rows that are held in float64 at a time
RESIDUAL = 1e-8  # of an eigendecomposition, relative; LAPACK's are near 1e-14

Features = Float[np.ndarray, "n d"]
Mean = Float64[np.ndarray, " d"]
Covariance = Float64[np.ndarray, "d d"]


def frechet_distance(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"]) -> float:
    """The (squared) Frechet distance between the Gaussians of two samples of features, each of at least 2 rows.

    It is biased upwards, the more the fewer the rows: compare only what was measured with as many.

    Raises:
        Invalid: fewer than 2 rows, features that are not finite.
    """
    return frechet_between(*moments(x), *moments(y))


def moments(x: Features) -> tuple[Mean, Covariance]:
    """Mean and unbiased covariance, in float64. Raises `Invalid` for fewer than 2 rows."""
    require(len(x) > 1, "examples", len(x), "at least 2")
    mean = x.mean(0, dtype=np.float64)
    scatter = np.zeros((len(mean), len(mean)))
    for start in range(0, len(x), CHUNK):
        centred = x[start : start + CHUNK] - mean
        scatter += centred.T @ centred
    return mean, scatter / (len(x) - 1)


def frechet_between(mean1: Mean, cov1: Covariance, mean2: Mean, cov2: Covariance) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), at least 0; the covariances may be singular.

    With C1 = V W V', the matrix under the root has the eigenvalues of F' C2 F, where F = V W^1/2: two symmetric
    eigendecompositions, and no square root of a matrix that is not symmetric. What is zero but for rounding is left
    out, since a root would make 1e-8 of 1e-16.

    Raises:
        Invalid: numbers that are not finite, or an eigendecomposition that is off by more than `RESIDUAL`.
    """
    finite = all(np.isfinite(a).all() for a in (mean1, cov1, mean2, cov2))
    require(finite, "features", "NaN or infinity", "a finite number for every image")
    values, vectors = _eigen(cov1)
    kept = _nonzero(values)
    factor = vectors[:, kept] * np.sqrt(values[kept])
    squares, _ = _eigen(factor.T @ cov2 @ factor)
    root = np.sqrt(squares[_nonzero(squares)]).sum()
    distance = np.sum((mean1 - mean2) ** 2) + np.trace(cov1) + np.trace(cov2) - 2 * root
    return max(0.0, float(distance))


def _eigen(matrix: Covariance) -> tuple[Float64[np.ndarray, " d"], Covariance]:
    """Eigenvalues and eigenvectors of a symmetric matrix, checked against it."""
    values, vectors = np.linalg.eigh(matrix)
    residual = np.linalg.norm(vectors * values @ vectors.T - matrix) / max(float(np.linalg.norm(matrix)), 1e-300)
    if residual > RESIDUAL:
        raise Invalid(
            f"features: their covariance has an eigendecomposition off by {residual:.1e}; {RESIDUAL} is allowed"
        )
    return values, vectors


def _nonzero(eigenvalues: Float64[np.ndarray, " d"]) -> np.ndarray:
    """Which eigenvalues of a positive semidefinite matrix rise above the rounding of the largest."""
    return eigenvalues > len(eigenvalues) * np.finfo(np.float64).eps * eigenvalues.max(initial=0)
