"""Metrics that only some updates have, as those of a lazy penalty do: their means since the last row of the record."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool

from genlab.nn.layers import AXIS
from genlab.parts.types import Metrics

TALLY = "tally"  # its name among a game's networks


class Tally(nnx.Module):
    """Running means over the updates that count, the same on all devices; owned by the player whose metrics they are.

    They are part of the state, so that neither a resumed run nor one that is cut into other calls has other rows. The
    training step starts them anew after every row, and reads them; while no update has counted, the last means stay.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.count = nnx.BatchStat(jnp.zeros(()))
        self.means = nnx.Dict({name: nnx.BatchStat(jnp.zeros(shape)) for name, shape in shapes.items()})

    def add(self, metrics: Metrics, counts: Bool[Array, ""]) -> None:
        """The metrics of one update, means over each device's part of the batch, if it `counts`."""
        before = self.count[...]
        for name, mean in self.means.items():
            value = jax.lax.pmean(jax.lax.stop_gradient(metrics[name]), AXIS)
            mean[...] = jnp.where(counts, (before * mean[...] + value) / (before + 1), mean[...])
        self.count[...] = before + counts
