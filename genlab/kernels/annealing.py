"""Annealed importance sampling: the partition function of a restricted Boltzmann machine, with its standard error."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genlab.kernels.boltzmann import Energy, Visible, bits, draw_visible, hidden_logits, visible_energy
from genlab.kernels.random import Keys, fold

Run = tuple[Visible, Float[Array, " runs"]]  # where runs are, and their log weights so far


def log_partition_base(energy: Energy) -> Float[Array, ""]:
    """log Z of the machine without weights and hidden biases: independent visible units, and hidden coins."""
    if energy.scale is None:
        units = jax.nn.softplus(energy.visible).sum()
    else:
        units = jnp.asarray(len(energy.visible) * (math.log(energy.scale) + 0.5 * math.log(2 * math.pi)))
    return units + len(energy.hidden) * math.log(2)


def log_partition(energy: Energy, base: Float[Array, " v"], keys: Keys, temperatures: int) -> Float[Array, " runs"]:
    """Logs of unbiased estimates of Z, one annealed run per key; Salakhutdinov and Murray (2008), Algorithm 1.

    From independent visible units with biases `base` to the machine itself, by machines with weights beta W, hidden
    biases beta c and visible biases (1 - beta) base + beta b (eq. 16; for bits the geometric path), beta rising
    linearly from 0 to 1 in so many steps. The nearer `base` is to the machine, the fewer are needed.
    """

    def at(beta: Float[Array, ""]) -> Energy:
        visible = (1 - beta) * base + beta * energy.visible
        return replace(energy, weights=beta * energy.weights, visible=visible, hidden=beta * energy.hidden)

    def log_p(beta: Float[Array, ""], v: Visible, logits: Float[Array, "runs h"]) -> Float[Array, " runs"]:
        return jax.nn.softplus(beta * logits).sum(1) - visible_energy(at(beta), v)

    def step(carry: Run, k: Int[Array, ""]) -> tuple[Run, None]:
        v, total = carry
        before, beta, now = (k - 1) / temperatures, k / temperatures, fold(keys, k)
        logits = hidden_logits(energy, v)
        total = total + log_p(beta, v, logits) - log_p(before, v, logits)  # eq. 14
        h = bits(fold(now, 0), beta * logits)
        return (draw_visible(at(beta), h, fold(now, 1)), total), None  # leaves p at beta as it is

    start = at(jnp.zeros(()))
    v = draw_visible(start, jnp.zeros((len(keys), len(energy.hidden))), fold(keys, 0))
    total = jnp.full(len(keys), log_partition_base(start))
    return jax.lax.scan(step, (v, total), jnp.arange(1, temperatures + 1))[0][1]


def base_rates(energy: Energy, v: Visible) -> Float[Array, " v"]:
    """Biases of independent visible units with the means of `v`, which for bits are drawn towards 1/2 by two examples.

    Salakhutdinov and Murray (2008), section 4.1, take those of the data; those of the machine's own chains will do.
    """
    if energy.scale is not None:
        return v.mean(0)
    rate = (v.sum(0) + 1) / (len(v) + 2)
    return jnp.log(rate) - jnp.log1p(-rate)


def log_mean(log_weights: Float[Array, " runs"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """log of the mean of exp(log_weights), and its standard error, in nats, by the delta method.

    The error is estimated from the runs themselves: runs that all miss a mode do not know it.
    """
    n = len(log_weights)
    top = log_weights.max()
    weights = jnp.exp(log_weights - top)
    mean = weights.mean()
    return top + jnp.log(mean), weights.std(ddof=1) / (mean * math.sqrt(n))
