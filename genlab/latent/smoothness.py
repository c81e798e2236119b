"""How evenly a decoder turns steps in the latent space into changes that can be seen."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.kernels.random import Keys, uniform
from genlab.latent.paths import Curve, slerp

Latents = Float[Array, "b latent"]


def speeds(
    features: Callable[[Latents], Float[Array, "b features"]], a: Latents, b: Latents, keys: Keys, curve: Curve = slerp
) -> Float[Array, " b"]:
    """Squared speed of features on the way from each a to its b, at a time drawn from U[0, 1] with its key.

    `features`: latents to features of what they decode to, each by itself. The mean of these speeds is the perceptual
    path length of Karras et al. (2019), "A style-based generator"; there with the features of LPIPS and steps of 1e-4,
    here with any features and the limit of small steps, the derivative itself.
    """

    def features_at(t: Float[Array, " b"]) -> Float[Array, "b features"]:
        return features(jax.vmap(lambda a, b, t: curve(a, b, t[None])[0])(a, b, t))

    t = uniform(keys)
    # one pass for all: no example depends on another's time
    velocity = jax.jvp(features_at, (t,), (jnp.ones_like(t),))[1]
    return jnp.square(velocity).sum(1)
