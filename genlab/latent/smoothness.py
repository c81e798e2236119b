"""How evenly a decoder turns steps in the latent space into changes that can be seen."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.kernels.random import Keys, fold, uniform
from genlab.latent.paths import Curve, Point, slerp

Latents = Float[Array, "b latent"]


def speeds(
    see: Callable[[Latents], Float[Array, "b features"]], a: Latents, b: Latents, keys: Keys, curve: Curve = slerp
) -> Float[Array, " b"]:
    """Squared speed of what is seen on the way from each a to its b, at a time drawn from U[0, 1] with its key.

    `see`: latents to features of what they decode to. Karras et al. (2019), "A style-based generator": the mean
    of these is the perceptual path length, there with the features of LPIPS and a finite step of 1e-4, here with any
    and the step's limit 0, the derivative itself.
    """
    t = uniform(fold(keys, 0))

    def speed(a: Point, b: Point, t: Float[Array, ""]) -> Float[Array, ""]:
        seen = jax.jvp(lambda t: see(curve(a, b, t[None]))[0], (t,), (jnp.ones_like(t),))[1]
        return jnp.square(seen).sum()

    return jax.vmap(speed)(a, b, t)
