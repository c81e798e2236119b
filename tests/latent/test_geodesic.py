"""Geodesics that are known: straight in flat spaces, great circles on a sphere."""

import jax
import jax.numpy as jnp
import numpy as np

from genlab.latent.geodesic import energy, geodesic, length, metric
from genlab.latent.paths import lerp

A, B = jnp.array([0.4, -1.0]), jnp.array([1.2, 0.9])
W = jax.random.normal(jax.random.key(0), (2, 7))


def flat(z):
    return (z @ W).reshape(-1, 7, 1, 1)


def sphere(z):
    """Latitude and longitude to the unit sphere."""
    return jnp.stack([jnp.cos(z[:, 0]) * jnp.cos(z[:, 1]), jnp.cos(z[:, 0]) * jnp.sin(z[:, 1]), jnp.sin(z[:, 0])], 1)


def cylinder(z):
    return jnp.stack([jnp.cos(z[:, 0]), jnp.sin(z[:, 0]), z[:, 1]], 1)


def test_metrics():
    """W W^T of a linear decoder; diag(1, cos^2 latitude) of the sphere."""
    np.testing.assert_allclose(metric(flat, A), W @ W.T, rtol=1e-5)
    np.testing.assert_allclose(metric(sphere, A), np.diag([1, np.cos(0.4) ** 2]), atol=1e-6)


def test_the_straight_line_in_a_flat_space():
    line = lerp(A, B, jnp.linspace(0, 1, 9))
    np.testing.assert_allclose(geodesic(flat, A, B, 9), line, atol=1e-5)
    np.testing.assert_allclose(geodesic(cylinder, A, B, 9), line, atol=1e-3)
    distance = np.linalg.norm((B - A) @ W)
    np.testing.assert_allclose(length(flat, line), distance, rtol=1e-5)
    np.testing.assert_allclose(energy(flat, line), distance**2 / 2, rtol=1e-5)


def test_uneven_speed_costs_energy_and_no_length():
    even, uneven = (lerp(A, B, t) for t in (jnp.linspace(0, 1, 9), jnp.linspace(0, 1, 9) ** 2))
    np.testing.assert_allclose(length(flat, even), length(flat, uneven), rtol=1e-5)
    assert energy(flat, uneven) > 1.1 * energy(flat, even)


def test_the_great_circle_on_a_sphere():
    """A polygon of equal chords of the arc between the ends, whatever the units of the data."""
    found = jax.jit(lambda a, b: geodesic(sphere, a, b, 17))(A, B)
    np.testing.assert_array_equal(found[jnp.array([0, -1])], jnp.stack([A, B]))
    ends = np.asarray(sphere(jnp.stack([A, B])), np.float64)
    arc = np.arccos(ends[0] @ ends[1])
    np.testing.assert_allclose(length(sphere, found), 32 * np.sin(arc / 32), rtol=1e-5)
    chords = np.linalg.norm(np.diff(sphere(found), axis=0), axis=1)
    np.testing.assert_allclose(chords, 2 * np.sin(arc / 32), rtol=1e-2)
    normal = np.cross(*ends) / np.linalg.norm(np.cross(*ends))
    np.testing.assert_allclose(np.asarray(sphere(found)) @ normal, 0, atol=2e-3)
    line = lerp(A, B, jnp.linspace(0, 1, 17))
    assert length(sphere, line) > 1.02 * length(sphere, found)
    np.testing.assert_allclose(geodesic(lambda z: 1000 * sphere(z), A, B, 17), found, atol=1e-2)


def test_what_has_nothing_to_move():
    np.testing.assert_array_equal(geodesic(sphere, A, B, 2), jnp.stack([A, B]))
    np.testing.assert_allclose(geodesic(sphere, A, A, 5), jnp.tile(A, (5, 1)), atol=1e-6)
    assert np.isfinite(geodesic(lambda z: 0 * z, A, B, 5)).all()
