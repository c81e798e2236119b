"""Power iteration against the singular value decomposition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.kernels.spectral import power_iteration, spectral_norm


def matrix(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (1, 5), (5, 1)])
def test_it_converges_to_the_largest_singular_value(shape):
    w, u = matrix(*shape), jnp.ones(shape[0])
    u, v = jax.lax.fori_loop(0, 200, lambda _, pair: power_iteration(w, pair[0]), power_iteration(w, u))
    left, singular, right = np.linalg.svd(w)
    np.testing.assert_allclose(spectral_norm(w, u), singular[0], rtol=1e-6)
    np.testing.assert_allclose(jnp.outer(u, v), np.outer(left[:, 0], right[0]), atol=1e-5)  # their sign is free


def test_it_rises_to_it():
    """u' W v never exceeds the norm, and no iteration lowers it."""
    w, u, seen = matrix(6, 4), jnp.ones(6), []
    for _ in range(10):
        seen.append(spectral_norm(w, u))
        u = power_iteration(w, u)[0]
    assert (np.diff(seen) > -1e-6).all() and seen[-1] <= np.linalg.norm(w, 2) * (1 + 1e-6) and seen[0] < seen[-1] - 0.1


def test_its_derivative_is_that_of_the_singular_value():
    """By central differences of NumPy's; before the iteration converges, u v' of the vectors it has come to."""
    w = np.array(matrix(6, 4), np.float64)
    gradient = jax.grad(spectral_norm)(matrix(6, 4), jnp.asarray(np.linalg.svd(w)[0][:, 0], jnp.float32))
    d, h = np.random.default_rng(1).normal(size=w.shape), 1e-5
    slope = (np.linalg.norm(w + h * d, 2) - np.linalg.norm(w - h * d, 2)) / (2 * h)
    np.testing.assert_allclose((gradient * d).sum(), slope, rtol=1e-5)
    early = jax.grad(spectral_norm)(matrix(6, 4), jnp.ones(6))
    np.testing.assert_allclose(early, jnp.outer(*power_iteration(matrix(6, 4), jnp.ones(6))), atol=1e-6)


def test_the_length_of_u_is_of_no_account():
    """So averaged ones serve as well."""
    whole, tiny = (spectral_norm(matrix(6, 4), length * jnp.ones(6)) for length in (1, 1e-3))
    np.testing.assert_allclose(whole, tiny, rtol=1e-6)
