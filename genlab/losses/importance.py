"""Likelihoods by importance sampling, of models whose posterior weighs its draws."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genlab.kernels.random import Keys, fold

Count = int | Int[Array, ""]


def bounds(log_weight: Callable[[Keys], Float[Array, " b"]], keys: Keys, draws: Count) -> dict[str, Float[Array, " b"]]:
    """Of each example, in nats: the "elbo", the mean log-weight of `draws` draws, and the tighter "bound" of them all.

    `log_weight` gives log p(x, z) - log q(z|x) of one z per key. The bound is the log of the mean weight, Burda et al.
    (2016), eq. 8. Both are of Z p(x) where the weights are those of an unnormalised density.
    """

    def more(i: Int[Array, ""], sums: tuple[Array, Array]) -> tuple[Array, Array]:
        total, log_total = sums
        weight = log_weight(fold(keys, i))
        return total + weight, jnp.logaddexp(log_total, weight)

    start = (jnp.zeros(len(keys)), jnp.full(len(keys), -jnp.inf))
    total, log_total = jax.lax.fori_loop(0, draws, more, start)
    return {"elbo": total / draws, "bound": log_total - jnp.log(draws)}
