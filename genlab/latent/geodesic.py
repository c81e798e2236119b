"""Shortest curves as the decoder sees them: geodesics of the pull-back metric."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from genlab.latent.paths import Point, Points, lerp

Decode = Callable[[Float[Array, "b latent"]], Float[Array, "b *shape"]]

TOLERANCE = 1e-5  # slope of the energy, in units of the straight line's, below which a curve is at rest in float32


def metric(decode: Decode, z: Point) -> Float[Array, "latent latent"]:
    """J^T J at z, where J is the Jacobian of the decoder; Arvanitidis et al. (2018): |dz|^2 as data sees it."""
    jacobian = jax.jacfwd(lambda z: decode(z[None])[0].ravel())(z)
    return jacobian.T @ jacobian


def step_lengths(decode: Decode, curve: Points) -> Float[Array, " pieces"]:
    """How far the decoded curve moves from one point to the next, in data."""
    return jnp.sqrt(_squared(decode, curve))


def length(decode: Decode, curve: Points) -> Float[Array, ""]:
    """Of the decoded curve, by its chords."""
    return step_lengths(decode, curve).sum()


def energy(decode: Decode, curve: Points) -> Float[Array, ""]:
    """1/2 sum |g(z_{i+1}) - g(z_i)|^2 / dt, Shao et al. (2018): that of the pull-back metric for small dt = 1/n.

    At least half the squared length, and equal to it where the speed is constant.
    """
    return 0.5 * (len(curve) - 1) * _squared(decode, curve).sum()


def geodesic(decode: Decode, a: Point, b: Point, steps: int, iterations: int = 200) -> Points:
    """A curve of `steps` points from a to b of least energy, and so of least length and constant speed in data.

    Starts with the straight line, which it is where the decoder is linear, and finds the geodesic nearest to that, by
    L-BFGS over all points but the ends, which are exact.
    """
    line = lerp(a, b, jnp.linspace(0.0, 1.0, steps))
    if steps < 3:
        return line

    def with_ends(inner: Float[Array, "inner latent"]) -> Points:
        return jnp.concatenate([a[None], inner, b[None]])

    def loss(inner: Float[Array, "inner latent"]) -> Float[Array, ""]:
        return energy(decode, with_ends(inner)) / scale

    scale = jnp.maximum(energy(decode, line), jnp.finfo(line.dtype).tiny)  # of order 1, whatever the data's units
    optimizer = optax.lbfgs()
    value_and_gradient = optax.value_and_grad_from_state(loss)

    def step(carry: tuple) -> tuple:
        i, inner, state, _ = carry
        value, gradient = value_and_gradient(inner, state=state)
        updates, state = optimizer.update(gradient, state, inner, value=value, grad=gradient, value_fn=loss)
        return i + 1, optax.apply_updates(inner, updates), state, jnp.linalg.norm(gradient)

    def unfinished(carry: tuple) -> Array:
        return (carry[0] < iterations) & (carry[3] > TOLERANCE)

    inner = line[1:-1]
    first = jnp.linalg.norm(jax.grad(loss)(inner))
    return with_ends(jax.lax.while_loop(unfinished, step, (0, inner, optimizer.init(inner), first))[1])


def _squared(decode: Decode, curve: Points) -> Float[Array, " pieces"]:
    decoded = decode(curve).reshape(len(curve), -1)
    return jnp.square(jnp.diff(decoded, axis=0)).sum(1)
