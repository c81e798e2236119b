"""Likelihoods by importance sampling, for the methods whose posterior weighs its draws."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genlab.kernels.random import Keys, fold
from genlab.methods.game import Labels, Likelihood, Networks, Unnormalised

Count = int | Int[Array, ""]


def bounds(
    method: Likelihood | Unnormalised,
    networks: Networks,
    x: Float[Array, "b *shape"],
    keys: Keys,
    draws: Count,
    labels: Labels = None,
) -> dict[str, Float[Array, " b"]]:
    """Of each example, in nats: the "elbo", the mean log-weight of `draws` draws, and the tighter "bound" of them all.

    The bound is the log of the mean weight, Burda et al. (2016), eq. 8. Both are of Z p(x) where the method knows no Z.
    """

    def more(i: Int[Array, ""], sums: tuple[Array, Array]) -> tuple[Array, Array]:
        total, log_total = sums
        weight = method.log_weight(networks, x, fold(keys, i), labels)
        return total + weight, jnp.logaddexp(log_total, weight)

    start = (jnp.zeros(len(x)), jnp.full(len(x), -jnp.inf))
    total, log_total = jax.lax.fori_loop(0, draws, more, start)
    return {"elbo": total / draws, "bound": log_total - jnp.log(draws)}
