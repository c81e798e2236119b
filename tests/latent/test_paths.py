"""Curves whose norms, angles and speeds are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genlab.latent.paths import grid, lerp, path, slerp

T = jnp.linspace(0, 1, 9)
A, B, C, D = jnp.asarray(np.random.default_rng(0).normal(size=(4, 32)), jnp.float32)


def angle(a, b):
    a, b = (np.asarray(x, np.float64) / np.linalg.norm(np.asarray(x, np.float64)) for x in (a, b))
    return 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))


@pytest.mark.parametrize("curve", [lerp, slerp])
def test_ends_are_exact(curve):
    found = jax.jit(curve)(A, B, T)
    np.testing.assert_array_equal(found[0], A)
    np.testing.assert_array_equal(found[-1], B)


def test_lerp_is_a_line():
    np.testing.assert_allclose(lerp(A, B, T)[2], 0.75 * A + 0.25 * B, rtol=1e-6)


def test_slerp_turns_evenly_and_keeps_its_norm():
    """Shoemake's formula in double precision, norms linear."""
    found = slerp(A, B, T)
    norms = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(norms, np.linspace(norms[0], norms[-1], 9), rtol=1e-6)
    whole = angle(A, B)
    np.testing.assert_allclose([angle(A, z) for z in found], np.linspace(0, whole, 9), atol=1e-6)
    a, b, t = (np.asarray(x, np.float64) for x in (A / norms[0], B / norms[-1], T[:, None]))
    shoemake = (np.sin((1 - t) * whole) * a + np.sin(t * whole) * b) / np.sin(whole)
    np.testing.assert_allclose(found / norms[:, None], shoemake, atol=1e-6)


@pytest.mark.parametrize("size", [1e-7, 1e-6, 1e-5, 1e-4, 1e-3])
def test_slerp_of_nearly_parallel_ends_is_the_line(size):
    b = A + size * B
    found = slerp(A, b, T)
    np.testing.assert_allclose(found, lerp(A, b, T), atol=2e-6)
    np.testing.assert_array_equal(slerp(A, A, T)[4], slerp(A, A, T[4:5])[0])
    np.testing.assert_allclose(slerp(A, A, T), jnp.tile(A, (9, 1)), atol=2e-6)
    np.testing.assert_allclose(slerp(A, 2 * A, T), lerp(A, 2 * A, T), atol=4e-6)


@pytest.mark.parametrize("size", [0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3])
def test_slerp_of_opposite_ends_is_half_a_circle(size):
    b = -A + size * B
    found = slerp(A, b, T)
    assert np.isfinite(found).all()
    norms = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(norms, np.linspace(norms[0], norms[-1], 9), rtol=1e-5)
    np.testing.assert_allclose([angle(A, z) for z in found], np.linspace(0, angle(A, b), 9), atol=1e-5)
    turns = [angle(y, z) for y, z in zip(found[:-1], found[1:], strict=True)]
    np.testing.assert_allclose(turns, angle(A, b) / 8, atol=1e-5)


def test_the_origin_has_no_direction():
    zero = jnp.zeros(32)
    np.testing.assert_allclose(slerp(zero, B, T), lerp(zero, B, T), atol=1e-6)
    np.testing.assert_allclose(slerp(A, zero, T), lerp(A, zero, T), atol=1e-6)
    np.testing.assert_array_equal(slerp(zero, zero, T), jnp.zeros((9, 32)))


def test_a_path_has_constant_speed_through_its_points():
    """A straight one of lengths 1, 3 and 2 in 13 points meets each of them."""
    points = jnp.array([[0.0, 0], [1, 0], [1, 3], [3, 3]])
    found = jax.jit(path, static_argnums=(1, 2))(points, 13, lerp)
    np.testing.assert_allclose(np.linalg.norm(np.diff(found, axis=0), axis=1), 0.5, atol=1e-5)
    np.testing.assert_allclose(found[jnp.array([0, 2, 8, 12])], points, atol=1e-5)
    np.testing.assert_array_equal(found[-1], points[-1])


def test_a_path_of_arcs_keeps_to_the_sphere():
    """Arcs of 90 and 45 degrees in steps of 15."""
    points = jnp.array([[2.0, 0, 0], [0, 2, 0], [0, 2**0.5, 2**0.5]])
    found = path(points, 10)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 2, rtol=1e-5)
    turns = [angle(y, z) for y, z in zip(found[:-1], found[1:], strict=True)]
    np.testing.assert_allclose(turns, np.pi / 12, atol=1e-4)
    np.testing.assert_allclose(found[6], points[1], atol=1e-4)


def test_a_path_between_norms_moves_evenly():
    """A slerp whose norm grows by 10 would be slow first; the path is not."""
    found = path(jnp.array([[1.0, 0], [0, 10]]), 200)
    speeds = np.linalg.norm(np.diff(found, axis=0), axis=1)
    assert speeds.std() / speeds.mean() < 1e-2
    plain = np.linalg.norm(np.diff(slerp(*jnp.array([[1.0, 0], [0, 10]]), jnp.linspace(0, 1, 200)), axis=0), axis=1)
    assert plain.std() / plain.mean() > 0.1


def test_a_path_that_pauses_is_finite():
    found = path(jnp.stack([A, A, B]), 5)
    np.testing.assert_allclose(found, path(jnp.stack([A, B]), 5), atol=1e-4)
    np.testing.assert_allclose(path(jnp.stack([A, A]), 3), jnp.stack([A, A, A]), atol=1e-6)


def test_a_grid_has_its_corners_and_between_them_means():
    corners = jnp.stack([A, B, C, D])
    found = grid(corners, 3, 5, lerp)
    assert found.shape == (3, 5, 32)
    np.testing.assert_array_equal(found[jnp.array([0, 0, -1, -1]), jnp.array([0, -1, 0, -1])], corners)
    np.testing.assert_allclose(found[1, 2], corners.mean(0), atol=1e-6)
    np.testing.assert_allclose(found[0, 1], 0.75 * A + 0.25 * B, atol=1e-6)
    arcs = grid(corners, 3, 5)
    np.testing.assert_array_equal(arcs[jnp.array([0, 0, -1, -1]), jnp.array([0, -1, 0, -1])], corners)
    np.testing.assert_allclose(arcs[0], slerp(A, B, jnp.linspace(0, 1, 5)), atol=1e-6)
    np.testing.assert_allclose(arcs[:, -1], slerp(B, D, jnp.linspace(0, 1, 3)), atol=1e-6)
