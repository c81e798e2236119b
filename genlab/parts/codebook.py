"""A codebook: vectors that follow the encodings assigned to them."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.layers import AXIS
from genlab.nn.made import Codes

DEAD = 0.01  # a code with less than this share of an even use is given to an example
Tokens = Float[Array, "b tokens width"]


class Codebook(nnx.Module):
    """Vectors that follow the encodings assigned to them, by moving averages over all devices (appendix A.1)."""

    def __init__(self, codes: int, width: int, decay: float, *, rngs: nnx.Rngs):
        self.counts = nnx.BatchStat(jnp.ones(codes))  # 1 where all codes are used alike
        self.sums = nnx.BatchStat(jax.random.normal(rngs.params(), (codes, width)))
        self.decay = decay

    @property
    def vectors(self) -> Float[Array, "codes width"]:
        """The codes' vectors."""
        return self.sums[...] / self.counts[...][:, None]

    def nearest(self, z: Tokens) -> Codes:
        """The code of each token: that of the nearest vector (eq. 1)."""
        vectors = self.vectors
        return jnp.argmin(jnp.square(vectors).sum(1) - 2 * z @ vectors.T, axis=-1)

    def update(self, z: Tokens, codes: Codes) -> Float[Array, " codes"]:
        """Move the averages towards the tokens of all devices (eq. 6 to 8), and return each code's share of these.

        A code that has fallen out of use takes the place of an encoding of this batch, code i that of the i-th of
        evenly spaced ones, so that neither chance nor the number of devices enters.
        """
        z = jax.lax.stop_gradient(z)
        assigned = jax.nn.one_hot(codes, len(self.counts[...])).reshape(-1, len(self.counts[...]))
        tokens = z.reshape(len(assigned), -1)
        share, total = jax.lax.pmean((assigned.mean(0), assigned.T @ tokens / len(tokens)), AXIS)
        everyone = jax.lax.all_gather(tokens, AXIS, tiled=True)
        counts = self.decay * self.counts[...] + (1 - self.decay) * len(share) * share
        sums = self.decay * self.sums[...] + (1 - self.decay) * len(share) * total
        seeds = everyone[jnp.arange(len(share)) * len(everyone) // len(share)]
        dead = counts < DEAD
        self.counts[...] = jnp.where(dead, 1.0, counts)
        self.sums[...] = jnp.where(dead[:, None], seeds, sums)
        return share
