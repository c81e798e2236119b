"""From elements to examples."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def example_sum(x: Float[Array, "batch *shape"]) -> Float[Array, " batch"]:
    """The sum over each example.

    As a product with ones: on a CPU a reduction that is fused with the logarithms it sums takes 25 times as long.
    """
    x = x.reshape(len(x), -1)
    return jnp.matmul(x, jnp.ones(x.shape[1], x.dtype), precision="highest")
