"""Self-attention between the places of a feature map: Zhang et al. (2019), SAGAN."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.nn.layers import Conv, Maps


class SelfAttention(nnx.Module):
    """x + gamma o, where o at every place is a mean over all places, weighted by how well they match (eq. 2 and 3).

    Queries and keys have 1/8 of the channels, values half of them, as in the official code, which also halves the side
    of keys and values by maxima; so here, where it is even. gamma starts at 0, and the block as the identity.
    `options` are those of its linear layers, see `Affine`.
    """

    def __init__(self, channels: int, **options: Any):
        few, half = max(1, channels // 8), max(1, channels // 2)
        self.query, self.key, self.value, self.output = (
            Conv(a, b, 1, gain=1, bias=False, **options)
            for a, b in ((channels, few), (channels, few), (channels, half), (half, channels))
        )
        self.gamma = nnx.Param(jnp.zeros(()))

    def weights(self, x: Maps) -> Float[Array, "b places others"]:
        """How much each place takes from each of the others: rows that sum to 1, float32 or better."""
        query, key = _places(self.query(x)), _places(_pooled(self.key(x)))
        wide = jnp.promote_types(x.dtype, jnp.float32)
        return jax.nn.softmax(jnp.einsum("bic,bjc->bij", query, key).astype(wide))

    def __call__(self, x: Maps) -> Maps:
        taken = self.weights(x).astype(x.dtype) @ _places(_pooled(self.value(x)))
        return x + self.gamma[...].astype(x.dtype) * self.output(taken.reshape(*x.shape[:3], -1))


def _places(x: Maps) -> Float[Array, "b places c"]:
    return x.reshape(len(x), -1, x.shape[-1])


def _pooled(x: Maps) -> Float[Array, "b h2 w2 c"]:
    """The maxima of 2x2 blocks, if the side is even."""
    b, h, w, c = x.shape
    return x if h % 2 else x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))
