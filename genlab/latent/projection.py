"""Latents of images that a model without an encoder comes closest to, by optimisation."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from genlab.kernels.random import Keys, fold, normal

Data = Float[Array, "b *shape"]
Decode = Callable[[Float[Array, "b latent"]], Data]
Features = Callable[[Data], Float[Array, "b features"]]


class Projection(NamedTuple):
    """The best latent of each image, and what is left."""

    z: Float[Array, "b latent"]
    error: Float[Array, " b"]
    """Mean squared error of its pixels and, where there are features, of these."""


def project(
    decode: Decode,
    x: Data,
    keys: Keys,
    latent: int,
    *,
    restarts: int = 8,
    iterations: int = 400,
    learning_rate: float = 0.1,
    features: Features | None = None,
) -> Projection:
    """Minimises the squared error of decode(z) over z, by Adam from several draws of N(0, I); the best one wins.

    Creswell and Bharath (2016), "Inverting the generator of a GAN"; the learning rate falls to 0 as a cosine, so that
    the end is at rest. An image's latent follows from the image and its key, whatever it is projected with.
    `features` adds the error of features, as a classifier's or an Inception network's, to that of pixels.
    """
    targets, b = _compared(x, features), len(x)
    start = jnp.concatenate([normal(fold(keys, i), (latent,)) for i in range(restarts)])

    def errors(z: Float[Array, "all latent"]) -> Float[Array, " all"]:
        found = _compared(decode(z), features)
        parts = (
            jnp.square(part - jnp.tile(target, (restarts, 1))).mean(1)
            for part, target in zip(found, targets, strict=True)
        )
        return sum(parts, jnp.zeros(len(z)))

    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, iterations))

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        z, state = carry
        updates, state = optimizer.update(jax.grad(lambda z: errors(z).sum())(z), state)
        return (optax.apply_updates(z, updates), state), None

    (z, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), None, iterations)
    error = errors(z).reshape(restarts, b)
    best = error.argmin(0)
    return Projection(z.reshape(restarts, b, latent)[best, jnp.arange(b)], error.min(0))


def _compared(x: Data, features: Features | None) -> tuple[Float[Array, "b _"], ...]:
    pixels = x.reshape(len(x), -1)
    return (pixels,) if features is None else (pixels, features(x))
