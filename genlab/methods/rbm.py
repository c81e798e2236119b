"""The restricted Boltzmann machine, trained by contrastive divergence (Hinton 2002) or persistently (Tieleman 2008)."""

from dataclasses import dataclass, field
from typing import cast

import jax
from flax import nnx
from jaxtyping import Array, Float

from genlab.data.feed import Batch
from genlab.errors import at_least
from genlab.kernels.boltzmann import contrast, free_energy, hidden_logits, score_matching, visible_mean
from genlab.kernels.random import Keys, fold
from genlab.methods.game import Encoding, Player
from genlab.parts.gibbs import Chains, Gibbs
from genlab.parts.machine import VisibleUnits, machine, negative_pseudo_likelihood
from genlab.parts.optimizer import Optimizer
from genlab.parts.squared_error import rmse
from genlab.parts.types import Labels, Metrics, Networks, Turn

PSEUDO = 2**31 - 1  # stream of the units that are looked at, apart from all steps of a chain


@dataclass(frozen=True)
class RBM(Encoding):
    """Restricted Boltzmann machine: descends F(data) - F(chains), whose gradient is contrastive divergence."""

    sampling = ("machine",)
    headline = ("model/loss", "model/rmse")
    gap = "model/free_energy"  # Hinton (2010), section 6: the constant log Z cancels in it

    latent: int = 128
    """Hidden units."""
    visible: VisibleUnits = field(default_factory=VisibleUnits)
    """The visible units."""
    gibbs: Gibbs = field(default_factory=Gibbs)
    """The length of its chains."""
    persistent: bool = False
    """Chains go on from where the last play left them (PCD), instead of starting at the data (CD)."""
    chains: int = 128
    """Persistent chains that are kept; data.batch_size of them move in a play."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """Its optimiser."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "chains")

    @property
    def monitor(self) -> str:
        """Hinton (2010), section 5, warns against the reconstruction error, which says little of how probable the data
        are; the conditional density of a Gaussian unit has no closed form."""
        name = "negative_pseudo_likelihood" if self.visible.kind == "binary" else "score_matching"
        return f"validation/model/{name}"

    @property
    def observation(self) -> str:
        return self.visible.observation

    def networks(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> Networks:
        model = self.visible.machine(shape, self.latent, rngs)
        chains = {"chains": Chains(self.chains, len(model.energy.visible))} if self.persistent else {}
        return {"machine": model, **chains}

    def centre(self, networks: Networks, mean: Float[Array, "*shape"]) -> None:
        machine(networks, "machine").centre(mean)

    def players(self) -> tuple[Player, ...]:
        owned = ("machine", "chains") if self.persistent else ("machine",)
        return (Player("model", owned, self.loss, self.optimizer),)

    def loss(self, networks: Networks, batch: Batch, keys: Keys, turn: Turn = None) -> tuple[Float[Array, ""], Metrics]:
        model = machine(networks, "machine")
        energy, v = model.energy, model.units(batch.x)
        if self.persistent:
            chains = cast(Chains, networks["chains"])
            end = self.gibbs.negative(energy, chains.read(len(v)), keys)
            chains.write(end)
        else:
            end = self.gibbs.negative(energy, v, keys)
        metrics = {
            "free_energy": free_energy(energy, v).mean(),
            "rmse": rmse(batch.x, self.reconstruct(networks, batch.x)),
        }
        if self.visible.kind == "binary":
            metrics["negative_pseudo_likelihood"] = negative_pseudo_likelihood(energy, v, fold(keys, PSEUDO), turn)
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

    def draw_latents(self, networks: Networks, keys: Keys) -> Float[Array, "b latent"]:
        return self.gibbs.hidden(machine(networks, "machine").energy, keys)

    def log_weight(
        self, networks: Networks, x: Float[Array, "b *shape"], keys: Keys, labels: Labels = None
    ) -> Float[Array, " b"]:
        """log Z + log p(x) itself, for bits and for Gaussian units; the keys are not used."""
        model = machine(networks, "machine")
        return -free_energy(model.energy, model.units(x))

    def log_partition(self, networks: Networks, keys: Keys) -> Float[Array, " runs"]:
        return self.gibbs.log_partition(machine(networks, "machine").energy, keys)
