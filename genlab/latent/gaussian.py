"""Latents whose prior is N(0, I): truncated ones, and random walks."""

import jax
import jax.numpy as jnp
from jax.scipy.special import erf, erfinv
from jaxtyping import Array, Float, Int

from genlab.kernels.random import Keys, fold, normal

Latents = Float[Array, "b latent"]


def truncate(z: Latents, threshold: float) -> Latents:
    """Draws from N(0, I) as draws from N(0, I) between -threshold and threshold, nearer to the mode.

    The truncation trick of BigGAN, Brock et al. (2019), section 3.1: there, numbers outside are drawn again until they
    are inside. Here every number is moved to the same quantile of the truncated normal: the distribution is the same,
    the order of the numbers is kept, and a sample changes gradually with the threshold. (StyleGAN's, Karras et al.
    2019, shrinks the outputs of a mapping network towards their mean, which a Gaussian latent does not need.)
    """
    inside = erf(abs(z) / 2**0.5) * erf(threshold / 2**0.5)
    moved = 2**0.5 * erfinv(inside)
    return jnp.sign(z) * jnp.minimum(moved, jnp.minimum(abs(z), threshold))  # where float32 makes the share 1


def walk(start: Latents, keys: Keys, steps: int, correlation: float = 0.95) -> Float[Array, "b steps latent"]:
    """Random walks, one per key, that begin with `start`: Ornstein-Uhlenbeck processes at whole times.

    z' = c z + sqrt(1 - c^2) noise. If the start is a draw from N(0, I), so is every step; steps that are k apart
    correlate as c^k. `correlation`: c, from 0 (independent draws) to 1 (no movement).
    """
    scale = (1 - correlation**2) ** 0.5

    def step(z: Latents, i: Int[Array, ""]) -> tuple[Latents, Latents]:
        return correlation * z + scale * normal(fold(keys, i), z.shape[1:]), z

    return jax.lax.scan(step, start, jnp.arange(steps))[1].swapaxes(0, 1)
