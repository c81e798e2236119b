"""Directed layers of bits above visible units: a sigmoid belief network and its recognition network.

A layer is an `Energy`: going up, its `hidden_logits` are those of q(h_{i+1} | h_i); going down, its `visible_input` is
that of p(h_i | h_{i+1}). Units of all layers are lists with the visible units first.
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from genlab.kernels.boltzmann import Energy, Hidden, Visible, draw_hidden, draw_visible, hidden_logits, visible_input
from genlab.kernels.random import Keys, fold
from genlab.losses.reconstruction import bernoulli, gaussian

Units = list[Float[Array, "b _"]]


def up_pass(layers: Sequence[Energy], v: Visible, keys: Keys) -> Units:
    """Bits drawn upwards from visible units, (v, h1, .., h_L)."""
    units = [v]
    for i, energy in enumerate(layers):
        units.append(draw_hidden(energy, units[-1], fold(keys, i)))
    return units


def down_pass(layers: Sequence[Energy], h: Hidden, keys: Keys) -> Units:
    """Units drawn downwards from the bits of the topmost layer, (v, h1, .., h_L)."""
    units = [h]
    for i, energy in reversed(list(enumerate(layers))):
        units.insert(0, draw_visible(energy, units[0], fold(keys, i)))
    return units


def distortion(layers: Sequence[Energy], units: Units) -> Float[Array, " b"]:
    """-log p(v|h1) - .. - log p(h_{L-1}|h_L) in nats."""

    def below(energy: Energy, own: Visible, above: Hidden) -> Float[Array, " b"]:
        given = visible_input(energy, above)
        if energy.scale is None:
            return bernoulli(own, given)
        return gaussian(own, given, 2 * math.log(energy.scale))

    each = map(below, layers, units[:-1], units[1:])
    return sum(each, jnp.zeros(len(units[0])))


def recognition(layers: Sequence[Energy], units: Units) -> Float[Array, " b"]:
    """-log q(h1|v) - .. - log q(h_L|h_{L-1}) in nats."""
    each = (bernoulli(h, hidden_logits(energy, v)) for energy, v, h in zip(layers, units[:-1], units[1:], strict=True))
    return sum(each, jnp.zeros(len(units[0])))
