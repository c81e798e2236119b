"""Directions of attributes, and arithmetic with them."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Direction = Float[Array, " latent"]


def attribute(z: Float[Array, "n latent"], has: Bool[Array, " n"]) -> Direction:
    """From the mean of the latents without an attribute to the mean of those with it; both must be there.

    As the attribute vectors of Larsen et al. (2016). It needs no fitting, weighs all examples alike, and
    its length means something: a step of 1 turns the average example without into the average one with. A logistic
    regression instead finds the normal of a boundary, of a length that its regulariser sets.
    """
    with_it, without = has.sum(), (~has).sum()
    return has @ z / with_it - (~has) @ z / without


def analogy(
    a: Float[Array, "n latent"], b: Float[Array, "m latent"], c: Float[Array, "k latent"]
) -> Float[Array, "k latent"]:
    """What is to each of `c` as `b` is to `a`: c - mean(a) + mean(b).

    Radford et al. (2016): means over a few examples, since those of single ones are noise.
    """
    return c - jnp.mean(a, axis=0) + jnp.mean(b, axis=0)


def along(z: Direction, direction: Direction, amounts: Float[Array, " steps"]) -> Float[Array, "steps latent"]:
    """One latent, moved by so many times the direction."""
    return z + amounts[:, None] * direction
