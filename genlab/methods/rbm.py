"""The restricted Boltzmann machine, trained by contrastive divergence (Hinton 2002) or persistently (Tieleman 2008)."""

from dataclasses import dataclass
from typing import ClassVar, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import require
from genlab.kernels.boltzmann import Visible, contrast, free_energy, gibbs, hidden_logits, score_matching, visible_mean
from genlab.kernels.random import Keys, fold
from genlab.methods.boltzmann import Boltzmann, machine
from genlab.methods.game import Player
from genlab.nn.layers import AXIS
from genlab.parts.types import Labels, Metrics, Networks, Turn

PSEUDO = 2**31 - 1  # stream of the units that are looked at, apart from all steps of a chain


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


@dataclass(frozen=True)
class RBM(Boltzmann):
    """Restricted Boltzmann machine: descends F(data) - F(chains), whose gradient is contrastive divergence."""

    sampling: ClassVar[tuple[str, ...]] = ("machine",)
    headline: ClassVar[tuple[str, str]] = ("model/loss", "model/rmse")

    persistent: bool = False
    """Chains go on from where the last play left them (PCD), instead of starting at the data (CD)."""
    chains: int = 128
    """Persistent chains that are kept; data.batch_size of them move in a play."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.chains >= 1, "chains", self.chains, "at least 1")

    @property
    def monitor(self) -> str:  # type: ignore[override]  # the conditional density of a Gaussian unit has no closed form
        return super().monitor if self.visible == "binary" else "validation/model/score_matching"

    @property
    def names(self) -> tuple[str, ...]:
        return ("machine",)

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        bottom = self.bottom(shape, self.latent, rngs)
        chains = {"chains": Chains(self.chains, len(bottom.energy.visible))} if self.persistent else {}
        return {"machine": bottom, **chains}

    def players(self) -> tuple[Player, ...]:
        owned = ("machine", "chains") if self.persistent else ("machine",)
        return (Player("model", owned, self.loss, self.optimizer),)

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        model = machine(networks, "machine")
        energy, v = model.energy, model.units(batch.x)
        if self.persistent:
            chains = cast(Chains, networks["chains"])
            end = gibbs(energy, chains.read(len(v)), keys, self.k)
            chains.write(end)
        else:
            end = gibbs(energy, v, keys, self.k)
        metrics = {"free_energy": free_energy(energy, v).mean(), "rmse": self.rmse(networks, batch.x)}
        if self.visible == "binary":
            metrics["negative_pseudo_likelihood"] = self.unlikely(energy, v, fold(keys, PSEUDO), turn)
        else:
            metrics["score_matching"] = score_matching(energy, v).mean()
        return contrast(energy, v, end).mean(), metrics

    def encode(
        self, networks: Networks, x: Float[Array, "b *shape"], labels: Labels = None
    ) -> Float[Array, "b latent"]:
        """The means of p(h | v)."""
        model = machine(networks, "machine")
        return jax.nn.sigmoid(hidden_logits(model.energy, model.units(x)))

    def decode(
        self, networks: Networks, z: Float[Array, "b latent"], labels: Labels = None
    ) -> Float[Array, "b *shape"]:
        """The means of p(v | h)."""
        model = machine(networks, "machine")
        return model.data(visible_mean(model.energy, z))

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        """log Z + log p(x) itself, for bits and for Gaussian units; the keys are not used."""
        model = machine(networks, "machine")
        return -free_energy(model.energy, model.units(x))
