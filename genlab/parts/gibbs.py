"""Gibbs chains of a restricted Boltzmann machine: how long they are in training, in sampling and in annealing."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.errors import at_least, require
from genlab.kernels import annealing
from genlab.kernels.boltzmann import Energy, Hidden, Visible, draw_hidden, draw_visible, gibbs, visible_mean
from genlab.kernels.random import Keys, fold
from genlab.nn.layers import AXIS


@dataclass(frozen=True)
class Gibbs:
    """How many steps v -> h -> v chains make."""

    k: int = 1
    """In every play: the k of CD-k."""
    steps: int = 200
    """To a sample, from visible units that know no hidden ones."""
    temperatures: int = 1000
    """In an annealed run that estimates the partition function, one for each of its temperatures."""

    def __post_init__(self) -> None:
        at_least(self, 1, "k", "steps", "temperatures")

    def negative(self, energy: Energy, v: Visible, keys: Keys) -> Visible:
        """The examples of the negative phase: where chains from `v` are after `k` steps."""
        return gibbs(energy, v, keys, self.k)

    def hidden(self, energy: Energy, keys: Keys) -> Hidden:
        """Hidden units after `steps` steps, one chain per key."""
        start = draw_visible(energy, jnp.zeros((len(keys), len(energy.hidden))), fold(keys, 0))
        end = gibbs(energy, start, fold(keys, 1), self.steps)
        return draw_hidden(energy, end, fold(keys, 2))

    def log_partition(self, energy: Energy, keys: Keys) -> Float[Array, " runs"]:
        """See `Unnormalised`; the keys of a call share the base that their annealed runs start from."""
        base = annealing.base_rates(energy, visible_mean(energy, self.hidden(energy, fold(keys, 0))))
        return annealing.log_partition(energy, base, fold(keys, 1), self.temperatures)


class Chains(nnx.Module):
    """Persistent chains: visible units that the next play goes on from; chain i moves with example i of the batch.

    They start at 0, from where the first step takes each its own way.
    """

    def __init__(self, number: int, visible: int):
        self.visible = nnx.BatchStat(jnp.zeros((number, visible)))

    def read(self, b: int) -> Visible:
        """Those of this device's `b` examples."""
        return jax.lax.dynamic_slice_in_dim(self.visible[...], jax.lax.axis_index(AXIS) * b, b)

    def write(self, v: Visible) -> None:
        """Keep all devices' chains, so that every device knows them."""
        moved, kept = jax.lax.all_gather(v, AXIS, tiled=True), self.visible[...]
        require(len(moved) <= len(kept), "method.chains", len(kept), "at least data.batch_size")
        self.visible[...] = kept.at[: len(moved)].set(moved)
