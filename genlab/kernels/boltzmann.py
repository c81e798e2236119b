"""The restricted Boltzmann machine: energy, free energy, conditionals and Gibbs chains, for bits or Gaussian units.

E(v, h) = -b v - c h - v W h for visible bits (Smolensky 1986; Hinton 2002), and
E(v, h) = |v - b|^2 / (2 s^2) - c h - (v / s) W h for Gaussian visible units of scale s (Hinton 2010, section 13.2).
Hidden units are bits. p(v, h) = exp(-E(v, h)) / Z.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genlab.kernels.random import Keys, fold, normal, uniform

Visible = Float[Array, "b v"]
Hidden = Float[Array, "b h"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Energy:
    """The parameters of an energy."""

    weights: Float[Array, "v h"]
    visible: Float[Array, " v"]  # b
    hidden: Float[Array, " h"]  # c
    scale: float | None = field(default=None, metadata={"static": True})  # of Gaussian visible units; None: bits


def bits(keys: Keys, logits: Float[Array, "b n"]) -> Float[Array, "b n"]:
    """Draws from Bernoulli(sigmoid(logits)), as 0.0 and 1.0."""
    return (uniform(keys, logits.shape[1:]) < jax.nn.sigmoid(logits)).astype(logits.dtype)


def hidden_logits(energy: Energy, v: Visible) -> Hidden:
    """p(h_j = 1 | v) = sigmoid of these; Hinton (2010), eq. 7."""
    return energy.hidden + (v if energy.scale is None else v / energy.scale) @ energy.weights


def visible_input(energy: Energy, h: Hidden) -> Visible:
    """What p(v | h) needs: the logits of bits, Hinton (2010), eq. 8, or the means of Gaussian units, in units of v."""
    return energy.visible + (1 if energy.scale is None else energy.scale) * h @ energy.weights.T


def visible_mean(energy: Energy, h: Hidden) -> Visible:
    """E[v | h]."""
    field = visible_input(energy, h)
    return jax.nn.sigmoid(field) if energy.scale is None else field


def visible_energy(energy: Energy, v: Visible) -> Float[Array, " b"]:
    """The part of the energy that no hidden unit sees."""
    if energy.scale is None:
        return -v @ energy.visible
    return 0.5 * jnp.square((v - energy.visible) / energy.scale).sum(1)


def free_energy(energy: Energy, v: Visible) -> Float[Array, " b"]:
    """F(v) = -log sum_h exp(-E(v, h)) in nats, so that p(v) = exp(-F(v)) / Z; Hinton (2010), eq. 25."""
    return visible_energy(energy, v) - jax.nn.softplus(hidden_logits(energy, v)).sum(1)


def draw_hidden(energy: Energy, v: Visible, keys: Keys) -> Hidden:
    """One h ~ p(h | v) per key."""
    return bits(keys, hidden_logits(energy, v))


def draw_visible(energy: Energy, h: Hidden, keys: Keys) -> Visible:
    """One v ~ p(v | h) per key."""
    inputs = visible_input(energy, h)
    return bits(keys, inputs) if energy.scale is None else inputs + energy.scale * normal(keys, inputs.shape[1:])


def gibbs(energy: Energy, v: Visible, keys: Keys, steps: int) -> Visible:
    """Where chains from `v` are after so many steps v -> h -> v, which leave p(v) as it is; no gradient."""
    energy, v = jax.lax.stop_gradient((energy, v))

    def step(v: Visible, i: Int[Array, ""]) -> tuple[Visible, None]:
        now = fold(keys, i)
        return draw_visible(energy, draw_hidden(energy, v, fold(now, 0)), fold(now, 1)), None

    return jax.lax.scan(step, v, jnp.arange(steps))[0]


def log_pseudo_likelihood(energy: Energy, v: Visible, keys: Keys, k: int) -> Float[Array, " b"]:
    """sum_i log p(v_i | all other units) in nats, of visible bits (Besag 1975), which needs no Z.

    From `k` units of each example, evenly spaced from a random first one, times v / k: unbiased, exact from k = v on.
    A unit between 0 and 1 is the probability of a bit, and gives the mean of both.
    """
    n, logits = v.shape[1], hidden_logits(energy, v)
    k = min(k, n)
    first = (uniform(keys) * n).astype(jnp.int32)

    def add(total: Float[Array, " b"], i: Int[Array, ""]) -> tuple[Float[Array, " b"], None]:
        unit = (first + i * n // k) % n
        own, weights = jnp.take_along_axis(v, unit[:, None], 1), energy.weights[unit]
        off = logits - own * weights  # what the hidden units see while this unit is 0
        more = jax.nn.softplus(off + weights) - jax.nn.softplus(off)
        odds = energy.visible[unit] + more @ jnp.ones(more.shape[1])  # a reduction fused with logarithms is slow
        return total + own[:, 0] * odds - jax.nn.softplus(odds), None

    return jax.lax.scan(add, jnp.zeros(len(v)), jnp.arange(k))[0] * n / k


def score_matching(energy: Energy, v: Visible) -> Float[Array, " b"]:
    """sum_i d^2 log p / dv_i^2 + (d log p / dv_i)^2 / 2 of Gaussian units, Hyvarinen (2005), eq. 4, which needs no Z.

    In the mean over the data half the squared distance of the model's score from the data's, but for a constant.
    """
    assert energy.scale is not None
    up, variance = jax.nn.sigmoid(hidden_logits(energy, v)), energy.scale**2
    score = (visible_mean(energy, up) - v) / variance
    curvature = (up * (1 - up) @ jnp.square(energy.weights).sum(0) - v.shape[1]) / variance
    return curvature + 0.5 * jnp.square(score).sum(1)


def contrast(energy: Energy, data: Visible, model: Visible) -> Float[Array, " b"]:
    """F(data) - F(model): with model's examples from a chain, its gradient is that of contrastive divergence.

    d/dW = E[v h | model] - E[v h | data] and so on, Hinton (2002), eq. 5; with examples of the model itself it is the
    gradient of -log p. The value is not what is minimised: the model's examples move as the parameters do.
    """
    return free_energy(energy, data) - free_energy(energy, jax.lax.stop_gradient(model))
