"""Lines, arcs, paths and grids between latents."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Point = Float[Array, " latent"]
Points = Float[Array, "steps latent"]
Times = Float[Array, " steps"]
Curve = Callable[[Point, Point, Times], Points]  # from a at 0 to b at 1

PIECES = 128  # straight pieces by which the length of a curve between two points is measured
OPPOSITE = 1e-6  # length of the sum of two unit vectors below which float32 knows no plane through them


def lerp(a: Point, b: Point, t: Times) -> Points:
    """The straight line: (1 - t) a + t b."""
    return (1 - t)[:, None] * a + t[:, None] * b


def slerp(a: Point, b: Point, t: Times) -> Points:
    """The arc: the direction turns at constant speed on a great circle, the length changes linearly.

    Shoemake (1985); White (2016), "Sampling generative networks", for latents, since draws from N(0, I) of many
    dimensions lie close to a sphere, which a straight line leaves. Between parallel ends, or from or to the origin,
    it is the straight line; between opposite ends one of the half circles. The ends are exact.
    """
    (a_unit, a_norm), (b_unit, b_norm) = _polar(a), _polar(b)
    a_unit, b_unit = jnp.where(a_norm > 0, a_unit, b_unit), jnp.where(b_norm > 0, b_unit, a_unit)
    across, difference = _polar(b_unit - a_unit)  # 2 sin and
    along, total = _polar(b_unit + a_unit)  # 2 cos of half the angle, each exact where the other is not
    angle = 2 * jnp.arctan2(difference, total)
    along = jnp.where(total > OPPOSITE, along, jnp.zeros_like(a).at[jnp.argmin(abs(across))].set(1.0))
    narrow = difference < total  # the shorter of the two is nearly noise where ends are parallel or opposite
    along, across = (
        jnp.where(narrow, along, _orthogonal(along, across)),
        jnp.where(narrow, _orthogonal(across, along), across),
    )
    turn = (t - 0.5) * angle
    direction = jnp.cos(turn)[:, None] * along + jnp.sin(turn)[:, None] * across
    arc = ((1 - t) * a_norm + t * b_norm)[:, None] * direction
    return _with_ends(arc, t[:, None], a, b)


def path(points: Float[Array, "keys latent"], steps: int, curve: Curve = slerp) -> Points:
    """`steps` latents at equal distances along the curves that join two or more points; the ends are exact.

    Distances are measured along the curves, in the latent space; the points between the ends are passed, and met
    where a step falls on them.
    """
    times = jnp.linspace(0.0, 1.0, PIECES + 1)
    curves = jax.vmap(curve, (0, 0, None))(points[:-1], points[1:], times)
    lengths = jnp.linalg.norm(jnp.diff(curves, axis=1), axis=2).ravel()
    distances = jnp.concatenate([jnp.zeros(1), jnp.cumsum(lengths)])
    where = jnp.interp(jnp.linspace(0.0, 1.0, steps) * distances[-1], distances, jnp.arange(len(distances)) / PIECES)
    segment = jnp.clip(where.astype(jnp.int32), 0, len(points) - 2)
    found = jax.vmap(lambda a, b, t: curve(a, b, t[None])[0])(points[segment], points[segment + 1], where - segment)
    return found.at[0].set(points[0]).at[-1].set(points[-1])


def grid(
    corners: Float[Array, "4 latent"], rows: int, columns: int, curve: Curve = slerp
) -> Float[Array, "r c latent"]:
    """Latents between four corners: top left, top right, bottom left, bottom right; these are exact."""
    down, across = jnp.linspace(0.0, 1.0, rows), jnp.linspace(0.0, 1.0, columns)
    left, right = curve(corners[0], corners[2], down), curve(corners[1], corners[3], down)
    return jax.vmap(curve, (0, 0, None))(left, right, across)


def _polar(x: Point) -> tuple[Point, Float[Array, ""]]:
    """Direction and length; the origin has no direction, and gets 0."""
    norm = jnp.linalg.norm(x)
    return x / jnp.where(norm > 0, norm, 1.0), norm


def _orthogonal(x: Point, unit: Point) -> Point:
    """The direction of what is in x beside a unit vector."""
    return _polar(x - (x @ unit) * unit)[0]


def _with_ends(curve: Points, t: Float[Array, "steps 1"], a: Point, b: Point) -> Points:
    return jnp.where(t == 0, a, jnp.where(t == 1, b, curve))
